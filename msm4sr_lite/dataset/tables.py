"""Read tables: csv, tsv, JSON lines (each also compressed with gzip) and parquet.

Dataset folders and converters read all their tables here, row by row (``read_rows``) or some
columns as a whole (``read_columns``). Every row comes with its place for error messages: its first
line in a text file, its number in a parquet file. ``rows`` checks the content of single cells.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.columns import Columns, check_header

T = TypeVar("T")
S = TypeVar("S")
OnBad = Callable[[int, int, Exception], None]

LONGEST = 1 << 24  # bytes in a line: a file without line ends must not fill the memory
HEAD = 1 << 16
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
        batches = _parquet(path, columns, names=names)
        yield from enumerate((row for batch in batches for row in batch.to_pylist()), start=1)
    elif kind == "jsonl":
        with closing(read_lines(path, lenient=lenient)) as lines:
            for place, row in parse_rows(not_blank(lines), json_object, on_bad):
                yield place, names.rename_row(row) if names else row
    else:
        # Close the file at once, even after an error.
        with closing(read_lines(path, lenient=lenient)) as lines:
            reader, header = _open_csv(path, kind, lines, lenient)
            header = check_header(path, columns, header, names)
            for place, cells in _csv_rows(reader, len(header), on_bad):
                yield place, dict(zip(header, cells, strict=True))


def read_columns(
    path: Path, columns: Sequence[str], optional: Sequence[str] = (), names: Columns | None = None
) -> pd.DataFrame:
    """Return some columns of a table, with cells of any type; the index holds the places of rows.

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

    Raises
    ------
    UserError
        If the table cannot be read or lacks a column; the message names file and line.
    """
    if _kind(path) == "parquet":
        (table,) = _parquet(path, columns, [*columns, *optional], names)
        # Whole numbers stay exact beside missing cells, and an index is an ordinary column.
        frame: pd.DataFrame = table.to_pandas(integer_object_nulls=True, ignore_metadata=True)
        return frame.set_axis(range(1, len(frame) + 1))
    cells: dict[str, list[Any]] = {name: [] for name in ("place", *columns, *optional)}
    for place, row in read_rows(path, columns, names=names):
        row["place"] = place
        for name, column in cells.items():
            column.append(row.get(name))
    frame = pd.DataFrame(cells, dtype=object).set_index("place")
    return frame.drop(columns=[name for name in optional if frame[name].isna().all()])


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


def json_object(line: str) -> dict[str, Any]:
    """Read one JSON object; anything else is a ``ValueError``."""
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ValueError(f"not a JSON object: {error}") from None
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record


def read_lines(path: Path, *, lenient: bool = False) -> Generator[str, None, None]:
    """Yield the lines of a UTF-8 file with their ends.

    Parameters
    ----------
    path
        The file. Its content decides whether it is compressed with gzip, not its name: browsers
        unpack files without renaming them.
    lenient
        Read lines that are not UTF-8 as Latin-1. Otherwise they are an error.

    Raises
    ------
    UserError
        If the file cannot be read to its end, a line is not UTF-8, or longer than 16 MiB.
    """
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            yield from _decoded(gzip.GzipFile(fileobj=file) if packed else file, path, lenient)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read to its end ({error}); copy it again") from None


def _decoded(stream: Any, path: Path, lenient: bool) -> Iterator[str]:
    head = stream.peek(HEAD)[:HEAD]
    if b"\r" in head and b"\n" not in head:  # lines end with carriage returns alone
        stream = io.BytesIO(stream.read().replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    for number, line in enumerate(iter(lambda: stream.readline(LONGEST), b""), start=1):
        if len(line) >= LONGEST:
            raise UserError(f"{path} line {number}: longer than 16 MiB; check the file")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            if not lenient:
                raise UserError(f"{path} line {number}: not UTF-8; save it as UTF-8") from None
            yield line.decode("latin-1")


def numbered_lines(path: Path, *, lenient: bool) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not blank."""
    with closing(read_lines(path, lenient=lenient)) as lines:
        yield from not_blank(lines)


def not_blank(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line that is not blank."""
    return (row for row in enumerate(lines, start=1) if row[1].strip())


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
                    raise ValueError(f"{len(cells)} cells, but the header has {width}")
                before = reader.line_num
            return
        except UserError:  # the file is wrong, not just this row
            raise
        except (ValueError, csv.Error) as error:
            on_bad(before + 1, reader.line_num - before, error)


def _parquet(
    path: Path, columns: Sequence[str], wanted: Sequence[str] = (), names: Columns | None = None
) -> Iterator[Any]:
    """Yield batches of rows or, if columns are wanted, one table with those that exist."""
    try:
        import pyarrow.dataset

        dataset = pyarrow.dataset.dataset(path, format="parquet", partitioning="hive")
        own = [name for name in dataset.schema.names if not name.startswith("__index_level_")]
        used = dict(zip(own, check_header(path, columns, own, names), strict=True))
        found = [name for name in own if not wanted or used[name] in wanted]
        tables = [dataset.to_table(found)] if wanted else dataset.to_batches(columns=found)
        yield from (table.rename_columns([used[name] for name in found]) for table in tables)
    except ImportError:
        raise UserError(f"{path}: needs pyarrow: pip install 'msm4sr_lite[parquet]'") from None
    except UserError:
        raise
    except (OSError, ValueError) as error:  # pyarrow's own errors are among these
        text = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: cannot be read as parquet: {text}") from None
