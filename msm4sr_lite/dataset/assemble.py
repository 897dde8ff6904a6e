"""The checks between items and interactions, the same for folders and data frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.items import Item


def assemble(
    items: dict[str, Item],
    interactions: pd.DataFrame,
    *,
    where: Callable[[int], str],
    item_table: str,
    name: str,
    folder: Path | None,
    image_root: Path,
    domain: str,
    unknown_items: Literal["error", "drop"],
    notes: list[str],
) -> dict[str, Any]:
    """Return the fields of a ``Dataset`` of items and interactions that belong together.

    Parameters
    ----------
    items
        ``item_id -> Item``.
    interactions
        As ``check_interactions`` returns them.
    where
        Names a row of the interactions (0 = the first) in an error message.
    item_table
        What to call the item table in messages.
    name, folder, image_root, domain, unknown_items, notes
        As in ``Dataset`` and ``Dataset.from_folder``; notes made here are added to ``notes``.

    Raises
    ------
    UserError
        If an item is unknown, there is no such domain, or nothing is left.
    """
    if unknown_items not in ("error", "drop"):
        raise UserError(f"unknown_items is {unknown_items!r}; use 'error' or 'drop'")
    notes = list(notes)
    known = interactions["item_id"].isin(items.keys()).to_numpy()
    if not known.all():
        row, count = int(np.flatnonzero(~known)[0]), int((~known).sum())
        if unknown_items == "error":
            raise UserError(
                f"{where(row)}: item {interactions['item_id'].iloc[row]!r} is not in {item_table}"
                f" ({count} such interactions); add the item, or drop these interactions with"
                f" unknown_items='drop' (--drop-unknown)"
            )
        notes.append(f"{count} interactions with items that are not in {item_table}: dropped")
        interactions = interactions[known]

    if domain:
        items = _in_domain(items, domain, item_table)
    empty = [key for key, item in items.items() if not item.has_text and not item.images]
    if empty:
        notes.append(
            f"{len(empty)} items have neither text nor image (the first is {empty[0]!r}):"
            f" dropped with their interactions; give them a title or an image"
        )
        items = {key: item for key, item in items.items() if item.has_text or item.images}
    if domain or empty:
        interactions = interactions[interactions["item_id"].isin(items.keys())]
    if interactions.empty:
        raise UserError(f"{name}: no interactions are left" + "".join(f"; {n}" for n in notes))
    interactions = interactions.sort_values("timestamp", kind="stable", ignore_index=True)
    return {
        "items": items,
        "interactions": interactions,
        "folder": folder,
        "image_root": image_root,
        "name": name,
        "domain": domain,
        "notes": notes,
    }


def _in_domain(items: dict[str, Item], domain: str, item_table: str) -> dict[str, Item]:
    found = {key: item for key, item in items.items() if item.domain == domain}
    if not found:
        named = sorted({item.domain for item in items.values() if item.domain})
        raise UserError(
            f"{item_table}: no domain {domain!r}; it has {', '.join(named[:20]) or 'no domains'}"
        )
    return found
