"""Check the table of interactions, column by column."""

from collections import Counter
from functools import partial
from typing import Any

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import refuse_rounded
from msm4sr_lite.dataset.rows import id_text
from msm4sr_lite.dataset.tables import parse_rows, stop_at
from msm4sr_lite.dataset.times import PARTS, to_seconds

MISSING = {"nan", "none", "null", "n/a", "<na>"}


def check_interactions(
    table: pd.DataFrame, place_in: str, notes: list[str] | None = None
) -> pd.DataFrame:
    """Return ids as text and timestamps as numbers, in the order of the table.

    Parameters
    ----------
    table
        The columns ``user_id``, ``item_id`` and ``timestamp``, with cells of any type, and
        perhaps ``part``: a split given by the user. The index holds the place of each row.
    place_in
        Name of the table in error messages, which is followed by the place.
    notes
        Receives a sentence for each choice that was made.

    Raises
    ------
    UserError
        If an id is missing, a timestamp is neither a number nor a date, or a part is not one of
        ``train``, ``valid`` and ``test``.
    """
    notes = [] if notes is None else notes
    for name in ("user_id", "item_id", "timestamp"):
        refuse_rounded(table[name], place_in)
    columns: dict[str, Any] = {name: _ids(table[name], place_in) for name in ("user_id", "item_id")}
    for name, ids in columns.items():
        for odd in (found for found in ids.unique() if found.casefold() in MISSING):
            count = (ids == odd).sum()
            notes.append(f"interactions whose {name} is {odd!r}: {count}; is it missing?")
    columns["timestamp"] = to_seconds(table["timestamp"], place_in, notes)
    if "part" in table:
        parts = table["part"].astype(str).str.strip()
        wrong = parts[~parts.isin(PARTS)]
        if len(wrong) == len(parts):
            notes.append(f"the column part has none of {', '.join(PARTS)}; it is not used")
        elif len(wrong):
            place = f"{place_in} {wrong.index[0]}"
            raise UserError(f"{place}: part {wrong.iloc[0]!r} is not one of {', '.join(PARTS)}")
        else:
            columns["part"] = parts
    return pd.DataFrame(columns, index=table.index)


def merged_ids(column: pd.Series) -> list[str]:
    """Return the ids that, as text, stand for several different values of a column.

    >>> merged_ids(pd.Series([1, "1", 2, "b"]))
    ['1']
    """
    # "1" and " 1" differ, 1 and 1.0 do not.
    values = column.dropna().unique()
    kinds = ((id_text(v, "id"), v if isinstance(v, str) else float) for v in values)
    counts = Counter(text for text, _ in dict.fromkeys(kinds))
    return [text for text, count in counts.items() if count > 1]


def _ids(column: pd.Series, place_in: str) -> pd.Series:
    """Return ids as categories, which are texts without spaces around them."""
    parse, stop = partial(id_text, name=str(column.name)), stop_at(place_in)
    # Each different cell is looked at once, unless cells of several types could be equal.
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=False) != "string":
        column = pd.Series(
            [text for _, text in parse_rows(column.items(), parse, stop)],
            column.index,
            dtype=object,
            name=column.name,
        )
    codes, cells = pd.factorize(column, use_na_sentinel=False)
    places = column.index[~pd.Series(codes).duplicated()]
    ids = [text for _, text in parse_rows(zip(places, cells, strict=True), parse, stop)]
    merged, unique = pd.factorize(pd.Series(ids, dtype=object))  # " a" and "a" are one id
    return pd.Series(pd.Categorical.from_codes(merged[codes], unique), column.index)
