"""The checked table of interactions: who, what, when."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import id_text

COLUMNS = ("user_id", "item_id", "timestamp")
OPTIONAL = ("part",)
PARTS = ("train", "valid", "test")  # values of the column part, in the order of time


def check_interactions(table: pd.DataFrame, where: Callable[[int], str]) -> pd.DataFrame:
    """Return ids as text and timestamps as numbers, in the order of the table.

    Parameters
    ----------
    table
        The columns ``user_id``, ``item_id`` and ``timestamp``, with cells of any type, and
        perhaps ``part``: a split given by the user.
    where
        Names a row (0 = the first) in an error message.

    Raises
    ------
    UserError
        If an id is missing, a timestamp is neither a number nor a date, or a part is not one of
        ``train``, ``valid`` and ``test``.
    """
    columns = {
        "user_id": _ids(table["user_id"], where),
        "item_id": _ids(table["item_id"], where),
        "timestamp": _seconds(table["timestamp"], where),
    }
    if "part" in table:
        columns["part"] = _parts(table["part"], where)
    return pd.DataFrame(columns)


def _parts(column: pd.Series, where: Callable[[int], str]) -> pd.Series:
    parts = column.astype(str).str.strip().reset_index(drop=True)
    if (wrong := (~parts.isin(PARTS)).to_numpy()).any():
        row = int(np.flatnonzero(wrong)[0])
        raise UserError(f"{where(row)}: part {parts[row]!r} is not one of {', '.join(PARTS)}")
    return parts


def merged_ids(column: pd.Series) -> list[str]:
    """Return the ids that stand for several different values of a column, once they are text.

    >>> merged_ids(pd.Series([1, "1", 2, "b"]))
    ['1']
    """
    kinds: dict[str, object] = {}
    merged: dict[str, None] = {}
    for value in column.dropna().unique():
        text = id_text(value, str(column.name))
        kind = value if isinstance(value, str) else float  # "1" and " 1" differ, 1 and 1.0 do not
        if kinds.setdefault(text, kind) != kind:
            merged[text] = None
    return list(merged)


def _ids(column: pd.Series, where: Callable[[int], str]) -> pd.Series:
    """Return ids as text without spaces around them."""
    missing = column.isna().any()
    if not missing and pd.api.types.infer_dtype(column, skipna=False) == "string":
        ids = column.astype(str).str.strip()
        if (empty := (ids == "").to_numpy()).any():
            raise UserError(f"{where(int(np.flatnonzero(empty)[0]))}: empty {column.name}")
        return ids.reset_index(drop=True)
    if not missing and pd.api.types.is_integer_dtype(column):
        return column.astype(str).reset_index(drop=True)
    texts = []
    for row, value in enumerate(column):
        try:
            texts.append(id_text(value, str(column.name)))
        except ValueError as error:
            raise UserError(f"{where(row)}: {error}; every interaction needs one") from None
    return pd.Series(texts, dtype=str)


def _seconds(column: pd.Series, where: Callable[[int], str]) -> np.ndarray:
    """Return numbers as they are and dates as seconds since 1970 (UTC unless they name a zone)."""
    if pd.api.types.is_datetime64_any_dtype(column):
        times = _epoch(pd.to_datetime(column, utc=True))
    else:
        times = pd.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
        if pd.api.types.is_bool_dtype(column):
            times = np.full(len(column), np.nan)
        elif np.isnan(times).all():
            times = _epoch(pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601"))
    bad = np.flatnonzero(~np.isfinite(times))
    if len(bad):
        raise UserError(
            f"{where(int(bad[0]))}: timestamp {str(column.iloc[bad[0]])!r} is neither a number nor"
            f" an ISO date; use one form, like 1700000000 or 2023-11-14T22:13:20, in every row"
        )
    return times


def _epoch(times: pd.Series) -> np.ndarray:
    seconds = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return seconds.to_numpy(dtype="float64")
