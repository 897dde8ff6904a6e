"""The features of all items in memory: the embeddings of their sentences and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.config import UserError


@dataclass(frozen=True)
class Slots:
    """The vectors of one modality, item after item.

    Attributes
    ----------
    vectors
        float16, ``(slots, D)``.
    starts, counts
        Item i owns ``vectors[starts[i] : starts[i] + counts[i]]``; entry 0 is padding with no
        slot. Shape ``(items + 1,)``.
    """

    vectors: Tensor
    starts: Tensor
    counts: Tensor

    def gather(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return slots ``(items, slots, D)`` in float32 and which are real ``(items, slots)``."""
        width = max(1, int(self.counts.max()))  # the same for every batch
        steps = torch.arange(width, device=items.device)
        valid = steps < self.counts[items][:, None]
        rows = (self.starts[items][:, None] + steps)[valid]
        slots = self.vectors.index_select(0, rows).float()
        if len(rows) == valid.numel():
            return slots.view(*valid.shape, -1), valid
        padded = slots.new_zeros(valid.numel(), slots.shape[1])
        padded.index_copy_(0, valid.flatten().nonzero().squeeze(1), slots)
        return padded.view(*valid.shape, -1), valid

    def select(self, rows: Tensor) -> Slots:
        """Return the same vectors for another numbering of the items."""
        return Slots(self.vectors, self.starts[rows], self.counts[rows])

    def to(self, device: str) -> Slots:
        """Return the slots on another device."""
        return Slots(self.vectors.to(device), self.starts.to(device), self.counts.to(device))


@dataclass(frozen=True)
class FeatureTable:
    """Text slots and image slots of every item, with the record of how they were made.

    ``items[0]`` stands for padding; item number i is ``items[i]``.
    """

    items: list[str]
    text: Slots
    image: Slots
    manifest: dict[str, Any]

    @property
    def width(self) -> int:
        """D, the width of the vectors."""
        return int(self.text.vectors.shape[1])

    def for_items(self, items: Sequence[str]) -> FeatureTable:
        """Renumber: entry i of the result belongs to ``items[i]`` (``items[0]`` is padding)."""
        place = {item: row for row, item in enumerate(self.items)}
        lost = [item for item in items if item not in place]
        if lost:
            raise UserError(
                f"{len(lost)} items have no features (the first is {lost[0]!r});"
                f" run `msm4sr features` again on this shop"
            )
        rows = torch.tensor([place[item] for item in items])
        return FeatureTable(
            list(items), self.text.select(rows), self.image.select(rows), self.manifest
        )

    def described(self) -> list[str]:
        """Return the ids of the items that have at least one slot."""
        slots = (self.text.counts + self.image.counts).tolist()
        return [item for item, count in zip(self.items, slots, strict=True) if count]

    def to(self, device: str) -> FeatureTable:
        """Return the table on another device."""
        return FeatureTable(self.items, self.text.to(device), self.image.to(device), self.manifest)


def make_slots(vectors: np.ndarray, counts: np.ndarray) -> Slots:
    """Return slots from vectors ``(slots, D)`` in item order and each item's number of them."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return Slots(torch.from_numpy(vectors), torch.from_numpy(starts), torch.from_numpy(counts))
