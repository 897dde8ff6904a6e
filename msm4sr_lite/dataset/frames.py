"""A dataset from data frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.assemble import assemble
from msm4sr_lite.dataset.interactions import COLUMNS, OPTIONAL, check_interactions, merged_ids
from msm4sr_lite.dataset.items import Item, collect_items, parse_item

EXAMPLES = 3  # merged ids named in a note


def read_frames(
    interactions: Any,
    items: Any,
    *,
    image_root: str | Path = ".",
    name: str = "frames",
    domain: str = "",
    unknown_items: Literal["error", "drop"] = "error",
) -> dict[str, Any]:
    """Check two data frames: the fields of the ``Dataset`` that ``from_frames`` makes."""
    table = _pandas(interactions, "interactions", COLUMNS)
    table = table[[name for name in (*COLUMNS, *OPTIONAL) if name in table]]
    item_table = _pandas(items, "items", ("item_id",))
    if table.empty or item_table.empty:
        raise UserError(f"{'interactions' if table.empty else 'items'}: the data frame has no rows")
    where = _where("interactions")
    checked = check_interactions(table, where)
    columns = [(table["user_id"], "interactions"), (table["item_id"], "interactions")]
    notes = [
        note
        for column, frame in [*columns, (item_table["item_id"], "items")]
        if (note := _merge_note(column, frame))
    ]
    return assemble(
        collect_items(_items(item_table), _where("items")),
        checked,
        where=where,
        item_table="items",
        name=name,
        folder=None,
        image_root=Path(image_root),
        domain=domain,
        unknown_items=unknown_items,
        notes=notes,
    )


def _pandas(frame: Any, what: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return any data frame as one of pandas, which must have some columns."""
    if not isinstance(frame, pd.DataFrame):
        frame = _converted(frame, what)
    names = [str(name) for name in frame.columns]
    if missing := [name for name in columns if name not in names]:
        raise UserError(
            f"{what}: no column {', '.join(missing)}; the data frame must have"
            f" {', '.join(columns)} (found {', '.join(names)[:80]})"
        )
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{what}: two columns are called {twice[0]!r}; rename one")
    return frame.set_axis(names, axis=1).reset_index(drop=True)


def _converted(frame: Any, what: str) -> pd.DataFrame:
    kind = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
    try:
        if hasattr(frame, "to_pandas"):
            return frame.to_pandas()
        if hasattr(frame, "__dataframe__"):
            return pd.api.interchange.from_dataframe(frame)
    except ImportError:  # polars and the interchange protocol need pyarrow
        raise UserError(
            f"{what}: reading a {kind} needs pyarrow: pip install 'msm4sr_lite[parquet]'"
        ) from None
    raise UserError(f"{what} is a {kind}; give a pandas or polars data frame")


def _items(table: pd.DataFrame) -> Iterator[tuple[int, Item]]:
    where = _where("items")
    for row, cells in enumerate(table.to_dict("records")):
        try:
            yield row, parse_item({str(name): cell for name, cell in cells.items()})
        except ValueError as error:
            raise UserError(f"{where(row)}: {error}") from None


def _where(what: str) -> Callable[[int], str]:
    return lambda row: f"{what} row {row}"


def _merge_note(column: pd.Series, what: str) -> str:
    merged = merged_ids(column)
    if not merged:
        return ""
    return (
        f"{what}: {len(merged)} values of {column.name} stand for ids that differed before they"
        f" became text, like {', '.join(map(repr, merged[:EXAMPLES]))} (number and text, or spaces"
        f" around it): merged"
    )


def read_item_frame(items: Any) -> list[Item]:
    """Return the items of a data frame with a column ``item_id``; see ``Dataset.from_frames``."""
    found: dict[str, Item] = {}
    for row, item in _items(_pandas(items, "items", ("item_id",))):
        if item.item_id in found:
            raise UserError(f"items row {row}: item_id {item.item_id!r} occurs twice; keep one row")
        found[item.item_id] = item
    return list(found.values())
