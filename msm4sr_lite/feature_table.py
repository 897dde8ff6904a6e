"""The features of all items in memory: the embeddings of their sentences and images."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.config import UserError


@dataclass(frozen=True)
class Slots:
    """The embeddings of one modality; an item has one slot per embedding, or none.

    Attributes
    ----------
    vectors
        Embeddings of sentences or images, float16, ``(slots, D)``.
    starts, counts
        Item i has ``vectors[starts[i] : starts[i] + counts[i]]``; entry 0 is padding without a
        slot. Shape ``(items + 1,)``.
    """

    vectors: Tensor
    starts: Tensor
    counts: Tensor

    def gather(self, items: Tensor, width: int | None = None) -> tuple[Tensor, Tensor]:
        """Return slots ``(items, slots, D)`` in float32, and a mask of real slots.

        The mask has the shape ``(items, slots)``. The number of slots is ``width``, by default that
        of the item with the most slots in the whole table; shorter rows are padded with zeros.
        """
        width = max(1, int(self.counts.max())) if width is None else width
        steps = torch.arange(width, device=items.device)
        valid = steps < self.counts[items][:, None]
        rows = (self.starts[items][:, None] + steps)[valid]
        slots = self.vectors.index_select(0, rows).float()
        if len(rows) == valid.numel():
            return slots.view(*valid.shape, -1), valid
        padded = slots.new_zeros(valid.numel(), slots.shape[1])
        padded.index_copy_(0, valid.flatten().nonzero().squeeze(1), slots)
        return padded.view(*valid.shape, -1), valid

    def means(self) -> Tensor:
        """Return the mean embedding of each item, ``(items + 1, D)``; zero without slots."""
        parts = torch.arange(len(self.counts), device=self.counts.device).split(1024)
        sums = [self.gather(p, max(1, int(self.counts[p].max())))[0].sum(dim=1) for p in parts]
        return torch.cat(sums) / self.counts.clamp_min(1)[:, None]

    def select(self, rows: Tensor) -> "Slots":
        """Return the same embeddings with the items renumbered: entry i is item ``rows[i]``."""
        return Slots(self.vectors, self.starts[rows], self.counts[rows])

    def append(self, other: "Slots") -> "Slots":
        """Return these slots with the items of ``other`` (without its padding) at the end."""
        starts = torch.cat([self.starts, other.starts[1:] + len(self.vectors)])
        vectors = torch.cat([self.vectors, other.vectors])
        return Slots(vectors, starts, torch.cat([self.counts, other.counts[1:]]))

    def to(self, device: str) -> "Slots":
        """Return the slots on another device."""
        return Slots(self.vectors.to(device), self.starts.to(device), self.counts.to(device))


@dataclass(frozen=True)
class FeatureTable:
    """Text and image slots of every item, and a record of how they were computed.

    Attributes
    ----------
    items
        Item ids; ``items[0]`` stands for padding, item number i is ``items[i]``.
    text, image
        Slots of each modality, entry i for item number i.
    manifest
        Record of how the features were computed.
    sources
        Item id -> hashes of the text and of the images that its features were computed from; items
        for which they are not known are missing.
    """

    items: list[str]
    text: Slots
    image: Slots
    manifest: dict[str, Any]
    sources: dict[str, list[str]] = field(default_factory=dict, repr=False)

    @property
    def width(self) -> int:
        """D, the width of the embeddings."""
        return int(self.text.vectors.shape[1])

    def for_items(self, items: Sequence[str]) -> "FeatureTable":
        """Return the table for another list of items: entry i of the result is ``items[i]``.

        Raises
        ------
        UserError
            If an item has no entry in the table.
        """
        row_of = {item: row for row, item in enumerate(self.items)}
        missing = [item for item in items if item not in row_of]
        if missing:
            raise UserError(
                f"items without features: {len(missing)} (the first is {missing[0]!r});"
                f" compute keywords and features of this dataset again"
            )
        rows = torch.tensor([row_of[item] for item in items])
        text, image = self.text.select(rows), self.image.select(rows)
        return replace(self, items=list(items), text=text, image=image)

    def append(self, other: "FeatureTable") -> "FeatureTable":
        """Return the table with the items of ``other`` at the end.

        Raises
        ------
        UserError
            If the embeddings of both tables differ in width.
        """
        if other.width != self.width:
            raise UserError(f"features of width {other.width}, not {self.width}; encode them alike")
        items, sources = [*self.items, *other.items[1:]], self.sources | other.sources
        text, image = self.text.append(other.text), self.image.append(other.image)
        return replace(self, items=items, text=text, image=image, sources=sources)

    def described(self) -> list[str]:
        """Return the ids of the items that have at least one slot."""
        n_slots = (self.text.counts + self.image.counts).tolist()
        return [item for item, count in zip(self.items, n_slots, strict=True) if count]

    def to(self, device: str) -> "FeatureTable":
        """Return the table on another device."""
        return replace(self, text=self.text.to(device), image=self.image.to(device))


def make_slots(vectors: np.ndarray, counts: np.ndarray) -> "Slots":
    """Return slots from embeddings ``(slots, D)`` in item order and each item's number of slots."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return Slots(torch.from_numpy(vectors), torch.from_numpy(starts), torch.from_numpy(counts))


def no_features(items: Sequence[str]) -> FeatureTable:
    """Return a table without any slot, for models that use item ids alone."""
    none = make_slots(np.zeros((0, 1), np.float16), np.zeros(len(items), np.int64))
    return FeatureTable(list(items), none, none, {})
