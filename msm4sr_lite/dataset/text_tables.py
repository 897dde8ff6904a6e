"""Rows of text tables (csv, tsv, JSON lines), and the place and the reason of what is wrong."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.lines import read_lines

ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".parquet")

# What the csv module says, and what it means.
CSV_ERRORS = {
    "unexpected end": "a quote is not closed",
    "expected after": 'text after a closing quote; write a quote inside a cell as ""',
    "new-line": "a carriage return outside quotes; remove it",
    "field larger": "a cell of more than 131072 characters; is a quote not closed?",
}

OnBad = Callable[[int, int, Exception], None]


class Row(NamedTuple):
    """One row: its first line in a text file (its number in a parquet file), and its cells."""

    place: int
    cells: dict[str, Any]


class Dialect(NamedTuple):
    """How the cells of a text table are separated, and whether quotes have a meaning."""

    separator: str = ","
    quotes: bool = True


def kind_of(path: Path) -> str:
    """Return ``csv``, ``tsv``, ``jsonl`` or ``parquet``; other files are an error."""
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if kind not in ("csv", "tsv", "jsonl", "parquet"):
        raise UserError(f"{path}: not a table; files that end with {', '.join(ENDINGS)} are read")
    return kind


def place_name(path: Path, place: int) -> str:
    """Name a line of a text file, or a row of a parquet file."""
    return f"{path} {'row' if path.suffix == '.parquet' else 'line'} {place}"


def stop_at(path: Path) -> OnBad:
    """Return the strict answer to a bad row: an error that names its place."""

    def stop(place: int, _: int, error: Exception) -> None:
        raise UserError(f"{place_name(path, place)}: {reason(error)}") from None

    return stop


def reason(error: Exception) -> str:
    """Return what is wrong with a row, as a clause for an error message."""
    if isinstance(error, RecursionError):
        return "not a JSON object: nested too deeply"
    if isinstance(error, csv.Error):
        known = (text for mark, text in CSV_ERRORS.items() if mark in str(error))
        return next(known, f"not a row of a table: {error}")
    return str(error)


def json_object(line: str) -> dict[str, Any]:
    """Read one JSON object; anything else is a ``ValueError``."""
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ValueError(f"not a JSON object: {error}") from None
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record


def open_csv(
    path: Path, dialect: Dialect | None, lenient: bool, on_bad: OnBad
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the header, and an iterator over the place and the cells of each row."""
    separator, quotes = dialect or Dialect("\t" if kind_of(path) == "tsv" else ",")
    reader = csv.reader(
        read_lines(path, lenient=lenient),
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
        strict=not lenient,
    )
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise UserError(f"{path} line 1: {reason(error)}") from None
    if not any(header):
        raise UserError(f"{path}: the file is empty; the first line must name the columns")
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise UserError(f"{path} line 1: two columns are called {twice[0]!r}; rename one")
    return header, _csv_rows(reader, len(header), on_bad)


def _csv_rows(reader: Any, width: int, on_bad: OnBad) -> Iterator[tuple[int, list[str]]]:
    while True:
        before = reader.line_num
        try:
            for cells in reader:
                if len(cells) == width and (width > 1 or cells[0].strip()):
                    yield before + 1, cells
                elif any(map(str.strip, cells)):  # else the line is blank
                    raise ValueError(f"{len(cells)} cells, the header has {width}")
                before = reader.line_num
            return
        except UserError:  # about the file, not about this row
            raise
        except (ValueError, csv.Error) as error:
            on_bad(before + 1, reader.line_num - before, error)


def json_rows(path: Path, lenient: bool, on_bad: OnBad) -> Iterator[Row]:
    """Yield the objects of a file with one JSON object a line."""
    for place, line in enumerate(read_lines(path, lenient=lenient), start=1):
        if not line.strip():
            continue
        try:
            record = json_object(line)
        except (ValueError, RecursionError) as error:
            on_bad(place, 1, error)
            continue
        yield Row(place, record)


def require_columns(path: Path, columns: Sequence[str], header: Sequence[str]) -> None:
    """Raise a ``UserError`` unless all columns are in the header."""
    if missing := [name for name in columns if name not in header]:
        hint = ""
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|,"):
            hint = "; the separator must be a comma in .csv files and a tab in .tsv files"
        raise UserError(
            f"{path}: no column {', '.join(missing)}; the first line must name"
            f" {','.join(columns)} (found {', '.join(map(str, header))[:80]}){hint}"
        )
