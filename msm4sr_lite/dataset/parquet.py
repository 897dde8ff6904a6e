"""Parquet files, and folders of parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.text_tables import Row, require_columns

if TYPE_CHECKING:
    import pandas as pd


def parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows, numbered from 1; missing cells are None."""
    with _opened(path, columns) as dataset:
        place = 0
        for batch in dataset.to_batches():
            for cells in batch.to_pylist():
                place += 1
                yield Row(place, cells)


def parquet_frame(
    path: Path, columns: Sequence[str] | None, optional: Sequence[str] = ()
) -> pd.DataFrame:
    """Return some columns, or all; ``optional`` ones where they are there."""
    with _opened(path, columns or ()) as dataset:
        if columns:
            columns = [*columns, *(name for name in optional if name in dataset.schema.names)]
        # Whole numbers stay exact where cells are missing, and an index is an ordinary column.
        frame: pd.DataFrame = dataset.to_table(columns=columns and list(columns)).to_pandas(
            integer_object_nulls=True, ignore_metadata=True
        )
        return frame


@contextmanager
def _opened(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    try:
        import pyarrow.dataset
    except ImportError:
        raise UserError(
            f"{path}: reading parquet needs pyarrow: pip install 'msm4sr_lite[parquet]'"
        ) from None
    try:
        dataset = pyarrow.dataset.dataset(path, format="parquet")
        require_columns(path, columns, dataset.schema.names)
        yield dataset
    except UserError:
        raise
    except (OSError, ValueError) as error:  # pyarrow's own errors are among these
        text = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: cannot be read as parquet: {text}") from None
