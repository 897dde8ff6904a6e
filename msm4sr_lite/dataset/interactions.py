"""The checked table of interactions: who, what, when."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import id_text

COLUMNS = ("user_id", "item_id", "timestamp")
PARTS = ("train", "valid", "test")  # values of the column part, in the order of time


def check_interactions(table: pd.DataFrame, place_in: str) -> pd.DataFrame:
    """Return ids as text and timestamps as numbers, in the order of the table.

    Parameters
    ----------
    table
        The columns ``user_id``, ``item_id`` and ``timestamp``, with cells of any type, and
        perhaps ``part``: a split given by the user. The index holds the place of each row.
    place_in
        Names the table in an error message; the place follows.

    Raises
    ------
    UserError
        If an id is missing, a timestamp is neither a number nor a date, or a part is not one of
        ``train``, ``valid`` and ``test``.
    """
    columns: dict[str, Any] = {name: _ids(table[name], place_in) for name in ("user_id", "item_id")}
    columns["timestamp"] = _seconds(table["timestamp"], place_in)
    if "part" in table:
        columns["part"] = parts = table["part"].astype(str).str.strip()
        if len(wrong := parts[~parts.isin(PARTS)]):
            place = f"{place_in} {wrong.index[0]}"
            raise UserError(f"{place}: part {wrong.iloc[0]!r} is not one of {', '.join(PARTS)}")
    return pd.DataFrame(columns, index=table.index)


def merged_ids(column: pd.Series) -> list[str]:
    """Return the ids that stand for several different values of a column, once they are text.

    >>> merged_ids(pd.Series([1, "1", 2, "b"]))
    ['1']
    """
    # "1" and " 1" differ, 1 and 1.0 do not.
    kinds = (
        (id_text(v, "id"), v if isinstance(v, str) else float) for v in column.dropna().unique()
    )
    counts = Counter(text for text, _ in dict.fromkeys(kinds))
    return [text for text, count in counts.items() if count > 1]


def _ids(column: pd.Series, place_in: str) -> pd.Series:
    """Return ids as text without spaces around them."""
    texts = []
    for place, value in column.items():
        try:
            texts.append(id_text(value, str(column.name)))
        except ValueError as error:
            raise UserError(f"{place_in} {place}: {error}; every interaction needs one") from None
    return pd.Series(texts, column.index, dtype=str)


def _seconds(column: pd.Series, place_in: str) -> np.ndarray:
    """Return numbers as they are and dates as seconds since 1970 (UTC unless they name a zone)."""
    times = np.full(len(column), np.nan)
    if not pd.api.types.is_bool_dtype(column):
        if not pd.api.types.is_datetime64_any_dtype(column):
            times = pd.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
        if np.isnan(times).all():
            dates = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
            since = dates - pd.Timestamp(0, unit="s", tz="UTC")
            times = (since / pd.Timedelta(seconds=1)).to_numpy("float64")
    if not (finite := np.isfinite(times)).all():
        row = int(np.argmin(finite))
        raise UserError(
            f"{place_in} {column.index[row]}: timestamp {str(column.iloc[row])!r} is neither a"
            f" number nor an ISO date; use one form, like 1700000000 or 2023-11-14T22:13:20, in"
            f" every row"
        )
    return times
