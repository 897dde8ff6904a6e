"""The table reader: csv, tsv, JSON lines (each also packed with gzip) and parquet.

Dataset folders and converters read all their tables here, row by row (``read_rows``) or some
columns as a whole (``read_columns``). Every row comes with its place, so that each error names the
file and the line. What a single cell may hold is decided in ``cells``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.dataset.parquet import parquet_frame, parquet_rows
from msm4sr_lite.dataset.text_tables import (
    ENDINGS,
    Dialect,
    OnBad,
    Row,
    json_rows,
    kind_of,
    open_csv,
    place_name,
    require_columns,
    stop_at,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["ENDINGS", "Columns", "Dialect", "Row", "read_columns", "read_header", "read_rows"]

BLOCK = 1 << 18  # rows turned into columns at once


@dataclass(frozen=True)
class Columns:
    """Some columns of a table.

    Attributes
    ----------
    path
        The file.
    frame
        The cells; those of csv files are text.
    lines
        The line of each row, shape ``(rows,)``; None for parquet files.
    """

    path: Path
    frame: pd.DataFrame
    lines: np.ndarray | None

    def where(self, row: int) -> str:
        """Name a row (0 = the first), counting lines as an editor does."""
        return place_name(self.path, row + 1 if self.lines is None else int(self.lines[row]))


def read_rows(
    path: Path,
    columns: Sequence[str] = (),
    *,
    dialect: Dialect | None = None,
    lenient: bool = False,
    on_bad: OnBad | None = None,
) -> Iterator[Row]:
    """Yield the rows of a table; memory does not grow with the file.

    Parameters
    ----------
    path
        The file; its ending names its kind unless ``dialect`` is given.
    columns
        Columns that must be there. All columns are returned.
    dialect
        Read the file as a text table with these separators.
    lenient
        Accept Latin-1 lines and stray quotes.
    on_bad
        Called with the first line, the number of lines and the reason where a row cannot be read;
        the row is then left out. By default it stops the reading.

    Raises
    ------
    UserError
        With file and line, if the table cannot be read.
    """
    on_bad = on_bad or stop_at(path)
    kind = "csv" if dialect else kind_of(path)
    if kind == "parquet":
        yield from parquet_rows(path, columns)
    elif kind == "jsonl":
        yield from json_rows(path, lenient, on_bad)
    else:
        header, rows = open_csv(path, dialect, lenient, on_bad)
        require_columns(path, columns, header)
        for place, cells in rows:
            yield Row(place, dict(zip(header, cells, strict=True)))


def read_columns(
    path: Path, columns: Sequence[str] | None = None, optional: Sequence[str] = ()
) -> Columns:
    """Return some columns of a table.

    Parameters
    ----------
    path
        The file.
    columns
        Their names; None: all columns that have a name (not for JSON lines).
    optional
        Columns that are returned too if they are there.

    Raises
    ------
    UserError
        With file and line, if the table cannot be read or lacks a column.
    """
    import numpy as np
    import pandas as pd

    kind = kind_of(path)
    if kind == "parquet":
        return Columns(path, parquet_frame(path, columns, optional), None)
    if kind == "jsonl":
        names = [*(columns or ()), *optional]
        rows: Iterator[tuple[int, list[Any]]]
        rows = ((place, [cells.get(c) for c in names]) for place, cells in read_rows(path))
        wanted = list(range(len(names)))
    else:
        header, rows = open_csv(path, None, False, stop_at(path))
        require_columns(path, columns or (), header)
        names = list(columns or filter(None, header))
        names += [name for name in optional if name in header and name not in names]
        wanted = [header.index(name) for name in names]
    frames, lines = [], []
    for places, cells in _blocks(rows, wanted):
        dtype = object if kind == "jsonl" else str
        series = {c: pd.Series(v, dtype=dtype) for c, v in zip(names, cells, strict=True)}
        frames.append(pd.DataFrame(series))
        lines.append(np.array(places, np.int64))
    frame = pd.concat(frames, ignore_index=True)
    if kind == "jsonl":
        frame = frame.drop(columns=[name for name in optional if frame[name].isna().all()])
    return Columns(path, frame, np.concatenate(lines))


def read_header(path: Path, dialect: Dialect | None = None, *, lenient: bool = False) -> list[str]:
    """Return the column names of a text table."""
    return open_csv(path, dialect, lenient, stop_at(path))[0]


def _blocks(
    rows: Iterator[tuple[int, list[Any]]], wanted: Sequence[int]
) -> Iterator[tuple[list[int], list[list[Any]]]]:
    """Turn rows into columns, a block at a time; there is always at least one block."""
    while True:
        places: list[int] = []
        columns: list[list[Any]] = [[] for _ in wanted]
        adders = [(column.append, index) for column, index in zip(columns, wanted, strict=True)]
        for place, cells in rows:
            places.append(place)
            for add, index in adders:
                add(cells[index])
            if len(places) == BLOCK:
                break
        yield places, columns
        if len(places) < BLOCK:
            return
