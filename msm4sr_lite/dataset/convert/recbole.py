"""RecBole atomic files: tables separated by tabs, whose header names each field and its type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import number, printable_id
from msm4sr_lite.dataset.convert.records import (
    Interaction,
    ItemRow,
    Skipped,
    Source,
    item_row,
    only_file,
)
from msm4sr_lite.dataset.convert.tolerant import each_row
from msm4sr_lite.dataset.tables import Dialect, read_header

NAME = "RecBole atomic files"
FILES = "NAME.inter and NAME.item"
DIALECT = Dialect("\t", quotes=False)
# Names of these fields in the published datasets.
TITLES = ("title", "item_name", "name", "movie_title", "product_name", "app_name")
BRANDS = ("brand", "store", "manufacturer", "artist")
CATEGORIES = ("categories", "category", "class", "genre", "genres", "tags")
DESCRIPTIONS = ("description", "desc", "overview", "abstract")


def find(source: Path) -> Source | None:
    """Return the interactions, and the items of the same name."""
    found = sorted(source.glob("*.inter")) if source.is_dir() else [source]
    inter = only_file([path for path in found if path.suffix == ".inter"], source, ".inter files")
    if inter is None:
        return None
    items = inter.with_suffix(".item")
    return Source(inter, items if items.is_file() else None)


def interactions(source: Source, skipped: Skipped) -> Iterator[Interaction]:
    """Yield the interactions; ``rating`` is read where there is one."""
    fields = _fields(source.interactions)
    item_field = _item_field(fields)
    user, item, time = (
        _column(fields, name, source.interactions) for name in ("user_id", item_field, "timestamp")
    )
    rating = fields.get("rating")

    def interaction(row: dict[str, str]) -> Interaction:
        return Interaction(
            printable_id(row[user], "user_id"),
            printable_id(row[item], item_field),
            number(row[time], "timestamp"),
            None if rating is None else number(row[rating], "rating"),
        )

    return each_row(source.interactions, interaction, (user, item, time), skipped, DIALECT)


def items(source: Source, skipped: Skipped) -> Iterator[ItemRow]:
    """Yield the items; fields with other names than those above are not used."""
    if source.items is None:
        return iter(())
    fields = _fields(source.items)
    item_field = _item_field(_fields(source.interactions))
    key = _column(fields, item_field, source.items)
    title, brand, categories, description = (
        next((fields[name] for name in known if name in fields), "")
        for known in (TITLES, BRANDS, CATEGORIES, DESCRIPTIONS)
    )

    def item(row: dict[str, str]) -> ItemRow:
        return item_row(
            printable_id(row[key], item_field),
            title=row.get(title, "").strip(),
            brand=row.get(brand, "").strip(),
            categories=_categories(row.get(categories, "")),
            description=row.get(description, "").strip(),
        )

    return each_row(source.items, item, (key,), skipped, DIALECT)


def _fields(path: Path) -> dict[str, str]:
    """Return ``name -> column`` of each field, such as ``user_id -> user_id:token``."""
    columns = read_header(path, DIALECT, lenient=True)
    if not all(":" in column for column in columns):
        raise UserError(
            f"{path}: the first line must name each field with its type, separated by tabs, like"
            f" user_id:token; found {' '.join(columns)[:80]!r}"
        )
    return {column.partition(":")[0]: column for column in columns}


def _item_field(fields: dict[str, str]) -> str:
    """Return ``item_id``, or the field that stands for it (``product_id``) if only one can."""
    others = [
        name
        for name, column in fields.items()
        if column.endswith(":token")
        and name.endswith("_id")
        and name not in ("user_id", "review_id", "session_id")
    ]
    return others[0] if "item_id" not in fields and len(others) == 1 else "item_id"


def _column(fields: dict[str, str], name: str, path: Path) -> str:
    if name not in fields:
        raise UserError(
            f"{path}: no field {name} (found {', '.join(fields)[:80]}); user_id, item_id and"
            f" timestamp are needed, because a sequence needs an order"
        )
    return fields[name]


def _categories(cell: str) -> list[str]:
    """Split at commas; some published files put each name in quotes."""
    return [name for part in cell.split(", ") if (name := part.strip(" '\"[]"))]
