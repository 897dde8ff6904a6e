"""Files row by row. A row that cannot be read is counted; too many mean: not this format."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert.records import Skipped

T = TypeVar("T")

BAD_SHARE = 0.01  # of a file's lines may be bad; in a small file, FEW
FEW = 3
SOON = 10_000  # lines after which a wrong format is noticed without reading on
LONGEST = 1 << 24  # bytes in a line: a file without line ends must not fill the memory


def each_line(
    path: Path | None, parse: Callable[[str], T], wants: str, skipped: Skipped, *, header: int = 0
) -> Iterator[T]:
    """Yield ``parse(line)`` of every line that is not blank.

    Parameters
    ----------
    path
        A text file, UTF-8 or (single lines of it) Latin-1; it may be packed with gzip. None has
        no lines.
    parse
        Raises ``ValueError`` with the reason where a line cannot be read.
    wants
        What the lines should be, for the error message.
    skipped
        Counts the lines left out.
    header
        Lines to pass over first.

    Raises
    ------
    UserError
        If the file cannot be read, no line of it can, or too many cannot.
    """
    if path is None:
        return
    guard = _Guard(path, wants, skipped)
    for place, line in enumerate(_lines(path), start=1):
        if place <= header or not line.strip():
            continue
        try:
            row = parse(line)
        except (ValueError, RecursionError) as error:
            guard.bad(place, 1, error)
            continue
        guard.good += 1
        yield row
    guard.close()


def each_row(
    path: Path | None,
    parse: Callable[[dict[str, str]], T],
    columns: tuple[str, ...],
    wants: str,
    skipped: Skipped,
) -> Iterator[T]:
    """Yield ``parse(row)`` of every row of a csv file, whose header must name ``columns``.

    A row is a dictionary of all its cells; otherwise as ``each_line``.
    """
    if path is None:
        return
    rows = csv.reader(_lines(path))
    header = _names(rows)
    missing = [name for name in columns if name not in header]
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)} (found {', '.join(header)[:80]});"
            f" expected {wants}"
        )
    guard = _Guard(path, wants, skipped)
    while True:
        before = rows.line_num
        try:
            cells = next(rows, None)
            if cells is None:
                break
            if not cells:
                continue
            if len(cells) != len(header):
                raise ValueError(f"{len(cells)} cells, the header has {len(header)}")
            row = parse(dict(zip(header, cells, strict=True)))
        except UserError:  # of the file, not of this row
            raise
        except (ValueError, csv.Error) as error:
            guard.bad(before + 1, rows.line_num - before, error)
            continue
        guard.good += 1
        yield row
    guard.close()


def _names(rows: Iterator[list[str]]) -> list[str]:
    try:
        return [name.strip() for name in next(rows, [])]
    except csv.Error:
        return []


def first_line(path: Path) -> str:
    """Return the first line of a file without its end; empty if the file is."""
    return next(_lines(path), "").rstrip("\r\n")


class _Guard:
    """Counts the good and bad lines of one file, and stops at too many bad ones."""

    def __init__(self, path: Path, wants: str, skipped: Skipped) -> None:
        self.path, self.wants, self.skipped = path, wants, skipped
        self.good = self.lost = 0
        self.first = ""

    def bad(self, place: int, lines: int, error: Exception) -> None:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        self.first = self.first or f"{self.path} line {place}: {reason}"
        self.lost += lines
        if self.good + self.lost >= SOON:
            self.check()

    def check(self) -> None:
        total = self.good + self.lost
        if self.lost > max(BAD_SHARE * total, FEW) or (self.lost and not self.good):
            raise UserError(
                f"{self.first}; {self.lost} of the first {total} lines cannot be read, so this is"
                f" not what was expected: {self.wants}"
            )

    def close(self) -> None:
        self.check()
        if not self.good:
            raise UserError(f"{self.path}: no line with data in it; expected {self.wants}")
        self.skipped.lines += self.lost
        self.skipped.first = self.skipped.first or self.first


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, packed or not, whatever its ending says (browsers unpack)."""
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            start = True
            while line := stream.readline(LONGEST):
                if len(line) == LONGEST:
                    raise UserError(
                        f"{path}: a line is longer than {LONGEST >> 20} MiB; give the data file"
                        f" as it was published"
                    )
                yield _decode(line.removeprefix(b"\xef\xbb\xbf") if start else line)
                start = False
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path}: cannot be read to its end ({error}); download or unpack it again"
        ) from None


def _decode(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
