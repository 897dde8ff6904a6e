"""Recommendations with the sentences and keywords that describe each item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.checkpoints import load_checkpoint


@dataclass(frozen=True)
class Recommendation:
    """One recommended item and what the model knows of it.

    ``score`` is cos(h_t, z_t) + cos(h_v, z_v), between -2 and 2; ``by_view`` holds its terms
    under ``text`` and ``image``, and ``sentences`` and ``keywords`` are what these have read.
    """

    item_id: str
    score: float
    by_modality: dict[str, float]
    sentences: list[str]
    keywords: list[list[str]]


class Recommender:
    """A trained model at work on a shop.

    Parameters
    ----------
    shop
        The shop folder, for the items' texts and the customers' histories.
    scorer
        The model with the catalogue's vectors.
    items
        The catalogue in the model's order, ``items[0]`` being padding.
    keywords
        ``item_id ->`` the words of each picture.
    """

    def __init__(
        self,
        dataset: Dataset,
        scorer: ModelScorer,
        items: list[str],
        keywords: dict[str, list[list[str]]],
    ) -> None:
        self.dataset, self.scorer, self.items, self.keywords = dataset, scorer, items, keywords
        self.number = {item: i for i, item in enumerate(items) if i}

    @classmethod
    def load(
        cls, dataset: Dataset, model: str | Path, features: str | Path, device: str = "cpu"
    ) -> Recommender:
        """Load a model folder and the feature folder it works with."""
        net, items = load_checkpoint(model)
        table = load_feature_table(features).for_items(items)
        try:
            scorer = ModelScorer(net, table, device)
        except UserError as error:
            raise UserError(f"{features}: {error} (model: {model})") from None
        return cls(dataset, scorer, items, read_keywords(Path(features)))

    def add_items(self, table: FeatureTable) -> None:
        """Recommend more items from now on, by their texts and pictures alone: nothing is trained.

        They can stand in a basket too, as all items of the catalogue.

        Parameters
        ----------
        table
            Features of the new items and of no others, made as those of the catalogue were;
            ``FeatureTable.for_items(["", *ids])`` takes some out of a larger table, and
            ``features.new_items.encode_new_items`` makes it from texts and images.

        Raises
        ------
        UserError
            If an item is there already or has neither text nor picture, or if the vectors have
            another width than the model. Then none is added.
        """
        number, items, readable = dict(self.number), list(self.items), set(table.described())
        for item in table.items[1:]:
            if item in number:
                raise UserError(f"item {item!r} is in the catalogue already; give it a new item_id")
            if item not in readable:
                raise UserError(f"item {item!r} has neither text nor picture; give it one of them")
            number[item] = len(items)
            items.append(item)
        self.scorer.append(table)
        self.number, self.items = number, items

    def for_user(self, user_id: str, k: int = 10) -> list[Recommendation]:
        """Recommend for a customer of the shop, from all their purchases."""
        return self.for_basket(self.dataset.history(user_id), k, strict=False)

    def for_basket(
        self, basket: Sequence[str], k: int = 10, *, strict: bool = True, hide_basket: bool = True
    ) -> list[Recommendation]:
        """Recommend what could follow ``basket``, oldest item first.

        Parameters
        ----------
        basket
            Item ids.
        k
            How many.
        strict
            Whether an item that the model does not know is an error; else it is passed over.
        hide_basket
            Never recommend what is already in the basket.
        """
        unknown = [item for item in basket if item not in self.number]
        if unknown and strict:
            raise UserError(f"item {unknown[0]!r} is not in the model's catalogue; check its id")
        history = np.array([self.number[item] for item in basket if item in self.number])
        if not len(history):
            raise UserError("no item of the basket is in the model's catalogue; nothing to go by")
        parts = {modality: part[0] for modality, part in self.scorer.parts([history]).items()}
        total = torch.stack(list(parts.values())).sum(dim=0)
        total[0] = -torch.inf
        if hide_basket:
            total[torch.from_numpy(history)] = -torch.inf
        best = total.topk(min(k, int(torch.isfinite(total).sum()))).indices.tolist()
        known = self.dataset.items
        return [
            Recommendation(
                name := self.items[i],
                float(total[i]),
                {modality: float(part[i]) for modality, part in parts.items()},
                item_sentences(known[name]) if name in known else [],
                self.keywords.get(name, []),
            )
            for i in best
        ]
