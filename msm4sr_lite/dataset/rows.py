"""Check cells and rows of the tables, and turn rows into items.

Cells from text files are ``str``; those from JSON and data frames can have any type. A function
that reads one cell raises ``ValueError`` with the reason if it fails. The reader adds the place.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Integral, Real
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import WRITTEN, exact_below, is_infinite, is_missing, shown
from msm4sr_lite.dataset.columns import TEXT_FIELDS
from msm4sr_lite.dataset.lists import written_list
from msm4sr_lite.dataset.tables import parse_rows, stop_at
from msm4sr_lite.printable import with_first

LISTS = (list, tuple, np.ndarray, set, frozenset)
NO_TEXTS = (bool, np.bool_, dict)
LONGEST_TEXT = 20_000  # characters of a text field
LONGEST_NAME = 1_000  # characters of the path of an image
# A spreadsheet shows long numbers like this: several ids become one.
ROUNDED = re.compile(r"\d[.,]\d+[eE]\+\d{2,}")


def id_text(value: Any, name: str) -> str:
    """Return an id as text without spaces around it; numbers without ``.0``.

    >>> id_text(" a1 ", "item_id"), id_text(7, "item_id"), id_text(7.0, "item_id")
    ('a1', '7', '7')
    """
    value = _plain(value)
    if isinstance(value, str):
        found = value.strip()
    elif is_missing(value):
        found = ""
    elif isinstance(value, NO_TEXTS) or not isinstance(value, WRITTEN) or is_infinite(value):
        raise ValueError(f"no {name}; {shown(value)} is neither a text nor a number")
    elif isinstance(value, Integral) or _is_whole(value):
        found = str(int(value))
    elif isinstance(value, Real) and float(value).is_integer():
        if abs(float(value)) >= exact_below(value):
            raise ValueError(f"{name} {value} is a decimal too large to be exact; write it as text")
        found = str(int(float(value)))
    else:
        found = str(value).strip()
    if not found:
        raise ValueError(f"no {name}; it must not be empty")
    if ROUNDED.fullmatch(found):
        raise ValueError(f"{name} {found!r} is a number that was rounded; export ids as text")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} {found[:40]!r} has half of a character; correct it") from None
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, Decimal) and value.is_finite() and value == int(value)


def printable_id(value: Any, name: str) -> str:
    """Return an id like ``id_text``, and refuse ids with control characters."""
    found = id_text(value, name)
    if not found.isprintable():
        raise ValueError(f"{name} {found[:40]!r} has unprintable characters; remove them")
    return found


def number(value: Any, name: str) -> float:
    """Return a finite number.

    >>> number("1.5", "rating")
    1.5
    """
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{name} {shown(value)!r} is not a number" if value else f"no {name}")
    return found


def text(value: Any) -> str:
    r"""Return a text cell without spaces around it, lists joined by line breaks.

    Cells with a dictionary, true or false hold no text and count as empty.

    >>> text([" Blue mug ", None, 7])
    'Blue mug\n7'
    """
    if value is None:  # the usual case of a field that is not there
        return ""
    value = _plain(value)
    if isinstance(value, str):
        listed = written_list(value)
        if isinstance(listed, str) or not any(map(text, listed)):
            return _whole_characters(value.strip())
        value = listed
    if isinstance(value, LISTS):
        return "\n".join(filter(None, map(text, value)))
    if isinstance(value, NO_TEXTS) or is_missing(value):
        return ""
    if not isinstance(value, WRITTEN):
        raise ValueError(f"{shown(value)} is neither a text nor a number; write a text")
    if isinstance(value, (float, np.floating)) and value.is_integer() and abs(float(value)) < 2**53:
        return str(int(value))
    return str(value).strip()


def texts(value: Any) -> list[str]:
    """Return the texts of a cell, which holds one text or a list; empty ones are left out.

    >>> texts(["Home", "", "Mugs"]), texts("Home"), texts(None)
    (['Home', 'Mugs'], ['Home'], [])
    """
    if value is None:
        return []
    value = _plain(value)
    if isinstance(value, str):
        value = written_list(value)
    values = value if isinstance(value, LISTS) else [value]
    return [found for found in map(text, values) if found]


def _whole_characters(value: str) -> str:
    """Return a text with the sign for an unknown character for each half of a broken one."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _plain(value: Any) -> Any:
    """Return bytes as text, sets as sorted lists, and other cells as they are."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:  # one cell; None if it is masked
        value = value.tolist()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError(f"{value[:40]!r} is not utf-8 text; write it as text") from None
    return sorted(map(text, value)) if isinstance(value, (set, frozenset)) else value


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes
    ----------
    item_id
        Id of the item.
    title, brand, description, text
        Texts; empty where the dataset has none.
    categories
        Names of categories, from the widest to the narrowest.
    images
        Paths of image files inside the dataset's image folder, relative to it.
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

    @property
    def has_content(self) -> bool:
        """Whether there is a text or an image, from which features can be computed."""
        return self.has_text or bool(self.images)


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
        If the row is wrong; the message is the reason.

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
    for name in images:  # on no system may an image lie outside its folder
        if len(name) > LONGEST_NAME:  # the image itself, written as a text
            raise ValueError(f"image {name[:40]!r}... is no file name; save the image as a file")
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in parts:
            raise ValueError(f"image {name!r} lies outside the image folder; move it there")
    return Item(
        item_id=id_text(row.get("item_id"), "item_id"),
        categories=tuple(texts(row.get("categories"))),
        images=tuple(images),
        domain=domain or alias,
        **{name: text(row.get(name)) for name in ("title", "brand")},
        **{name: "\n".join(texts(row.get(name))) for name in ("description", "text")},
    )


def cut_texts(item: Item) -> Item:
    """Return an item whose texts are no longer than ``LONGEST_TEXT``, so that all stays fast.

    The model reads a few sentences of 400 characters at most.
    """
    cut: dict[str, Any] = {
        name: found[:LONGEST_TEXT].rstrip()
        for name in TEXT_FIELDS
        if isinstance(found := getattr(item, name), str) and len(found) > LONGEST_TEXT
    }
    if sum(map(len, item.categories)) > LONGEST_TEXT:
        ends = np.cumsum([len(name) for name in item.categories])
        fit = int(np.searchsorted(ends, LONGEST_TEXT, side="right"))
        cut["categories"] = item.categories[:fit] or (item.categories[0][:LONGEST_TEXT].rstrip(),)
    return replace(item, **cut) if cut else item


def collect_items(
    rows: Iterable[tuple[int, dict[Any, Any]]], place_in: str, notes: list[str] | None = None
) -> dict[str, Item]:
    """Return ``item_id -> Item`` in the order of the rows.

    Parameters
    ----------
    rows
        The place and the cells of each row.
    place_in
        Name of the table in error messages, which is followed by the place.
    notes
        Receives a sentence if texts were cut.

    Raises
    ------
    UserError
        If a row is wrong, or two items have the same id.
    """
    found: dict[str, Item] = {}
    places: dict[str, int] = {}
    cut: list[str] = []
    for place, item in parse_rows(rows, parse_item, stop_at(place_in)):
        first = places.setdefault(item.item_id, place)
        if first != place:
            twice = f"item_id {item.item_id!r} is already used in {place_in} {first}"
            raise UserError(f"{place_in} {place}: {twice}; keep one row per item")
        found[item.item_id] = cut_texts(item)
        if found[item.item_id] is not item:
            cut.append(item.item_id)
    if cut and notes is not None:
        what = f"items with a text of more than {LONGEST_TEXT:,} characters"
        notes.append(f"{what}: {with_first(cut)}; the rest of the text was cut off")
    return found
