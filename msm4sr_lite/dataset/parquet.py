"""Read parquet files, and folders of them as Spark and Dask write them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import refuse_rounded
from msm4sr_lite.dataset.columns import Columns, check_header
from msm4sr_lite.store.checksums import require_file


def read_parquet_rows(
    path: Path, columns: Sequence[str], names: Columns | None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, with those of its columns that ``names`` uses; None: all."""
    with _errors_of(path):
        dataset, used = _open(path, columns, names)
        found = [name for name, new in used.items() if names is None or new in names.known]
        start = 1
        for batch in dataset.to_batches(columns=found):
            batch = batch.rename_columns([used[name] for name in found])
            for name in set(columns).intersection(batch.schema.names):
                if str(batch.schema.field(name).type) in ("float", "halffloat"):
                    cells = batch.column(name).to_pandas().rename(name)
                    refuse_rounded(cells.set_axis(range(start, start + len(cells))), f"{path} row")
            yield from batch.to_pylist()
            start += len(batch)


def read_parquet_columns(
    path: Path, columns: Sequence[str], wanted: Sequence[str], names: Columns | None
) -> pd.DataFrame:
    """Return those of the wanted columns that exist; the index is the number of the row."""
    with _errors_of(path):
        dataset, used = _open(path, columns, names)
        found = [name for name, new in used.items() if new in wanted]
        table = dataset.to_table(found).rename_columns([used[name] for name in found])
        # Whole numbers stay exact beside missing cells, and an index is an ordinary column.
        frame: pd.DataFrame = table.to_pandas(
            integer_object_nulls=True, ignore_metadata=True, self_destruct=True
        )
    return frame.set_axis(range(1, len(frame) + 1))


def _open(path: Path, columns: Sequence[str], names: Columns | None) -> tuple[Any, dict[str, str]]:
    """Return the dataset of pyarrow, and the used name of each of its columns."""
    import pyarrow.dataset

    for file in path.rglob("*") if path.is_dir() else [path]:
        if not file.is_dir():
            require_file(file)
    dataset = pyarrow.dataset.dataset(path, format="parquet", partitioning="hive")
    own = [name for name in dataset.schema.names if not name.startswith("__index_level_")]
    return dataset, dict(zip(own, check_header(path, columns, own, names), strict=True))


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Turn errors of pyarrow into a ``UserError`` of one line."""
    try:
        from pyarrow import ArrowException
    except ImportError:
        raise UserError(f'{path}: needs pyarrow: pip install "msm4sr_lite[parquet]"') from None
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, OverflowError, ArrowException) as error:
        text = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: cannot be read as parquet: {text}") from None
