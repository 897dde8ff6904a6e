"""Read a dataset folder: interactions, items and images.

::

    my_dataset/
      interactions.csv   user_id,item_id,timestamp
      items.jsonl        item_id,title,brand,categories,description,text,image,images,domain
      images/            image files, named relative to the dataset folder

Both tables may be csv, tsv or JSON lines files, plain or packed with gzip, or parquet files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.assemble import assemble
from msm4sr_lite.dataset.cells import text, texts
from msm4sr_lite.dataset.interactions import COLUMNS, OPTIONAL, check_interactions
from msm4sr_lite.dataset.items import Item, collect_items, parse_item
from msm4sr_lite.dataset.tables import ENDINGS, read_columns, read_rows
from msm4sr_lite.dataset.text_tables import kind_of, place_name, stop_at


def read_folder(
    path: str | Path,
    *,
    domain: str = "",
    unknown_items: Literal["error", "drop"] = "error",
) -> dict[str, Any]:
    """Read and check a dataset folder: the fields of the ``Dataset`` that ``from_folder`` makes."""
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give one with interactions.csv and items.jsonl")
    notes: list[str] = []
    interactions_path = _find(folder, "interactions", ".csv", notes)
    items_path = _find(folder, "items", ".jsonl", notes)
    items = read_items(items_path)
    table = read_columns(interactions_path, COLUMNS, OPTIONAL)
    if table.frame.empty:
        raise UserError(f"{interactions_path}: no interactions in the file; write one per row")
    return assemble(
        items,
        check_interactions(table.frame, table.where),
        where=table.where,
        item_table=str(items_path),
        name=folder.resolve().name,
        folder=folder,
        image_root=folder,
        domain=domain,
        unknown_items=unknown_items,
        notes=notes,
    )


def read_items(path: Path) -> dict[str, Item]:
    """Return ``item_id -> Item`` in the order of an item table.

    Raises
    ------
    UserError
        With file and line, if a row cannot be read as meant or two items have the same id.
    """
    items = collect_items(_items(path), lambda place: place_name(path, place))
    if not items:
        raise UserError(f"{path}: no items in the file; write one per row")
    return items


def read_column(folder: Path, column: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each item's id and the texts in its cell of one column of the item table."""
    path = _find(folder, "items", ".jsonl", [])
    columns: dict[str, None] = {}
    for _, cells in read_rows(path):
        columns |= dict.fromkeys(cells)
        yield text(cells.get("item_id")), texts(cells.get(column))
    if column not in columns:
        raise UserError(f"{path}: no column {column!r}; there is {', '.join(list(columns)[:20])}")


def _items(path: Path) -> Iterator[tuple[int, Item]]:
    stop = stop_at(path)
    required = () if kind_of(path) == "jsonl" else ("item_id",)
    for place, cells in read_rows(path, required):
        try:
            item = parse_item(cells)
        except ValueError as error:
            stop(place, 1, error)
        else:
            yield place, item


def _find(folder: Path, stem: str, usual: str, notes: list[str]) -> Path:
    """Return the table of this name, whatever its kind; the usual kind goes before others."""
    endings = sorted(ENDINGS, key=lambda ending: ending != usual)
    places = [folder / f"{stem}{ending}" for ending in endings]
    found = [path for path in places if path.exists()]
    if not found:
        raise UserError(
            f"{folder}: {stem}{usual} not found (also looked for {', '.join(endings[1:])})"
        )
    if len(found) > 1:
        others = ", ".join(path.name for path in found[1:])
        notes.append(f"{found[0].name} was read; {others} was not")
    return found[0]
