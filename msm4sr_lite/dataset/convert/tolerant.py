"""Rows of published files. Bad rows are skipped and counted; too many stop the conversion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert.records import Skipped
from msm4sr_lite.dataset.lines import read_lines
from msm4sr_lite.dataset.tables import Dialect, read_rows
from msm4sr_lite.dataset.text_tables import reason

T = TypeVar("T")

BAD_SHARE = 0.01  # of a file's lines may be bad; in a small file, FEW
FEW = 3
SOON = 10_000  # lines after which a wrong format is noticed without reading on


def each_line(
    path: Path | None, parse: Callable[[str], T], expected: str, skipped: Skipped
) -> Iterator[T]:
    """Yield ``parse(line)`` of every line that is not blank.

    Parameters
    ----------
    path
        A text file, UTF-8 or (single lines of it) Latin-1, plain or packed with gzip. None has
        no lines.
    parse
        Raises ``ValueError`` with the reason where a line cannot be read.
    expected
        What the lines should be, for the error message.
    skipped
        Counts the skipped lines.

    Raises
    ------
    UserError
        If the file cannot be read, no line of it can, or too many cannot.
    """
    if path is not None:
        counter = _Counter(path, expected, skipped)
        lines = enumerate(read_lines(path, lenient=True), start=1)
        yield from _parsed(((n, line) for n, line in lines if line.strip()), parse, counter)


def each_row(
    path: Path | None,
    parse: Callable[[dict[str, str]], T],
    columns: tuple[str, ...],
    skipped: Skipped,
    dialect: Dialect | None = None,
) -> Iterator[T]:
    """Yield ``parse(row)`` of every row of a csv file, whose header must name ``columns``.

    A row is a dictionary of all its cells; otherwise as ``each_line``.
    """
    if path is not None:
        dialect = dialect or Dialect()
        counter = _Counter(path, f"a table with the columns {','.join(columns)}", skipped)
        rows = read_rows(path, columns, dialect=dialect, lenient=True, on_bad=counter.bad)
        yield from _parsed(rows, parse, counter)


def _parsed(
    rows: Iterable[tuple[int, Any]], parse: Callable[[Any], T], counter: _Counter
) -> Iterator[T]:
    for place, row in rows:
        try:
            parsed = parse(row)
        except (ValueError, RecursionError) as error:
            counter.bad(place, 1, error)
            continue
        counter.good += 1
        yield parsed
    counter.close()


class _Counter:
    """Counts the good and bad lines of one file, and stops at too many bad ones."""

    def __init__(self, path: Path, expected: str, skipped: Skipped) -> None:
        self.path, self.expected, self.skipped = path, expected, skipped
        self.good = self.lost = 0
        self.first = ""

    def bad(self, place: int, lines: int, error: Exception) -> None:
        self.first = self.first or f"{self.path} line {place}: {reason(error)}"
        self.lost += lines
        if self.good + self.lost >= SOON:
            self.check()

    def check(self) -> None:
        total = self.good + self.lost
        if self.lost > max(BAD_SHARE * total, FEW) or (self.lost and not self.good):
            raise UserError(
                f"{self.first}; {self.lost} of the first {total} lines cannot be read, so this file"
                f" is not what was expected: {self.expected}"
            )

    def close(self) -> None:
        self.check()
        if not self.good:
            raise UserError(f"{self.path}: no line with data in it; expected {self.expected}")
        self.skipped.lines += self.lost
        self.skipped.first = self.skipped.first or self.first
