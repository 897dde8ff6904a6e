"""What a shop is in memory: its products, and who bought what when.

`reading.shop_folder.read_shop` makes one of a folder, and checks everything on the way in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from msm4sr_lite.config import UserError

TEXT_FIELDS = ("title", "brand", "categories", "description", "text")


@dataclass(frozen=True, slots=True)
class Item:
    """One product. ``images`` are names relative to the shop folder, checked to stay inside it."""

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


@dataclass(frozen=True)
class Dataset:
    """A shop folder in memory.

    Attributes
    ----------
    path
        The folder.
    items
        ``item_id -> Item`` in file order.
    events
        Columns ``user_id``, ``item_id`` (text) and ``timestamp`` (float), sorted by time; equal
        times keep their order in the file.
    notes
        What was left out on the way in, one sentence each, for the user to read.
    """

    path: Path
    items: dict[str, Item]
    interactions: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    domain: str = ""

    @classmethod
    def from_folder(cls, path, *, domain="", unknown_items="error") -> Dataset:  # type: ignore
        """Read a folder."""
        from msm4sr_lite.dataset.folder import read_folder

        found = read_folder(path, domain=domain, unknown_items=unknown_items)
        return replace(found, domain=domain)

    @property
    def folder(self) -> Path | None:
        """The folder."""
        return self.path

    @property
    def image_root(self) -> Path:
        """Where images are."""
        return self.path

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.resolve().name

    @property
    def folder(self) -> Path:
        """The dataset folder."""
        return self.path

    @property
    def image_root(self) -> Path:
        """The folder that images are named relative to."""
        return self.path

    def history(self, user_id: str) -> list[str]:
        """Return the items that a customer bought, oldest first; unknown customers are an error."""
        bought = self.interactions.loc[self.interactions["user_id"] == user_id, "item_id"].tolist()
        if not bought:
            raise UserError(f"{self.path}: no purchases of user {user_id!r}; check the user_id")
        return bought
