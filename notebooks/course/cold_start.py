"""Items without interactions: how well they are ranked, and what training does to them.

Such items are never a target in fine-tuning, yet the softmax over all items uses them as negatives
of every target. It pushes their id embeddings away, and it teaches the adaptors that items with
such content are not chosen. With ``FinetuneConfig(candidates="seen")`` they are no negatives. Their
id embeddings are then not trained, only shrunk by weight decay. ``replace_ids`` removes what is
left, as if the items had been added after the training.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import concat_normalized
from msm4sr_lite.evaluation import Scorer, metrics, summarise, target_ranks
from msm4sr_lite.recommend.top_items import top_items
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.study.cold_start import LENGTHS, POPULARITY, case_subsets, cold_cases, cold_items

CUTOFFS = (5, 10, 20)


def report(
    scorer: Scorer,
    sequences: Sequences,
    *,
    popularity_starts: Sequence[int] = POPULARITY,
    length_starts: Sequence[int] = LENGTHS,
) -> dict[str, Any]:
    """Evaluate a scorer on cold and warm targets, by popularity and by length of the history.

    Items of the history are no candidates.

    Parameters
    ----------
    scorer
        Of the items of ``sequences``.
    sequences
        Filtered and split interactions.
    popularity_starts, length_starts
        Where the ranges begin: training interactions of the target, and length of the history.

    Returns
    -------
    results
        ``all``; ``cold``, with ``among_all`` (all items are candidates) and ``among_cold`` (only
        cold items are; ``candidates`` is their number); ``by_popularity`` and ``by_history``, range
        -> results among all items. Each has ``users`` and, if there are any, ``metrics``: name ->
        value, low, high. ``cold_in_top10`` is the cold items' share of the first ten places, to be
        compared with ``cold_in_catalogue``, their share of all items.
    """
    histories, targets = sequences.held_out("test")
    cold, rows = cold_items(sequences), cold_cases(sequences)
    ranks = target_ranks(scorer, histories, targets, filter_seen=True)
    among_cold = ranks[:0]
    if len(rows):
        asked = [histories[row] for row in rows]
        among_cold = target_ranks(scorer, asked, targets[rows], candidates=cold)
    return {
        "all": _summary(ranks),
        "cold": {
            "items": len(cold),
            "among_all": _summary(ranks[rows]),
            "among_cold": {"candidates": len(cold), **_summary(among_cold)},
        },
        **{
            subset: {name: _summary(ranks[chosen]) for name, chosen in ranges.items()}
            for subset, ranges in case_subsets(sequences, popularity_starts, length_starts).items()
        },
        "cold_in_top10": round(float(exposure(scorer, histories, cold).mean()), 6),
        "cold_in_catalogue": round(len(cold) / sequences.n_items, 6),
    }


def _summary(ranks: np.ndarray) -> dict[str, Any]:
    if not len(ranks):
        return {"users": 0}
    return {"users": len(ranks), "metrics": summarise(metrics(ranks, CUTOFFS))}


def exposure(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    items: np.ndarray,
    k: int = 10,
    filter_seen: bool = True,
) -> np.ndarray:
    """Return the share of ``items`` among the first ``k`` recommended, ``(histories,)``.

    Parameters
    ----------
    scorer
        The model or a baseline.
    histories
        Item numbers of each history, oldest first.
    items
        Item numbers.
    k
        Length of the lists.
    filter_seen
        Whether the items of a history are not recommended.
    """
    size = scorer.score(histories[:1]).shape[1]
    lists = top_items(scorer.score, histories, k, np.arange(size) > 0, filter_seen)
    return np.array([np.isin(best, items).sum() / k for best, _ in lists])


def replace_ids(scorer: ModelScorer, items: np.ndarray, by: Literal["zero", "mean"]) -> ModelScorer:
    """Return a copy of a scorer in which the id embeddings of some items are replaced.

    Parameters
    ----------
    scorer
        Of a model with item ids.
    items
        Item numbers. Items that were appended to the scorer have no id embedding, and may be among
        them.
    by
        ``"zero"``, or ``"mean"``: the mean id embedding of all other items.

    Raises
    ------
    UserError
        If the model has no item ids.
    """
    if scorer.model.ids is None:
        raise UserError(
            "the model has no id embeddings to replace; give a model fine-tuned with use_ids"
        )
    other = copy.copy(scorer)
    with torch.inference_mode():
        weight, size = scorer.model.ids.weight, len(scorer.units)
        rows = torch.from_numpy(items).to(weight.device)
        change = weight.new_zeros(size, weight.shape[1])
        known = rows[rows < len(weight)]
        change[known] = -weight[known]
        if by == "mean":
            keep = torch.ones(len(weight), dtype=torch.bool, device=weight.device)
            keep[known], keep[0] = False, False
            change[rows] += weight[keep].mean(dim=0)
        other.items = {modality: z + change for modality, z in scorer.items.items()}
        other.units = concat_normalized(other.items)
    return other
