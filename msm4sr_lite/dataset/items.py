"""Items, and how a row of the item table becomes one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import id_text, text, texts
from msm4sr_lite.dataset.tables import parse_rows, stop_at

TEXT_FIELDS = ("title", "brand", "categories", "description", "text")


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes
    ----------
    item_id
        The id.
    title, brand, description, text
        Texts; empty where the dataset has none.
    categories
        Names of categories, from the widest to the narrowest.
    images
        Image files, named relative to the dataset's image folder and inside it.
    domain
        Name of the domain; empty where the dataset names none.
    """

    item_id: str
    title: str = ""
    brand: str = ""
    categories: tuple[str, ...] = ()
    description: str = ""
    text: str = ""
    images: tuple[str, ...] = ()
    domain: str = ""

    @property
    def has_text(self) -> bool:
        """Whether any text field is filled."""
        return any(getattr(self, name) for name in TEXT_FIELDS)


def parse_item(row: dict[str, Any]) -> Item:
    """Return the item in one row.

    Parameters
    ----------
    row
        ``item_id`` and any of ``title``, ``brand``, ``categories`` (a text or a list),
        ``description``, ``text``, ``image`` or ``images`` (a list), ``domain`` (also called
        ``department``). Other fields are not used.

    Raises
    ------
    ValueError
        With the reason, if the row cannot be read as meant.

    Examples
    --------
    >>> parse_item({"item_id": 7, "title": "Blue mug", "image": "mug.jpg"}).images
    ('mug.jpg',)
    """
    for name in (*TEXT_FIELDS, "image", "images", "domain", "department"):
        if isinstance(row.get(name), (dict, bool)):
            raise ValueError(f"{name} is {str(row[name])[:40]}; write a text")
    domain, alias = text(row.get("domain")), text(row.get("department"))
    if domain and alias and domain != alias:
        raise ValueError(f"domain {domain!r} and department {alias!r} differ; keep domain only")
    images = texts(row.get("images")) or texts(row.get("image"))
    for name in images:  # an image must not be outside its folder, on any system
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in parts:
            raise ValueError(
                f"image {name!r} lies outside the image folder; name it relative to that"
            )
    return Item(
        item_id=id_text(row.get("item_id"), "item_id"),
        categories=tuple(texts(row.get("categories"))),
        images=tuple(images),
        domain=domain or alias,
        **{name: text(row.get(name)) for name in ("title", "brand", "description", "text")},
    )


def collect_items(rows: Iterable[tuple[int, dict[Any, Any]]], place_in: str) -> dict[str, Item]:
    """Return ``item_id -> Item`` in the order of the rows.

    Parameters
    ----------
    rows
        The place and the cells of each row.
    place_in
        Names the table in an error message; the place follows.

    Raises
    ------
    UserError
        If a row cannot be read as meant, or two items have the same id.
    """
    found: dict[str, Item] = {}
    places: dict[str, int] = {}
    for place, item in parse_rows(rows, parse_item, stop_at(place_in)):
        first = places.setdefault(item.item_id, place)
        if first != place:
            raise UserError(
                f"{place_in} {place}: item_id {item.item_id!r} is already used in {place_in}"
                f" {first}; keep one row per item"
            )
        found[item.item_id] = item
    return found
