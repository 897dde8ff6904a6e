"""Recommendations and their reasons, also where text and image are swapped in a history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from msm4sr_lite.encoder import Modalities, concat_normalized
from msm4sr_lite.explain.effects import KeywordDeletions, measure_effects
from msm4sr_lite.explain.evidence import Evidence
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.pipeline.trained_model import TrainedModel
from msm4sr_lite.recommend.describe import Recommendation, describe_recommendations
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.encoder import M2SE


class SwappingScorer(ModelScorer):
    """A scorer with copies of some items at its end, whose text and image change places.

    Parameters
    ----------
    scorer
        Has the model and its items.
    copied
        Item numbers of the copies.
    """

    def __init__(self, scorer: ModelScorer, copied: Sequence[int]) -> None:
        self.first = len(scorer.units)
        self.originals = torch.tensor([*range(self.first), *copied])
        self.__dict__.update(scorer.select(self.originals.numpy()).__dict__)
        self.items = self._swap(self.items, torch.arange(len(self.originals)))
        self.units = concat_normalized(self.items)

    def _swap(self, z: Modalities, items: Tensor) -> Modalities:
        copied = (items >= self.first)[:, None]
        text, image = z["text"], z["image"]
        text, image = torch.where(copied, image, text), torch.where(copied, text, image)
        return {"text": text, "image": image}

    def embed(self, table: FeatureTable, entries: Tensor, items: Tensor) -> Modalities:
        """Return the embeddings of entries of a table; those of copies are swapped."""
        return self._swap(super().embed(table, entries, self.originals[items]), items)


class Explainer:
    """Recommends after a history and explains the scores.

    Parameters
    ----------
    trained
        The model.
    dataset
        The items' titles and sentences.
    """

    def __init__(self, trained: TrainedModel, dataset: Dataset) -> None:
        self.recommender, self.table = trained.recommender("cpu"), trained.table
        self.scorer = self.recommender.model_scorer("explanations")
        self.model = self.scorer.model
        self.items, self.keywords = dataset.items, trained.keywords

    @classmethod
    def load(cls, dataset: Dataset, model: Path, features: Path) -> Explainer:
        """Load a model folder and the feature folder that it was trained with."""
        return cls(TrainedModel.load(model, features), dataset)

    def recommend(
        self, history: Sequence[str], k: int = 10, *, swapped: Collection[int] = ()
    ) -> list[Recommendation]:
        """Recommend after one history and describe the items; ``swapped`` as in ``explain``."""
        recommender, _, history, copies = self._with_copies(history, swapped)
        options: Any = {"items": self.items, "keywords": self.keywords}
        options["exclude"] = [*copies, *copies.values()]  # they are items of the history
        return describe_recommendations(recommender, history, k, **options)

    def explain(
        self,
        history: Sequence[str],
        item_id: str,
        *,
        swapped: Collection[int] = (),
        keyword_deletions: KeywordDeletions | None = None,
    ) -> list[Evidence]:
        """Return the evidence for and against an item, as ``measure_effects`` does.

        ``swapped`` are positions of the history, counted from 1, at which the text embedding and
        the image embedding are exchanged.
        """
        recommender, table, history, copies = self._with_copies(history, swapped)
        deletions = dict(keyword_deletions or {})
        for copy, item in copies.items():
            deletions |= {(copy, k): v for (of, k), v in deletions.items() if of == item}
        (found,) = measure_effects(
            recommender,
            table,
            history,
            [item_id],
            items=self.items | {copy: self.items[item] for copy, item in copies.items()},
            keywords=self.keywords | {copy: self.keywords.get(i, []) for copy, i in copies.items()},
            keyword_deletions=deletions,
        )
        return [replace(one, item_id=copies.get(one.item_id, one.item_id)) for one in found]

    def _with_copies(
        self, history: Sequence[str], swapped: Collection[int]
    ) -> tuple[Recommender, FeatureTable, list[str], dict[str, str]]:
        """Return all that is needed with swapped copies of items, and which item each copies."""
        number = self.recommender.item_number
        marked = {k: f"{history[k - 1]} swapped" for k in swapped if history[k - 1] in number}
        copies = {copy: history[k - 1] for k, copy in marked.items()}
        after = [marked.get(k, item) for k, item in enumerate(history, 1)]
        if not copies:
            return self.recommender, self.table, after, copies
        scorer = SwappingScorer(self.scorer, [number[item] for item in copies.values()])
        ids, rows = [*self.recommender.item_ids, *copies], scorer.originals
        table = self.table
        table = FeatureTable(ids, table.text.select(rows), table.image.select(rows), table.manifest)
        return Recommender(scorer, ids), table, after, copies


@torch.no_grad()
def keyword_influence(model: M2SE, slots: Tensor, image: int, deletions: Tensor) -> Tensor:
    """Return how much z_v changes when one keyword of an image is deleted: 1 - cosine.

    Parameters
    ----------
    model
        Pre-trained or fine-tuned, with the image modality.
    slots
        The item's image slots, one per image, ``(images, D)``.
    image
        Which of them the keywords belong to, counted from 0.
    deletions
        Embeddings of its pseudo-sentence without each keyword, ``(keywords, D)``.

    Returns
    -------
    influence
        One number per keyword, ``(keywords,)``: 0 if nothing changes, at most 2.
    """
    count = len(deletions)
    changed = slots.float().repeat(count + 1, 1, 1)  # the last entry stays as it is
    changed[torch.arange(count), image] = deletions.float()
    valid = torch.ones(changed.shape[:2], dtype=torch.bool)
    z = model.adapt["image"](model.pool["image"](changed, valid)[0])
    return 1 - F.cosine_similarity(z[:count], z[count:], dim=1)
