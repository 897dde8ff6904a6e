"""Mark what students returned: ``python -m course.marking FOLDER [--csv FILE]``.

FOLDER holds one folder per student, each with notebooks, and with ``my_m2se.py`` and
``progress.json`` where there are any. The result is one table: a line for each file and one for
each student. Exercises are run anew (:mod:`~course.verdicts`); predictions and scores are what the
student's ``progress.json`` says.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.progress import FILE as PROGRESS
from course.spine import FILE
from course.verdicts import Marked, mark_file
from msm4sr_lite.config import UserError
from msm4sr_lite.printable import one_line
from msm4sr_lite.store.files import check_output_file, write_text

COLUMNS = (
    *("student", "file", "correct", "wrong", "not attempted", "predictions", "right"),
    *("time limit", "scores", "remark"),
)
PROGRESS_LIMIT = 2_000_000  # bytes; a whole course fills a hundredth of it
_WIDEST = 36  # characters of a name in the table
_SIGNS = "✓✗○"
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # how a formula begins; the last four are wide
_OLD = re.compile(r"(\d\d_.+)_old\d*")


@dataclass(frozen=True)
class Student:
    """A student's folder: its name, the files to mark, and what ``progress.json`` holds."""

    name: str
    folder: Path
    files: tuple[Path, ...]
    progress: Mapping[str, Mapping[str, Any]]
    remark: str = ""

    def predictions(self, *numbers: str) -> tuple[int, int]:
        """Return how many predictions were scored, and how many were right."""
        entries = self.progress.get("predictions", {}).items()
        chosen = [entry for name, entry in entries if not numbers or name[:2] in numbers]
        scores = [entry.get("score") for entry in chosen if isinstance(entry, dict)]
        return sum(map(bool, scores)), scores.count("right")

    def scores(self) -> str:
        """Return the entries of the scoreboard in one line."""
        entries = self.progress.get("scores", {}).items()
        return one_line("; ".join(f"{name}: {_short(value)}" for name, value in entries))[:2000]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("ndcg", value)  # else of another version
    if isinstance(value, float):
        return f"{value:.4g}"
    return (value if isinstance(value, str) else json.dumps(value))[:60]


def find_students(given: Path) -> list[Student]:
    """Return the students whose files lie in a folder: one for each folder in it.

    Files that lie in the folder itself belong to a student of the folder's name. Hidden files, such
    as Jupyter's checkpoints, are left out, and so is a copy that the student has replaced by a
    fresh one.

    Raises
    ------
    UserError
        If there is nothing to mark.
    """
    if not given.is_dir():
        return [_read_student(given.resolve().parent.name, given.parent, [given])]
    found: dict[str, list[Path]] = {}
    for path in sorted(given.rglob("*")):
        way = path.relative_to(given)
        old = _OLD.fullmatch(path.stem)
        if any(part.startswith(".") for part in way.parts) or not path.is_file():
            continue
        if old and path.with_name(f"{old[1]}.ipynb").exists():
            continue
        if path.suffix.lower() == ".ipynb" or path.name == FILE:
            name = way.parts[0] if len(way.parts) > 1 else given.resolve().name
            found.setdefault(name, []).append(path)
    if not found:
        raise UserError(f"{given}: no notebook in this folder; name that of the returned files")
    return [
        _read_student(name, given / name if (given / name).is_dir() else given, files)
        for name, files in found.items()
    ]


def _read_student(name: str, folder: Path, files: Sequence[Path]) -> Student:
    """Read ``progress.json``, which lies beside the files or above them."""
    folders = {above for path in files for above in path.parents if above.is_relative_to(folder)}
    stored = [one for above in sorted(folders) if (one := above / PROGRESS).is_file()]
    if not stored:
        return Student(name, folder, tuple(files), {})
    try:
        if stored[0].stat().st_size > PROGRESS_LIMIT:
            raise ValueError
        content = json.loads(stored[0].read_text("utf-8-sig"))
        progress = {
            key: {str(k): v for k, v in section.items()} for key, section in content.items()
        }
        return Student(name, folder, tuple(files), progress)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return Student(name, folder, tuple(files), {}, f"{PROGRESS} cannot be read")


