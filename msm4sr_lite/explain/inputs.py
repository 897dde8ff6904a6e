"""What can be left out of an item: its sentences, its images and single keywords of an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.encoder import M2SE, Modalities
from msm4sr_lite.explain.evidence import Kind
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.features.sentences import item_sentences

# (item_id, image counted from 1) -> embeddings of its keywords without each of them, (keywords, D)
KeywordDeletions: TypeAlias = Mapping[tuple[str, int], Tensor]
# Item number; the slot, or None to keep all; the embedding instead, or None to leave it out
SlotChange: TypeAlias = tuple[int, int | None, Tensor | None]
_OTHER = {"text": "image", "image": "text"}


@dataclass(frozen=True)
class Change:
    """A slot of an item that is left out or, for a keyword, replaced by another embedding."""

    item: int  # item number
    modality: str
    slot: int  # counted from 0
    kind: Kind
    index: int
    text: str
    attention: float | None
    both: bool  # whether the item has no slot of the other modality, which then uses this one
    replacement: Tensor | None = None

    def affects(self, modality: str, swapped: bool) -> bool:
        """Return whether a modality's sequence changes; a swapped item stands in the other one."""
        return self.both or (self.modality == modality) != swapped

    def of_slot(self, modality: str) -> SlotChange:
        """Return the change of a modality's slots, as ``change_slots`` takes it."""
        same = self.modality == modality
        return self.item, self.slot if same else None, self.replacement if same else None


@dataclass(frozen=True)
class Changes:
    """All changes of some items, with the items' embeddings after each of them."""

    listed: list[Change]
    embeddings: Modalities  # modality -> (changes, d)
    by_item: dict[int, list[int]]  # item number -> places in the list

    def get(self, place: int | None) -> Change | None:
        """Return the change at a place of the list; None for none."""
        return None if place is None else self.listed[place]


@dataclass(frozen=True)
class ItemInputs:
    """The slots of items, with what people read about them.

    Attributes
    ----------
    table
        Features of the items, on the CPU.
    items
        ``item_id -> Item``, for the sentences.
    keywords
        ``item_id ->`` the keywords of each image.
    """

    table: FeatureTable
    items: Mapping[str, Item]
    keywords: Mapping[str, Sequence[Sequence[str]]]

    def list_changes(
        self, model: M2SE, items: set[int], deletions: KeywordDeletions, device: str
    ) -> Changes:
        """Return every change of the items with these numbers, and the embeddings that result."""
        ordered = sorted(items)
        listed: list[Change] = []
        for modality in model.modalities:
            slots = getattr(self.table, modality).gather(torch.tensor(ordered))
            pooled = model.pool[modality](*(tensor.to(device) for tensor in slots))
            for item, weights in zip(ordered, pooled[1].tolist(), strict=True):
                listed += self._changes_of(item, modality, weights, deletions)
        text, image = (
            change_slots(getattr(self.table, m), [c.of_slot(m) for c in listed])
            for m in ("text", "image")
        )
        ids = [""] * (len(listed) + 1)
        changed = FeatureTable(ids, text, image, self.table.manifest).to(device)
        rows = torch.arange(len(listed), device=device)
        numbers = torch.tensor([c.item for c in listed], dtype=torch.long, device=device)
        if model.ids is not None:  # an item added after training has no id embedding: as padding
            numbers = numbers.where(numbers < model.ids.num_embeddings, 0)
        embeddings = model.with_ids(model.item_embeddings(changed, rows), numbers)
        by_item: dict[int, list[int]] = {item: [] for item in items}
        for place, change in enumerate(listed):
            by_item[change.item].append(place)
        return Changes(listed, embeddings, by_item)

    def _changes_of(
        self, item: int, modality: str, weights: list[float], deletions: KeywordDeletions
    ) -> Iterator[Change]:
        """Yield the changes of one item's slots of one modality, in their order."""
        item_id = self.table.items[item]
        count = int(getattr(self.table, modality).counts[item])
        both = not int(getattr(self.table, _OTHER[modality]).counts[item])
        named = self._name_slots(item_id, modality, count)
        for slot, (kind, index, text) in enumerate(named):
            yield Change(item, modality, slot, kind, index, text, weights[slot], both)
        for slot, (kind, index, _) in enumerate(named):
            without = deletions.get((item_id, index))
            if kind != "image" or without is None:
                continue
            keywords = self.keywords.get(item_id, [])[index - 1]
            if without.shape != (len(keywords), self.table.width):
                raise UserError(
                    f"item {item_id!r}, image {index}: {len(keywords)} keywords need embeddings of"
                    f" shape ({len(keywords)}, {self.table.width}); got {tuple(without.shape)}"
                )
            for keyword, embedding in zip(keywords, without, strict=True):
                yield Change(item, modality, slot, "keyword", index, keyword, None, both, embedding)

    def _name_slots(self, item_id: str, modality: str, count: int) -> list[tuple[Kind, int, str]]:
        """Return kind, index and text of an item's slots of one modality, in their order."""
        keywords = self.keywords.get(item_id, [])
        kind: Kind = "sentence"
        if modality == "text":
            item = self.items.get(item_id)
            texts = list(enumerate(item_sentences(item, limit=max(1, count)) if item else [], 1))
        elif self.table.manifest.get("image_slots") == "keywords":
            kind = "keyword"
            texts = [(k, word) for k, words in enumerate(keywords, 1) for word in words]
        else:
            kind = "image"
            texts = [(k, ", ".join(words)) for k, words in enumerate(keywords, 1)]
        texts += [(k, f"{kind} {k}") for k in range(len(texts) + 1, count + 1)]
        return [(kind, index, text) for index, text in texts[:count]]


def change_slots(slots: Slots, changes: Sequence[SlotChange]) -> Slots:
    """Return one entry per change: an item's slots with one of them left out or replaced.

    Parameters
    ----------
    slots
        The slots of one modality.
    changes
        Item number; the slot concerned, counted from 0, or None to keep all; the embedding
        ``(D,)`` that replaces it, or None to leave it out.

    Returns
    -------
    slots
        Entry i for change i. A last entry repeats the item with the most slots, so that padding is
        as wide as for all items: with ``mask_padding = False`` embeddings depend on that width.
    """
    rows: list[int] = []
    counts: list[int] = []
    replaced: dict[int, Tensor] = {}
    for item, slot, replacement in [*changes, (int(slots.counts.argmax()), None, None)]:
        start = int(slots.starts[item])
        kept = list(range(start, start + int(slots.counts[item])))
        if slot is not None:
            if replacement is None:
                del kept[slot]
            else:
                replaced[len(rows) + slot] = replacement
        rows += kept
        counts.append(len(kept))
    vectors = slots.vectors[torch.tensor(rows, dtype=torch.long)]
    for row, replacement in replaced.items():
        vectors[row] = replacement.to(vectors)
    sizes = torch.tensor(counts)
    return Slots(vectors, sizes.cumsum(0) - sizes, sizes)
