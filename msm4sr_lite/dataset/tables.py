"""Read tables: csv, tsv, JSON lines (each also compressed with gzip) and parquet.

Dataset folders and converters read all their tables here, row by row (``read_rows``) or some
columns as a whole (``read_columns``). Every row comes with its place for error messages: its first
line in a text file, its number in a parquet file. ``rows`` checks the content of single cells.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.columns import Columns, check_header
from msm4sr_lite.dataset.lines import json_object, not_blank, read_lines
from msm4sr_lite.dataset.parquet import read_parquet_columns, read_parquet_rows
from msm4sr_lite.printable import counted

T = TypeVar("T")
S = TypeVar("S")
OnBad = Callable[[int, int, Exception], None]

BLOCK = 1 << 16  # rows that are turned into columns at a time
ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".parquet")
# Parts of the csv module's messages, and clearer messages for users.
CSV_ERRORS = {
    "unexpected end": "a quote is not closed",
    "expected after": 'text after a closing quote; write a quote inside a cell as ""',
    "new-line": "a carriage return outside quotes; remove it",
    "field larger": "a cell of more than 131072 characters; is a quote not closed?",
}


def read_rows(
    path: Path,
    columns: Sequence[str] = (),
    *,
    kind: str = "",
    lenient: bool = False,
    on_bad: OnBad | None = None,
    names: Columns | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the place and the cells of each row; text files are not read into memory as a whole.

    Parameters
    ----------
    path
        The file.
    columns
        Columns that the header must name. All columns are returned. JSON lines have no header.
    kind
        ``csv``, ``tsv``, ``jsonl``, ``parquet``, or ``atomic``: tabs, a header like
        ``user_id:token``, and quotes that are ordinary characters. Empty: chosen by the file name.
    lenient
        Accept Latin-1 lines and stray quotes.
    on_bad
        Called with the place, the number of lines and the reason if a row cannot be read; the row
        is then left out. By default, a bad row raises ``UserError``.
    names
        Matches the columns of the file with those that are used; None: they are used as they are.

    Raises
    ------
    UserError
        If the table cannot be read; the message names file and line.
    """
    kind = kind or _kind(path)
    on_bad = on_bad or stop_at(place_in(path))
    if kind == "parquet":
        yield from enumerate(read_parquet_rows(path, columns, names), start=1)
        return
    # Close the file at once, even after an error.
    with closing(read_lines(path, lenient=lenient)) as lines:
        if kind == "jsonl":
            for place, row in parse_rows(not_blank(lines), json_object, on_bad):
                yield place, names.rename_row(row) if names else row
        else:
            reader, header = _open_csv(path, kind, lines, lenient)
            header = check_header(path, columns, header, names)
            for place, cells in _csv_rows(reader, len(header), on_bad):
                yield place, dict(zip(header, cells, strict=True))


def read_columns(
    path: Path,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    names: Columns | None = None,
    numbers: Sequence[str] = (),
) -> pd.DataFrame:
    """Return some columns of a table; the index holds the places of rows.

    Cells have any type. Texts of csv and tsv files are categories, so that each different text is
    in memory only once.

    Parameters
    ----------
    path
        The file.
    columns
        Names of the columns.
    optional
        Names of columns that are returned only if the table has them.
    names
        As in ``read_rows``.
    numbers
        Those of the columns that may become floats where all cells of a block are finite numbers.

    Raises
    ------
    UserError
        If the table cannot be read or lacks a column; the message names file and line.
    """
    wanted, kind = [*columns, *optional], _kind(path)
    if kind == "parquet":
        return read_parquet_columns(path, columns, wanted, names)
    places: list[np.ndarray] = []
    blocks: dict[str, list[np.ndarray]] = {}
    texts: dict[str, _Numbered] = {}
    for found_at, cells in _blocks(path, kind, columns, wanted, names):
        places.append(np.array(found_at, dtype=np.int64))
        for name, column in cells.items():
            found = _floats(column) if name in numbers else None
            if found is None and kind != "jsonl" and name not in numbers:
                codes = map(texts.setdefault(name, _Numbered()).__getitem__, column)
                found = np.fromiter(codes, np.int32, len(column))
            blocks.setdefault(name, []).append(_once(column) if found is None else found)
    index = np.concatenate(places)
    table: dict[str, Any] = {}
    for name in list(blocks):  # one after the other: the whole table is not in memory twice
        found = np.concatenate(blocks.pop(name))
        if name in texts:
            categories = pd.Index(list(texts[name]), dtype=object)
            table[name] = pd.Series(pd.Categorical.from_codes(found, categories), index)
        elif name in columns or not pd.isna(found).all():
            table[name] = pd.Series(found, index, dtype=found.dtype)
    return pd.DataFrame(table)


