"""Recommendations with the sentences and keywords that describe each item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import ModelScorer
from msm4sr_lite.features import FeatureTable, read_keywords
from msm4sr_lite.shop import Shop
from msm4sr_lite.text import item_sentences
from msm4sr_lite.training import load_checkpoint


@dataclass(frozen=True)
class Recommendation:
    """One recommended item and what the model knows of it.

    ``score`` is cos(h_t, z_t) + cos(h_v, z_v), between -2 and 2; ``by_view`` holds its terms
    under ``text`` and ``image``, and ``sentences`` and ``keywords`` are what these have read.
    """

    item_id: str
    score: float
    by_view: dict[str, float]
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
        shop: Shop,
        scorer: ModelScorer,
        items: list[str],
        keywords: dict[str, list[list[str]]],
    ) -> None:
        self.shop, self.scorer, self.items, self.keywords = shop, scorer, items, keywords
        self.number = {item: i for i, item in enumerate(items) if i}

    @classmethod
    def load(
        cls, shop: Shop, model: str | Path, features: str | Path, device: str = "cpu"
    ) -> Recommender:
        """Load a model folder and the feature folder it works with."""
        net, items = load_checkpoint(model)
        table = FeatureTable.load(features)
        if table.width != net.config.feature_dim:
            raise UserError(
                f"{features}: vectors of width {table.width}, but the model in {model} was trained"
                f" on width {net.config.feature_dim}; use the features it was trained with"
            )
        scorer = ModelScorer(net, table.for_items(items), device)
        return cls(shop, scorer, items, read_keywords(Path(features)))

    def for_user(self, user_id: str, k: int = 10) -> list[Recommendation]:
        """Recommend for a customer of the shop, from all their purchases."""
        return self.for_basket(self.shop.history(user_id), k, strict=False)

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
            raise UserError(
                f"item {unknown[0]!r} is not in the model's catalogue; check the item_id"
            )
        history = np.array([self.number[item] for item in basket if item in self.number])
        if not len(history):
            raise UserError("no item of the basket is in the model's catalogue; nothing to go by")
        parts = {view: part[0] for view, part in self.scorer.parts([history]).items()}
        total = torch.stack(list(parts.values())).sum(dim=0)
        total[0] = -torch.inf
        if hide_basket:
            total[torch.from_numpy(history)] = -torch.inf
        best = total.topk(min(k, int(torch.isfinite(total).sum()))).indices.tolist()
        return [
            Recommendation(
                item_id=self.items[i],
                score=float(total[i]),
                by_view={view: float(part[i]) for view, part in parts.items()},
                sentences=item_sentences(item)
                if (item := self.shop.items.get(self.items[i]))
                else [],
                keywords=self.keywords.get(self.items[i], []),
            )
            for i in best
        ]
