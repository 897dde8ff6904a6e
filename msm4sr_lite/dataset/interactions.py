"""The purchases of a shop folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.tables import read_table, where

COLUMNS = ("user_id", "item_id", "timestamp")


def read_interactions(path: Path) -> pd.DataFrame:
    """Return user, item and timestamp of every purchase, in the order of the file."""
    table = read_table(path)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)}; the first line must name"
            f" user_id,item_id,timestamp (found {', '.join(map(str, table.columns[:8]))})"
        )
    if table.empty:
        raise UserError(f"{path}: no purchases in the file; one line per purchase is needed")
    table = table[list(COLUMNS)]
    for name in ("user_id", "item_id"):
        table = table.assign(**{name: table[name].astype(str).str.strip()})
        blank = (table[name] == "").to_numpy()
        if blank.any():
            raise UserError(f"{where(path, int(np.flatnonzero(blank)[0]))}: empty {name}")
    return table.assign(timestamp=_seconds(table["timestamp"], path))


def _seconds(column: pd.Series, path: Path) -> np.ndarray:
    """Parse numbers as they are, ISO dates as seconds since 1970 (UTC unless they name a zone)."""
    if pd.api.types.is_datetime64_any_dtype(column):
        times = pd.Series(_epoch(pd.to_datetime(column, utc=True)))
    else:
        times = pd.to_numeric(column, errors="coerce").astype("float64")
        if times.isna().all():
            times = pd.Series(
                _epoch(pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601"))
            )
    bad = ~np.isfinite(times.to_numpy())
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise UserError(
            f"{where(path, row)}: timestamp {str(column.iloc[row])!r} is neither a number nor"
            f" an ISO date; use one form, like 1700000000 or 2023-11-14T22:13:20, in every line"
        )
    return times.to_numpy()


def _epoch(times: pd.Series) -> np.ndarray:
    seconds = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return seconds.to_numpy(dtype="float64")
