"""Measures what moved the score of a recommendation: each input is left out in turn.

The inputs are the interactions of the history, and the slots of the history's items and of the
recommended item: their sentences, images and, where they can be embedded again, keywords. The
effect of an input is exact: the score with all inputs minus the score without this one. The weight
of a slot in the attention pooling is reported beside it; a large weight need not be a large effect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.encoder import Modalities
from msm4sr_lite.explain.evidence import Evidence, item_title
from msm4sr_lite.explain.inputs import Change, Changes, ItemInputs, KeywordDeletions
from msm4sr_lite.explain.swapping import SwappingScorer
from msm4sr_lite.fast.encoder import run_transformer
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.mixup import complementary_mixup
from msm4sr_lite.recommend.describe import Keywords, Recommendation, describe_recommendations
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.similarity import cosine_scores

SEQUENCES = 64  # sequences in one call of the encoder: more use more memory and are no faster

_Step: TypeAlias = "tuple[int, int | None]"  # a position, and a place in the list of changes


class Explainer:
    """Measures what moved the scores of a model.

    Parameters
    ----------
    recommender
        A recommender with a model as its scorer, or such a scorer with its items in the order of
        ``table``.
    table
        The features that the scorer was made with.
    items
        ``item_id -> Item``, such as ``dataset.items``: the titles and sentences to show. Without
        them ids and "sentence 1" are shown.
    keywords
        ``item_id ->`` the keywords of each image; without them "image 1" is shown.

    Raises
    ------
    UserError
        If an item has no entry in ``table``, or the scorer is not a model.
    """

    def __init__(
        self,
        recommender: Recommender | ModelScorer,
        table: FeatureTable,
        items: Mapping[str, Item] | None = None,
        keywords: Keywords | None = None,
    ) -> None:
        if isinstance(recommender, ModelScorer):
            recommender = Recommender(recommender, table.items)
        if not isinstance(recommender.scorer, ModelScorer):
            raise UserError("an explanation needs a model; this scorer has no inputs to leave out")
        self.recommender, self.scorer = recommender, recommender.scorer
        self.model = self.scorer.model
        self.items, self.keywords = items or {}, keywords or {}
        same = table.items == recommender.item_ids
        self.table = (table if same else table.for_items(recommender.item_ids)).to("cpu")

    @classmethod
    def load(
        cls, dataset: Dataset, model: str | Path, features: str | Path, device: str = "cpu"
    ) -> Explainer:
        """Load a model folder and the feature folder that it was trained with."""
        recommender = Recommender.load(model, features, device)
        table, keywords = load_feature_table(features), read_keywords(Path(features))
        return cls(recommender, table, dataset.items, keywords)

    def recommend(
        self, history: Sequence[str], k: int = 10, *, swapped: Collection[int] = ()
    ) -> list[Recommendation]:
        """Recommend after one history and describe the items; ``swapped`` as in ``explain``."""
        recommender = self.recommender
        if swapped:
            positions, _ = self._read_history(history, swapped)
            recommender = copy(recommender)
            recommender.scorer = SwappingScorer(self.scorer, [p in swapped for p in positions])
        return describe_recommendations(
            recommender, history, k, items=self.items, keywords=self.keywords
        )

    def explain(
        self,
        history: Sequence[str],
        item_id: str,
        *,
        swapped: Collection[int] = (),
        keyword_deletions: KeywordDeletions | None = None,
    ) -> list[Evidence]:
        """Return the evidence for and against ``item_id`` after ``history``, strongest for first.

        Parameters
        ----------
        history
            Item ids, oldest first. Items that the model does not know are passed over. Of a longer
            history the newest ``max_len`` items count, and the one before them where one of these
            is left out.
        item_id
            The recommended item.
        swapped
            Positions of the history, counted from 1, at which the text embedding and the image
            embedding are exchanged.
        keyword_deletions
            For each image whose keywords are to be explained, the embeddings of its keywords
            without each of them (``keyword_deletion.embed_keyword_deletions``). A table with one
            slot per keyword (``image_slots="keywords"``) does not need them.

        Returns
        -------
        evidence
            One entry per input. A history of one item has no evidence of kind ``interaction``:
            without it there is no score to compare with.

        Raises
        ------
        UserError
            If an item or a position is unknown, if the model knows no item of the history, or if
            a model with one modality is asked to swap.
        """
        (found,) = self.explain_many(
            history, [item_id], swapped=swapped, keyword_deletions=keyword_deletions
        )
        return found

    @torch.inference_mode()
    def explain_many(
        self,
        history: Sequence[str],
        item_ids: Sequence[str],
        *,
        swapped: Collection[int] = (),
        keyword_deletions: KeywordDeletions | None = None,
    ) -> list[list[Evidence]]:
        """Explain several items after one history, as ``explain`` does, in one pass."""
        positions, numbers = self._read_history(history, swapped)
        targets = self.recommender.numbers_of(item_ids).tolist()
        read = range(max(0, len(numbers) - self.model.config.max_len), len(numbers))
        changed = {numbers[i] for i in read} | set(targets)
        changes = ItemInputs(self.table, self.items, self.keywords).list_changes(
            self.model, changed, keyword_deletions or {}, self.scorer.device
        )
        # What is left out: the interaction at position i, or a slot of the item there.
        steps: list[_Step] = [(i, None) for i in read] if len(numbers) > 1 else []
        steps += [(i, change) for i in read for change in changes.by_item[numbers[i]]]
        swaps = [position in swapped for position in positions]
        states = self._encode_steps(numbers, steps, changes, swaps)

        wanted = torch.tensor(targets, dtype=torch.long, device=self.scorer.device)
        scores = torch.stack(
            [cosine_scores(state, self.scorer.items[m][wanted]) for m, state in states.items()]
        )  # (modalities, 1 + steps, targets)
        effects = (scores[:, :1] - scores[:, 1:]).permute(2, 1, 0).tolist()
        found: list[list[Evidence]] = []
        for column, target in enumerate(targets):
            pieces = [
                self._evidence(numbers[i], positions[i], changes.get(c), terms)
                for (i, c), terms in zip(steps, effects[column], strict=True)
            ]
            places = changes.by_item[target]
            without = torch.cat(
                [cosine_scores(z[:1], changes.embeddings[m][places]) for m, z in states.items()]
            )
            falls = (scores[:, 0, column, None] - without).T.tolist()
            pieces += [
                self._evidence(target, 0, changes.get(c), terms)
                for c, terms in zip(places, falls, strict=True)
            ]
            found.append(sorted(pieces, key=lambda piece: -piece.effect))
        return found

    def _read_history(
        self, history: Sequence[str], swapped: Collection[int]
    ) -> tuple[list[int], list[int]]:
        """Return positions and item numbers of the part of the history that the encoder reads."""
        if swapped and len(self.model.modalities) == 1:
            raise UserError(
                f"this model has one modality, {self.model.modalities[0]}: nothing to swap"
            )
        if wrong := [position for position in swapped if not 1 <= position <= len(history)]:
            raise UserError(f"a history of {len(history)} items has no position {wrong[0]} to swap")
        number = self.recommender.item_number
        known = [(k, number[item]) for k, item in enumerate(history, 1) if item in number]
        if not known:
            raise UserError("no item of the history is known to the model; check the item ids")
        known = known[-self.model.config.max_len - 1 :]
        return [position for position, _ in known], [item for _, item in known]

    def _encode_steps(
        self, history: list[int], steps: list[_Step], changes: Changes, swaps: list[bool]
    ) -> Modalities:
        """Return the last states of the whole sequence and of that after each step.

        Per modality ``(1 + steps, d)``. A modality is encoded again only where a step affects it.
        """
        # One pool of embeddings per modality: the history's, then those with a slot changed.
        slots = [(i, change) for i, change in steps if change is not None]
        items = torch.tensor(history, device=self.scorer.device)
        rows = torch.tensor([c for _, c in slots], dtype=torch.long, device=items.device)
        pool = {
            modality: torch.cat([z[items], changes.embeddings[modality][rows]])
            for modality, z in self.scorer.items.items()
        }
        if any(swaps):
            bits = torch.tensor([*swaps, *(swaps[i] for i, _ in slots)], device=items.device)
            text, image = complementary_mixup(pool["text"][None], pool["image"][None], bits[None])
            pool = {"text": text[0], "image": image[0]}

        whole, behind = list(range(len(history))), len(history)
        sequences = [whole]
        affected = {modality: [0] for modality in pool}  # the sequences to encode
        for place, (i, change) in enumerate(steps, 1):
            instead = [] if change is None else [behind]
            behind += len(instead)
            sequences.append([*whole[:i], *instead, *whole[i + 1 :]])
            for modality in pool:
                if change is None or changes.listed[change].affects(modality, swaps[i]):
                    affected[modality].append(place)
        # Left-aligned, the newest of each.
        cut = [torch.tensor(sequence[-self.model.config.max_len :]) for sequence in sequences]
        batch = pad_sequence(cut, batch_first=True).to(items.device)
        ends = torch.tensor([[len(sequence) - 1] for sequence in cut], device=items.device)
        states: dict[str, Tensor] = {}
        for modality, embeddings in pool.items():
            rows = torch.tensor(affected[modality], device=items.device)
            encoded = [
                run_transformer(
                    self.model.transformer, F.embedding(batch[some], embeddings), ends[some]
                )[:, 0]
                for some in rows.split(SEQUENCES)
            ]
            states[modality] = encoded[0][:1].repeat(len(sequences), 1)
            states[modality][rows] = torch.cat(encoded)
        return states

    def _evidence(
        self, item: int, position: int, change: Change | None, terms: list[float]
    ) -> Evidence:
        item_id = self.table.items[item]
        moved = (sum(terms), dict(zip(self.scorer.items, terms, strict=True)))
        if change is None:
            title = item_title(self.items, item_id)
            return Evidence("interaction", item_id, position, 0, title, *moved)
        what = (change.index, change.text, *moved, change.attention)
        return Evidence(change.kind, item_id, position, *what)
