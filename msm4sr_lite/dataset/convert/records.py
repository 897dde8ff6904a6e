"""What a format finds and hands over, and the checks of single values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from msm4sr_lite.config import UserError


class Event(NamedTuple):
    """One purchase, review or rating; ``timestamp`` in seconds since 1970."""

    user_id: str
    item_id: str
    timestamp: float
    rating: float | None = None


class ItemRow(NamedTuple):
    """One item: a line of ``items.jsonl``, and how its pictures are called (without ending)."""

    fields: dict[str, Any]
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """The files to convert. ``level`` is what H&M's items are: articles, or products."""

    events: Path
    items: Path | None
    images: Path | None = None
    level: Literal["article", "product"] = "article"


@dataclass
class Skipped:
    """Lines that could not be read: how many, and what was wrong with the first."""

    lines: int = 0
    first: str = ""


class Format(Protocol):
    """What each module of a format has."""

    NAME: str
    WANTS: str

    def find(self, source: Path) -> Source | None:
        """Return the files of this format in a folder or beside a file; None: not this format."""

    def events(self, source: Source, skipped: Skipped) -> Iterator[Event]:
        """Yield the purchases in the order of the file."""

    def items(self, source: Source, skipped: Skipped) -> Iterator[ItemRow]:
        """Yield the items in the order of the file; an item may come twice."""


def identifier(value: Any, name: str) -> str:
    """Return an id as text; a missing, empty or unprintable one is a ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"no {name}")
    found = str(value).strip()
    if not found:
        raise ValueError(f"empty {name}")
    if not found.isprintable():
        raise ValueError(f"{name} {found[:40]!r} has unprintable characters")
    return found


def number(value: Any, name: str) -> float:
    """Return a finite number; anything else is a ``ValueError``."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{name} is {str(value)[:40]!r}, no number" if value else f"no {name}")
    return found


def text(value: Any) -> str:
    """Return a field as stripped text, lists joined by line breaks; empty for everything else."""
    if isinstance(value, (list, tuple)):
        return "\n".join(filter(None, map(text, value)))
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def texts(value: Any) -> list[str]:
    """Return a list field as stripped texts without the empty ones."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [found for found in map(text, values) if found]


def first_url(values: Iterable[Any]) -> str:
    """Return the first web address among the values; empty if there is none."""
    return next((v for v in values if isinstance(v, str) and v.startswith(("http:", "https:"))), "")


def item_row(item_id: str, *pictures: str, **fields: Any) -> ItemRow:
    """Return an item without its empty fields; its pictures are called like itself by default."""
    filled = {name: value for name, value in fields.items() if value}
    return ItemRow({"item_id": item_id, **filled}, pictures or (item_id,))


def only(found: list[Path], source: Path, what: str) -> Path | None:
    """Return the only file of a kind; several are the user's to choose from."""
    if len(found) > 1:
        names = ", ".join(sorted(path.name for path in found)[:5])
        raise UserError(f"{source}: {len(found)} {what} ({names}); give the one you want as SOURCE")
    return found[0] if found else None
