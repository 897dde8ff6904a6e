"""A history that can be changed by hand: its items, and what a model may read of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Reading: TypeAlias = Literal["both", "exchanged", "text", "image"]
READINGS: dict[Reading, str] = {
    "both": "text and picture",
    "exchanged": "exchanged",
    "text": "text only",
    "image": "picture only",
}


@dataclass(frozen=True)
class History:
    """Items, oldest first. Every change makes a new history.

    Attributes
    ----------
    entries
        Item id and what is read of it: ``"both"``, ``"exchanged"`` (its text embedding stands
        in the image sequence and the other way round), ``"text"`` or ``"image"`` alone.
    """

    entries: tuple[tuple[str, Reading], ...] = ()

    @classmethod
    def from_items(cls, items: Sequence[str], reading: Reading = "both") -> History:
        """Return a history of ``items``, all read alike."""
        return cls(tuple((item, reading) for item in items))

    @property
    def items(self) -> list[str]:
        """The item ids, oldest first."""
        return [item for item, _ in self.entries]

    @property
    def is_plain(self) -> bool:
        """Whether both modalities of every item are read, nothing exchanged."""
        return all(reading == "both" for _, reading in self.entries)

    def add(self, item: str) -> History:
        """Return the history with ``item`` as its newest."""
        return History((*self.entries, (item, "both")))

    def remove(self, position: int) -> History:
        """Return the history without the item at ``position``, counted from 1."""
        return History(self.entries[: position - 1] + self.entries[position:])

    def move(self, position: int, by: int) -> History:
        """Return the history with the item at ``position`` moved; it stops at the ends."""
        rest = self.remove(position).entries
        to = min(max(position - 1 + by, 0), len(rest))
        return History((*rest[:to], self.entries[position - 1], *rest[to:]))

    def read(self, position: int, reading: Reading) -> History:
        """Return the history with another reading of one item."""
        entry = self.entries[position - 1][0], reading
        return History((*self.entries[: position - 1], entry, *self.entries[position:]))

    def read_all(self, reading: Reading) -> History:
        """Return the history with the same reading of all items."""
        return History.from_items(self.items, reading)
