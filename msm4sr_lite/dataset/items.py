"""Items, and how a row of the item table becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import id_text, text, texts

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
    images = texts(row.get("images")) or texts(row.get("image"))
    return Item(
        item_id=id_text(row.get("item_id"), "item_id"),
        title=text(row.get("title")),
        brand=text(row.get("brand")),
        categories=tuple(texts(row.get("categories"))),
        description=text(row.get("description")),
        text=text(row.get("text")),
        images=tuple(map(_inside, images)),
        domain=_domain(row),
    )


def collect_items(
    items: Iterable[tuple[int, Item]], where: Callable[[int], str]
) -> dict[str, Item]:
    """Return ``item_id -> Item`` in the order given.

    Parameters
    ----------
    items
        The place (line or row) of each item, and the item.
    where
        Names a place in an error message.

    Raises
    ------
    UserError
        If two items have the same id.
    """
    found: dict[str, Item] = {}
    places: dict[str, int] = {}
    for place, item in items:
        first = places.setdefault(item.item_id, place)
        if first != place:
            raise UserError(
                f"{where(place)}: item_id {item.item_id!r} is already used in {where(first)};"
                f" keep one row per item"
            )
        found[item.item_id] = item
    return found


def _domain(row: dict[str, Any]) -> str:
    """Return the domain; ``department`` is an older name of the field."""
    domain, alias = text(row.get("domain")), text(row.get("department"))
    if domain and alias and domain != alias:
        raise ValueError(f"domain {domain!r} and department {alias!r} differ; keep domain only")
    return domain or alias


def _inside(name: str) -> str:
    """Refuse image names that could leave the image folder, on any system."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in parts:
        raise ValueError(f"image {name!r} lies outside the image folder; name it relative to that")
    return name
