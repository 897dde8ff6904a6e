"""RecBole atomic files: tables separated by tabs, whose header names each field and its type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import printable_id
from msm4sr_lite.dataset.convert.published import (
    Format,
    Interaction,
    Source,
    interaction,
    only_file,
)
from msm4sr_lite.dataset.tables import read_header

# Names of these fields in the published datasets.
TITLES = ("title", "item_name", "name", "movie_title", "product_name", "app_name")
BRANDS = ("brand", "store", "manufacturer", "artist")
CATEGORIES = ("categories", "category", "class", "genre", "genres", "tags")
DESCRIPTIONS = ("description", "desc", "overview", "abstract")


def _find(source: Path) -> Source | None:
    """Return the interactions, and the items of the same name."""
    found = sorted(source.glob("*.inter")) if source.is_dir() else [source]
    inter = only_file([path for path in found if path.suffix == ".inter"], source, ".inter files")
    if inter is None:
        return None
    items = inter.with_suffix(".item")
    return Source(inter, items if items.is_file() else None)


def _interactions(source: Source) -> Iterator[Interaction]:
    """Yield the interactions; ``rating`` is read where there is one."""
    names = ("user_id", _item_field(source), "timestamp")
    fields = _fields(source.interactions, names)
    user, item, time = columns = [fields[name] for name in names]
    rating = fields.get("rating", "")
    return source.read(
        source.interactions,
        lambda row: interaction(row, user, item, time, rating),
        columns=columns,
        kind="atomic",
    )


def _items(source: Source) -> Iterator[dict[str, Any]]:
    """Yield the items; fields with other names than those above are not used."""
    if source.items is None:
        return iter(())
    key = _item_field(source)
    fields = _fields(source.items, (key,))
    key = fields[key]
    title, brand, categories, description = (
        next((fields[name] for name in known if name in fields), "")
        for known in (TITLES, BRANDS, CATEGORIES, DESCRIPTIONS)
    )

    def item(row: dict[str, str]) -> dict[str, Any]:
        # Categories are separated by commas; some published files put each name in quotes.
        names = (part.strip(" '\"[]") for part in row.get(categories, "").split(", "))
        return {
            "item_id": printable_id(row[key], key),
            "title": row.get(title, "").strip(),
            "brand": row.get(brand, "").strip(),
            "categories": list(filter(None, names)),
            "description": row.get(description, "").strip(),
        }

    return source.read(source.items, item, columns=(key,), kind="atomic")


def _fields(path: Path, needed: tuple[str, ...] = ()) -> dict[str, str]:
    """Return ``name -> column`` of each field, such as ``user_id -> user_id:token``."""
    columns = read_header(path, "atomic", lenient=True)
    if not all(":" in column for column in columns):
        raise UserError(
            f"{path}: the first line must name each field with its type, separated by tabs, like"
            f" user_id:token; found {' '.join(columns)[:80]!r}"
        )
    fields = {column.partition(":")[0]: column for column in columns}
    if missing := [name for name in needed if name not in fields]:
        raise UserError(
            f"{path}: no field {missing[0]} (found {', '.join(fields)[:80]}); user_id, item_id and"
            f" timestamp are needed, because a sequence needs an order"
        )
    return fields


def _item_field(source: Source) -> str:
    """Return ``item_id``, or the field that stands for it (``product_id``) if only one can."""
    fields = _fields(source.interactions)
    others = [
        name
        for name, column in fields.items()
        if column.endswith("_id:token") and name not in ("user_id", "review_id", "session_id")
    ]
    return others[0] if "item_id" not in fields and len(others) == 1 else "item_id"


RECBOLE = Format("RecBole atomic files", "NAME.inter and NAME.item", _find, _interactions, _items)