def mark_student(student: Student) -> Iterator[tuple[dict[str, Any], Marked | None]]:
    """Yield a row of the table for each file, with its verdicts, and one for all files."""
    best: dict[str, str] = {}
    for path in student.files:
        marked, row = None, dict.fromkeys(COLUMNS, "")
        try:
            marked = mark_file(path)
        except UserError as error:
            row["remark"] = f"not marked: {one_line(str(error).removeprefix(f'{path}: '))}"
        else:
            signs = {name: sign for name, (sign, _) in marked.verdicts.items()}
            for name, sign in signs.items():
                best[name] = min(sign, best.get(name, sign), key=_SIGNS.index)
            numbers = {name[:2] for name in signs} if path.name != FILE else {"none"}
            row = _make_row(signs, student.predictions(*numbers))
            row |= {"time limit": "reached" if marked.reached else "kept", "remark": marked.remark}
        yield {**row, "student": student.name, "file": _name_in(student, path)}, marked
    row = _make_row(best, student.predictions())
    row |= {"scores": student.scores(), "remark": student.remark}
    yield {**row, "student": student.name, "file": "all"}, None


def _make_row(signs: Mapping[str, str], predictions: tuple[int, int]) -> dict[str, Any]:
    counts = Counter(signs.values())
    values = ("", "", *(counts[sign] for sign in _SIGNS), *predictions, "", "", "")
    return dict(zip(COLUMNS, values, strict=True))


def _name_in(student: Student, path: Path) -> str:
    inside = path.is_relative_to(student.folder)
    return (path.relative_to(student.folder) if inside else path).as_posix()


def make_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as comma-separated values that no spreadsheet takes for formulas."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_harmless(row[column]) for column in COLUMNS])
    return "\ufeff" + stream.getvalue()  # by this mark spreadsheets know UTF-8


def _harmless(value: Any) -> str:
    text = one_line(str(value))
    return f"'{text}" if text.lstrip()[:1] in _FORMULA else text


def _line(row: Mapping[str, Any], widths: Mapping[str, int]) -> str:
    cells = {column: one_line(str(row[column])) for column in COLUMNS}
    for column, width in widths.items():
        text = cells[column]
        text = text if len(text) <= width else f"{text[: width - 1]}…"
        cells[column] = text.rjust(width) if isinstance(row[column], int) else text.ljust(width)
    return "  ".join(cells.values()).rstrip()


def mark_students(arguments: Sequence[str] | None) -> int:
    """Mark everything and print the table, each line as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m course.marking")
    parser.add_argument("given", nargs="+", type=Path, metavar="FOLDER", help="one per class")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the table to FILE")
    parser.add_argument("--details", action="store_true", help="print every verdict, too")
    options = parser.parse_args(arguments)
    code, students = 0, []
    for given in options.given:
        try:
            students += find_students(given)
        except UserError as error:
            print(one_line(str(error)), file=sys.stderr)
            code = 2
    rows: list[dict[str, Any]] = []
    if options.csv:
        check_output_file(options.csv, [".csv"])
        if not options.csv.exists():  # what cannot be written is known before the work
            write_text(options.csv, make_csv(rows))
    widths = {column: max(7, len(column)) for column in COLUMNS[:-2]}
    names = [one.name for one in students]
    files = [_name_in(one, path) for one in students for path in one.files]
    for column, texts in (("student", names), ("file", files)):
        widths[column] = min(_WIDEST, max([len(column), *(len(one_line(t)) for t in texts)]))
    if students:
        print(_line(dict(zip(COLUMNS, COLUMNS, strict=True)), widths), flush=True)
    for student in students:
        for row, marked in mark_student(student):
            rows.append(row)
            print(_line(row, widths), flush=True)
            if str(row["remark"]).startswith("not marked"):
                code = 2
            if options.details and marked:
                for name, (sign, message) in marked.verdicts.items():
                    print(f"    {sign} {name}, {message}", flush=True)
            if options.csv and any(row["time limit"] for row in rows):  # an older table is no loss
                write_text(options.csv, make_csv(rows))
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 2 if a file could not be marked, or 130 after Ctrl-C."""
    with suppress(AttributeError):  # not every stream can
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # not all have ✓
    try:
        return mark_students(arguments)
    except UserError as error:
        print(one_line(str(error)), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the lines above are complete", file=sys.stderr)
        return 130


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):  # whatever a parent made of them
        signal.signal(stop, signal.default_int_handler)
    sys.exit(main())
