"""Read a shop folder: purchases, item texts, pictures.

::

    my_shop/
      interactions.csv   user_id,item_id,timestamp     (also .csv.gz and .parquet)
      items.jsonl        item_id,title,brand,categories,description,image
                         (also .csv and .parquet; `images`, a list, may stand for `image`)
      images/            pictures, named relative to the shop folder

A mistake that would spoil the result stops with one line that names the file, the line and the
mend.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.interactions import read_interactions
from msm4sr_lite.dataset.items import read_cells, read_items
from msm4sr_lite.dataset.tables import where

ITEM_FILES = (".jsonl", ".csv", ".parquet")


def read_folder(
    path: str | Path,
    *,
    domain: str = "",
    unknown_items: Literal["error", "drop"] = "error",
) -> Dataset:
    """Read and check a shop folder.

    Parameters
    ----------
    path
        The folder.
    department
        Keep only items whose ``department`` field has this value, and their purchases.
    unknown_items
        What to do with purchases of items that the item file does not list.

    Raises
    ------
    UserError
        With file, line and mend, for anything that cannot be read as meant.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give one with interactions.csv and items.jsonl")
    events_path = _find(folder, "interactions", (".csv", ".csv.gz", ".parquet"))
    items_path = _find(folder, "items", ITEM_FILES)
    items = read_items(items_path)
    interactions = read_interactions(events_path)
    notes = []

    known = interactions["item_id"].isin(items.keys()).to_numpy()
    if not known.all():
        row = int(np.flatnonzero(~known)[0])
        count = int((~known).sum())
        if unknown_items == "error":
            raise UserError(
                f"{where(events_path, row)}: item {interactions['item_id'].iloc[row]!r} is not in"
                f" {items_path.name} ({count} such purchases); add the item, or leave these"
                f" purchases out with --drop-unknown"
            )
        notes.append(f"{count} purchases of items that {items_path.name} does not list: left out")
        interactions = interactions[known]

    if domain:
        named = sorted({item.domain for item in items.values() if item.domain})
        if domain not in named:
            raise UserError(
                f"{items_path}: no department {domain!r};"
                f" there is {', '.join(named) or 'no `domain` field'}"
            )
        items = {key: item for key, item in items.items() if item.domain == domain}
        interactions = interactions[interactions["item_id"].isin(items.keys())]

    empty = [key for key, item in items.items() if not item.has_text and not item.images]
    if empty:
        notes.append(
            f"{len(empty)} items have neither text nor picture (the first is {empty[0]!r}):"
            f" left out, with their purchases; give them a title or an image"
        )
        for key in empty:
            del items[key]
        interactions = interactions[interactions["item_id"].isin(items.keys())]
    if not items or interactions.empty:
        raise UserError(
            f"{folder}: no purchase is left to learn from" + "".join(f"; {n}" for n in notes)
        )

    interactions = interactions.sort_values("timestamp", kind="stable", ignore_index=True)
    return Dataset(folder, items, interactions, notes)


def read_column(folder: Path, column: str) -> Iterator[tuple[str, list[str]]]:
    """Yield every item's id and the texts in one column of the item file, whatever its name."""
    return read_cells(_find(folder, "items", ITEM_FILES), column)


def _find(folder: Path, stem: str, endings: tuple[str, ...]) -> Path:
    for ending in endings:
        if (folder / f"{stem}{ending}").is_file():
            return folder / f"{stem}{ending}"
    others = ", ".join(endings[1:])
    raise UserError(f"{folder}: {stem}{endings[0]} not found (also looked for {others})")
