"""What a converter is, and what it returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msm4sr_lite.config import UserError


class Interaction(NamedTuple):
    """One purchase, review or rating; ``timestamp`` in seconds since 1970."""

    user_id: str
    item_id: str
    timestamp: float
    rating: float | None = None


class ItemRow(NamedTuple):
    """One item: a line of ``items.jsonl``, and the names of its images without their endings."""

    fields: dict[str, Any]
    image_names: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """The files to convert.

    Attributes
    ----------
    interactions, items
        The two files; ``items`` is None where none was found.
    images
        A folder with images; None: no images.
    level
        What an item is, for converters with a choice (``LEVELS``); empty: their default.
    """

    interactions: Path
    items: Path | None
    images: Path | None = None
    level: str = ""


@dataclass
class Skipped:
    """Lines that could not be read: how many, and what was wrong with the first."""

    lines: int = 0
    first: str = ""


class Converter(Protocol):
    """The members of a converter module.

    ``NAME`` is the name of the dataset, ``FILES`` the files it needs; both appear in messages. A
    module may also have ``LEVELS``, the values that the option ``level`` can have.
    """

    NAME: str
    FILES: str

    def find(self, source: Path) -> Source | None:
        """Return the files of this format in a folder or beside a file; None: not this format."""

    def interactions(self, source: Source, skipped: Skipped) -> Iterator[Interaction]:
        """Yield the interactions in the order of the file."""

    def items(self, source: Source, skipped: Skipped) -> Iterator[ItemRow]:
        """Yield the items in the order of the file; an item may come twice."""


def item_row(item_id: str, *image_names: str, **fields: Any) -> ItemRow:
    """Return an item without its empty fields; by default its image is named by its id."""
    filled = {name: value for name, value in fields.items() if value}
    return ItemRow({"item_id": item_id, **filled}, image_names or (item_id,))


def first_url(values: Iterable[Any]) -> str:
    """Return the first web address among the values; empty if there is none."""
    return next((v for v in values if isinstance(v, str) and v.startswith(("http:", "https:"))), "")


def only_file(found: list[Path], source: Path, what: str) -> Path | None:
    """Return the only file of a kind, or None; several are an error."""
    if len(found) > 1:
        names = ", ".join(sorted(path.name for path in found)[:5])
        raise UserError(f"{source}: {len(found)} {what} ({names}); give one of them as the source")
    return found[0] if found else None