class _Numbered(dict[str, int]):
    """Numbers of texts, in the order in which they are looked up for the first time."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


def _blocks(
    path: Path, kind: str, columns: Sequence[str], wanted: Sequence[str], names: Columns | None
) -> Iterator[tuple[list[int], dict[str, list[Any]]]]:
    """Yield the places and the wanted columns of many rows at a time.

    That is much faster than ``read_rows``, which makes a dictionary of each row.
    """
    with closing(read_lines(path)) as lines:
        rows: Iterator[tuple[int, list[Any]]]
        if kind == "jsonl":
            header = list(wanted)
            objects = read_rows(path, columns, kind=kind, names=names)
            rows = ((place, [row.get(name) for name in wanted]) for place, row in objects)
        else:
            reader, header = _open_csv(path, kind, lines, lenient=False)
            header = check_header(path, columns, header, names)
            rows = _csv_rows(reader, len(header), stop_at(place_in(path)))
        numbered = [(name, header.index(name)) for name in wanted if name in header]
        places: list[int] = []
        cells: list[Any] = []  # row after row
        for place, row in rows:
            places.append(place)
            cells += row
            if len(places) == BLOCK:
                yield places, {name: cells[i :: len(header)] for name, i in numbered}
                places, cells = [], []
        yield places, {name: cells[i :: len(header)] for name, i in numbered}


def _floats(cells: Sequence[Any]) -> np.ndarray | None:
    """Return finite numbers as floats; None if a cell is none."""
    try:
        written = "".join(map(str, cells))
        if bool in set(map(type, cells)) or "_" in written or not written.isascii():
            return None  # Python reads 1_000 as a number; other tools do not
        floats = np.fromiter(map(float, cells), np.float64, len(cells))
    except (TypeError, ValueError, OverflowError):
        return None
    return floats if np.isfinite(floats).all() else None


def _once(cells: Sequence[Any]) -> np.ndarray:
    """Return cells of any type; equal texts are the same object."""
    texts: dict[str, str] = {}
    column = np.empty(len(cells), dtype=object)
    column[:] = [texts.setdefault(cell, cell) if type(cell) is str else cell for cell in cells]
    return column


def parse_rows(
    rows: Iterable[tuple[Any, S]], parse: Callable[[S], T], on_bad: OnBad
) -> Iterator[tuple[int, T]]:
    """Yield the place of each row and ``parse(row)``; a ``ValueError`` goes to ``on_bad``."""
    for place, row in rows:
        try:
            parsed = parse(row)
        except (ValueError, RecursionError) as error:
            on_bad(place, 1, error)
        else:
            yield place, parsed


def stop_at(place_in: str) -> OnBad:
    """Return a function for ``on_bad`` that raises an error with the place of the bad row."""

    def stop(place: int, _: int, error: Exception) -> None:
        raise UserError(f"{place_in} {place}: {reason(error)}") from None

    return stop


def place_in(path: Path) -> str:
    """Return the text before a line number (or, for parquet, a row number) in messages."""
    return f"{path} {'row' if path.suffix == '.parquet' else 'line'}"


def reason(error: Exception) -> str:
    """Return what is wrong with a row, as a clause for an error message."""
    if isinstance(error, RecursionError):
        return "not a JSON object: nested too deeply"
    if isinstance(error, csv.Error):
        known = (text for mark, text in CSV_ERRORS.items() if mark in str(error))
        return next(known, f"not a row of a table: {error}")
    return str(error)


def read_header(path: Path, kind: str) -> list[str]:
    """Return the column names of a text table of this kind; its lines may be Latin-1."""
    with closing(read_lines(path, lenient=True)) as lines:
        return _open_csv(path, kind, lines, lenient=True)[1]


def _kind(path: Path) -> str:
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if kind not in ("csv", "tsv", "jsonl", "parquet"):
        raise UserError(f"{path}: not a table; its name must end with one of {', '.join(ENDINGS)}")
    return kind


def _open_csv(path: Path, kind: str, lines: Iterator[str], lenient: bool) -> tuple[Any, list[str]]:
    """Read the header; return a csv reader of the rows after it, and the header."""
    reader = csv.reader(
        lines,
        delimiter="," if kind == "csv" else "\t",
        quoting=csv.QUOTE_NONE if kind == "atomic" else csv.QUOTE_MINIMAL,
        strict=not lenient,
    )
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise UserError(f"{path} line 1: {reason(error)}") from None
    if not any(header):
        raise UserError(f"{path}: the file is empty; the first line must name the columns")
    if kind == "atomic":  # a name and its type
        header = [name.rpartition(":")[0] or name for name in header]
    return reader, header


def _csv_rows(reader: Any, width: int, on_bad: OnBad) -> Iterator[tuple[int, list[str]]]:
    while True:
        before = reader.line_num
        try:
            for cells in reader:
                if len(cells) == width and (width > 1 or cells[0].strip()):
                    yield before + 1, cells
                elif any(map(str.strip, cells)):  # else the line is blank
                    raise ValueError(f"{counted(len(cells), 'cell')}, but the header has {width}")
                before = reader.line_num
            return
        except UserError:  # the file is wrong, not just this row
            raise
        except (ValueError, csv.Error) as error:
            on_bad(before + 1, reader.line_num - before, error)
