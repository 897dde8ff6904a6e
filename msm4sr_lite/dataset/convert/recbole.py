"""RecBole atomic files: tables separated by tabs, whose header names each field and its type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert.lines import each_line, first_line
from msm4sr_lite.dataset.convert.records import (
    Event,
    ItemRow,
    Skipped,
    Source,
    identifier,
    item_row,
    number,
    only,
)

NAME = "RecBole atomic files"
WANTS = "NAME.inter and NAME.item"
# What the published data sets call these fields.
TITLES = ("title", "item_name", "name", "movie_title", "product_name", "app_name")
BRANDS = ("brand", "store", "manufacturer", "artist")
CATEGORIES = ("categories", "category", "class", "genre", "genres", "tags")
DESCRIPTIONS = ("description", "desc", "overview", "abstract")


def find(source: Path) -> Source | None:
    """Return the interactions, and the items of the same name."""
    found = sorted(source.glob("*.inter")) if source.is_dir() else [source]
    inter = only([path for path in found if path.suffix == ".inter"], source, ".inter files")
    if inter is None:
        return None
    items = inter.with_suffix(".item")
    return Source(inter, items if items.is_file() else None)


def events(source: Source, skipped: Skipped) -> Iterator[Event]:
    """Yield the interactions; ``rating`` is read where there is one."""
    header = _header(source.events)
    names = list(header)
    user, item, time = (
        _position(names, name, source.events)
        for name in ("user_id", _item_field(header), "timestamp")
    )
    rating = names.index("rating") if "rating" in names else None

    def interaction(line: str) -> Event:
        cells = _cells(line, names)
        return Event(
            identifier(cells[user], names[user]),
            identifier(cells[item], names[item]),
            number(cells[time], "timestamp"),
            None if rating is None else number(cells[rating], "rating"),
        )

    return each_line(source.events, interaction, _wants(names), skipped, header=1)


def items(source: Source, skipped: Skipped) -> Iterator[ItemRow]:
    """Yield the items; fields of other names than those above are left out."""
    if source.items is None:
        return iter(())
    header = _header(source.items)
    names = list(header)
    key = _position(names, _item_field(_header(source.events)), source.items)
    title, brand, categories, description = (
        next((names.index(name) for name in known if name in names), None)
        for known in (TITLES, BRANDS, CATEGORIES, DESCRIPTIONS)
    )

    def item(line: str) -> ItemRow:
        cells = _cells(line, names)

        def cell(place: int | None) -> str:
            return "" if place is None else cells[place].strip()

        return item_row(
            identifier(cells[key], names[key]),
            title=cell(title),
            brand=cell(brand),
            categories=_categories(cell(categories)),
            description=cell(description),
        )

    return each_line(source.items, item, _wants(names), skipped, header=1)


def _header(path: Path) -> dict[str, str]:
    """Return ``name -> type`` of the fields."""
    fields = [field.strip().partition(":") for field in first_line(path).split("\t")]
    if not all(kind for _, _, kind in fields):
        raise UserError(
            f"{path}: the first line must name each field with its type, separated by tabs, like"
            f" user_id:token; found {' '.join(name for name, _, _ in fields)[:80]!r}"
        )
    return {name: kind for name, _, kind in fields}


def _item_field(header: dict[str, str]) -> str:
    """Return ``item_id``, or what stands for it (``product_id``) if only one field can."""
    others = [
        name
        for name, kind in header.items()
        if kind == "token"
        and name.endswith("_id")
        and name not in ("user_id", "review_id", "session_id")
    ]
    return others[0] if "item_id" not in header and len(others) == 1 else "item_id"


def _position(names: list[str], name: str, path: Path) -> int:
    if name not in names:
        raise UserError(
            f"{path}: no field {name} (found {', '.join(names)[:80]}); user_id, item_id and"
            f" timestamp are needed, since a sequence needs its order"
        )
    return names.index(name)


def _cells(line: str, names: list[str]) -> list[str]:
    cells = line.rstrip("\r\n").split("\t")
    if len(cells) != len(names):
        raise ValueError(f"{len(cells)} fields, the header has {len(names)}")
    return cells


def _categories(cell: str) -> list[str]:
    """Split at commas; some published files put each name in quotes."""
    return [name for part in cell.split(", ") if (name := part.strip(" '\"[]"))]


def _wants(names: list[str]) -> str:
    return f"{len(names)} fields separated by tabs, as the first line says"
