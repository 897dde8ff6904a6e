"""Items without interactions: how well they are ranked, and what training does to them.

Such items are never a target in fine-tuning, yet the softmax over all items uses them as negatives
of every target. It pushes their id embeddings away, and it teaches the adaptors that items with
such content are not chosen. With ``FinetuneConfig(candidates="seen")`` they are no negatives. Their
id embeddings then keep their random initial values, and ``replace_ids`` removes these, as if the
items had been added after the training.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from msm4sr_lite.baselines import count_interactions
from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import concat_normalized
from msm4sr_lite.evaluation import (
    Scorer,
    metrics,
    summarise,
    target_ranks,
)
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.study.beyond_accuracy import top_lists

POPULARITY = (0, 1, 3, 6, 11)  # training interactions of the target at which a bucket begins
LENGTHS = (1, 5, 7, 9, 12)  # lengths of the history at which a bucket begins
CUTOFFS = (5, 10, 20)


def cold_items(sequences: Sequences) -> np.ndarray:
    """Return the numbers of the strictly cold items: those in no history at test time.

    They are in no training sequence and no validation target. They may be test targets.
    """
    histories, _ = sequences.held_out("test")
    seen = np.bincount(np.concatenate(histories), minlength=len(sequences.items))
    return 1 + np.flatnonzero(seen[1:] == 0)


def buckets(values: np.ndarray, starts: Sequence[int]) -> dict[str, np.ndarray]:
    """Sort values into ranges that begin at ``starts``: name of the range -> indices of values.

    >>> {name: rows.tolist() for name, rows in buckets(np.array([0, 4, 9, 1]), (0, 1, 3)).items()}
    {'0': [0], '1-2': [3], '3+': [1, 2]}
    """
    found = np.digitize(values, starts) - 1
    ends = [*(end - 1 for end in starts[1:]), None]
    names = [
        f"{start}+" if end is None else f"{start}" if end == start else f"{start}-{end}"
        for start, end in zip(starts, ends, strict=True)
    ]
    return {name: np.flatnonzero(found == i) for i, name in enumerate(names)}


def report(
    scorer: Scorer,
    sequences: Sequences,
    *,
    filter_seen: bool = True,
    popularity_starts: Sequence[int] = POPULARITY,
    length_starts: Sequence[int] = LENGTHS,
) -> dict[str, Any]:
    """Evaluate a scorer on cold and warm targets, by popularity and by length of the history.

    Parameters
    ----------
    scorer
        Of the items of ``sequences``.
    sequences
        Filtered and split interactions.
    filter_seen
        Whether items of the history are no candidates.
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
    cold = cold_items(sequences)
    ranks = target_ranks(scorer, histories, targets, filter_seen=filter_seen)
    rows = np.flatnonzero(np.isin(targets, cold))
    among_cold = ranks[:0]
    if len(rows):
        asked = [histories[row] for row in rows]
        among_cold = target_ranks(scorer, asked, targets[rows], candidates=cold)
    lengths = np.array([len(history) for history in histories])
    top10 = exposure(scorer, histories, cold, filter_seen=filter_seen)
    return {
        "all": _summary(ranks),
        "cold": {
            "items": len(cold),
            "among_all": _summary(ranks[rows]),
            "among_cold": {"candidates": len(cold), **_summary(among_cold)},
        },
        "by_popularity": {
            name: _summary(ranks[chosen])
            for name, chosen in buckets(
                count_interactions(sequences)[targets], popularity_starts
            ).items()
        },
        "by_history": {
            name: _summary(ranks[chosen])
            for name, chosen in buckets(lengths, length_starts).items()
        },
        "cold_in_top10": round(float(top10.mean()), 6),
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
    *,
    k: int = 10,
    filter_seen: bool = True,
    batch_size: int = 256,
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
        Whether items of the history are never recommended.
    batch_size
        Histories scored at once.
    """
    options = {"filter_seen": filter_seen, "batch_size": batch_size}
    return np.isin(top_lists(scorer, histories, k, **options), items).mean(axis=1)


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


def without_items(
    sequences: Sequences, fraction: float, seed: int = 0
) -> tuple[Sequences, np.ndarray]:
    """Make random items strictly cold: remove all their interactions but those that test.

    Parameters
    ----------
    sequences
        Filtered interactions, each user's last one held out for testing.
    fraction
        Share of the items to draw, above 0 and below 1.
    seed
        Decides which items are drawn.

    Returns
    -------
    sequences, drawn
        The items keep their numbers. Users with fewer than three interactions left (one to train
        on, one to validate, one to test) are dropped. ``drawn`` holds the item numbers.

    Raises
    ------
    UserError
        If ``fraction`` is out of range, or no user is left.
    """
    if not 0 < fraction < 1:
        raise UserError(f"fraction must be above 0 and below 1; got {fraction}")
    rng = np.random.default_rng(seed)
    count = max(1, round(fraction * sequences.n_items))
    drawn = np.sort(1 + rng.choice(sequences.n_items, count, replace=False))
    keep = ~np.isin(sequences.interactions, drawn)
    keep[sequences.offsets[1:] - 1] = True  # the test targets
    lengths = np.add.reduceat(keep, sequences.offsets[:-1])
    stay = lengths >= 3
    if not stay.any():
        raise UserError(
            f"without {count} items no user has three interactions left; use a smaller fraction"
        )
    keep &= np.repeat(stay, np.diff(sequences.offsets))
    return (
        Sequences(
            [user for user, here in zip(sequences.users, stay, strict=True) if here],
            sequences.items,
            sequences.interactions[keep],
            np.concatenate([[0], np.cumsum(lengths[stay])]),
        ),
        drawn,
    )
