"""What models offer after a history, each offer with its reason in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from course.history import READINGS, History
from msm4sr_lite.encoder import concat_normalized, gather_rows
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.printable import counted
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import pad

if TYPE_CHECKING:
    from msm4sr_lite.baselines import ItemKNN, Popularity
    from msm4sr_lite.encoder import M2SE


class Offer(NamedTuple):
    """A recommended item and why it is recommended."""

    item_id: str
    reason: str


class Model(Protocol):
    """Whatever makes offers."""

    def offers(self, history: History, k: int = 10) -> list[Offer]:
        """Return the best items that the history does not hold, best first."""


class ReadingModel:
    """M²SE for histories of which it may read only a part.

    The embeddings of all items are computed once for each way to read them, so that an answer
    takes one pass of the encoder.

    Parameters
    ----------
    model
        Pre-trained or fine-tuned, with both modalities.
    table
        Features of its items.
    titles
        What to call items in a reason, by id.
    """

    def __init__(self, model: M2SE, table: FeatureTable, titles: Mapping[str, str]) -> None:
        self.scorer, self.item_ids, self.titles = ModelScorer(model, table), table.items, titles
        self.number = {item: i for i, item in enumerate(table.items) if i}
        every = torch.arange(len(table.items))
        text, image = (_hide(one, other) for one, other in _both_ways(table))
        with torch.inference_mode():
            plain = self.scorer.items
            readings = {
                "both": plain,
                "exchanged": {"text": plain["image"], "image": plain["text"]},
                "text": self.scorer.embed(replace(table, image=image), every, every),
                "image": self.scorer.embed(replace(table, text=text), every, every),
            }
        # Row i of reading r stands at r * items + i; row 0 is padding.
        self.z = {m: torch.cat([readings[r][m] for r in READINGS]) for m in ("text", "image")}

    @torch.inference_mode()
    def score(self, histories: Sequence[History]) -> Tensor:
        """Return the scores of all items after each history, ``(histories, items + 1)``."""
        size, place = len(self.item_ids), {reading: k for k, reading in enumerate(READINGS)}
        rows = [
            np.array([place[reading] * size + self.number[item] for item, reading in h.entries])
            for h in histories
        ]
        items = pad(rows, self.scorer.model.config.max_len)
        h = self.scorer.model.encode(gather_rows(self.z, items))
        every, last = torch.arange(len(items)), (items != 0).sum(dim=1) - 1
        query = concat_normalized({m: state[every, last] for m, state in h.items()})
        return query @ self.scorer.units.T

    def top(self, histories: Sequence[History], k: int = 10) -> list[list[str]]:
        """Return the ids of the k best items after each history, its own items left out."""
        scores = self.score(histories)
        return [
            [self.item_ids[i] for i in _best(row, [self.number[item] for item in h.items], k)]
            for row, h in zip(scores, histories, strict=True)
        ]

    def offers(self, history: History, k: int = 10) -> list[Offer]:
        """Return the best items; the reason names the item whose removal costs the most score."""
        count = len(history.entries)
        shorter = [history.remove(position) for position in range(1, count + 1)]
        scores = self.score([history, *(shorter if count > 1 else ())])
        found = []
        for item in _best(scores[0], [self.number[item] for item in history.items], k):
            effects = scores[0, item] - scores[1:, item]
            best = int(effects.argmax()) if count > 1 else 0
            reason = f"because of {self.titles[history.items[best]]}"
            if count > 1:
                few = effects[best] < 0.005
                reason = "no single item decides" if few else f"{reason} (+{effects[best]:.2f})"
            found.append(Offer(self.item_ids[item], reason))
        return found


class KNNModel:
    """ItemKNN; a reason says how many users had the item together with one of the history."""

    def __init__(self, knn: ItemKNN, item_ids: Sequence[str], titles: Mapping[str, str]) -> None:
        self.knn, self.item_ids, self.titles = knn, item_ids, titles
        self.number = {item: i for i, item in enumerate(item_ids) if i}

    def offers(self, history: History, k: int = 10) -> list[Offer]:
        """Return the best items that occurred together with one of the history."""
        numbers = [self.number[item] for item in history.items]
        scores = self.knn.score([np.array(numbers)])[0]
        pairs = self.knn.pairs[numbers].toarray()
        weights = self.knn.decay ** np.arange(len(numbers))[::-1]
        found = []
        for item in _best(scores, numbers, k):
            if scores[item] > 0:  # the others it does not know
                best = int((weights * pairs[:, item]).argmax())
                users = counted(int(pairs[best, item]), "user")
                with_it = self.titles[history.items[best]]
                found.append(Offer(self.item_ids[item], f"{users} also chose {with_it}"))
        return found


class PopularModel:
    """The most popular items, the same for everybody but for what they have."""

    def __init__(self, popularity: Popularity, item_ids: Sequence[str]) -> None:
        self.popularity, self.item_ids = popularity, item_ids
        self.number = {item: i for i, item in enumerate(item_ids) if i}

    def offers(self, history: History, k: int = 10) -> list[Offer]:
        """Return the items with the most training interactions."""
        best = _best(self.popularity.counts, [self.number[item] for item in history.items], k)
        return [
            Offer(self.item_ids[item], f"chosen by {counted(int(n), 'user')}")
            for item, n in zip(best, self.popularity.counts[best], strict=True)
        ]


def _best(scores: Tensor, seen: Sequence[int], k: int) -> list[int]:
    """Return the numbers of the k best items, without padding and those seen; ties in order."""
    kept = scores.clone()
    kept[[0, *seen]] = -torch.inf
    order = kept.argsort(descending=True, stable=True)[:k].tolist()
    return [item for item in order if kept[item] > -torch.inf]


def _both_ways(table: FeatureTable) -> tuple[tuple[Slots, Slots], tuple[Slots, Slots]]:
    return (table.text, table.image), (table.image, table.text)


def _hide(slots: Slots, other: Slots) -> Slots:
    """Return the slots of a modality emptied for all items that have the other modality."""
    return replace(slots, counts=torch.where(other.counts > 0, 0, slots.counts))
