"""Items that nobody has bought yet: how well they are found, and what training does to them.

A catalogue of a shop holds things without a single purchase. In fine-tuning they are nobody's next
item, yet the softmax over the catalogue counts them among the wrong answers of every purchase: it
pushes their id vectors away and teaches the adapters that what looks like them is not bought. With
``FinetuneConfig(candidates="seen")`` they take no part; their id vectors then stay what chance
made them, and ``replace_ids`` takes these away, as if the items had come after the training.
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

POPULARITY = (0, 1, 3, 6, 11)  # purchases in training at which a bucket begins
LENGTHS = (1, 5, 7, 9, 12)  # purchases of a customer before the test item, likewise
CUTOFFS = (5, 10, 20)


def cold_items(sequences: Sequences) -> np.ndarray:
    """Return the numbers of the strictly cold items: those that no history at test time holds.

    They are in no training sequence, no validation item and no input; at most a test item.
    """
    histories, _ = sequences.held_out("test")
    seen = np.bincount(np.concatenate(histories), minlength=len(sequences.items))
    return 1 + np.flatnonzero(seen[1:] == 0)


def buckets(values: np.ndarray, starts: Sequence[int]) -> dict[str, np.ndarray]:
    """Sort values into ranges that begin at ``starts``: name of the range -> places in ``values``.

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
    """Measure a scorer on the test items, cold and warm, by popularity and by length of history.

    Parameters
    ----------
    scorer
        Of the items of ``sequences``.
    sequences
        Of the shop.
    mask_history
        Whether what a customer has bought is no candidate.
    popularity_starts, length_starts
        Where the ranges begin, in purchases of the test item in training and in purchases of the
        customer before it.

    Returns
    -------
    figures
        ``all``; ``cold``, its entries ``among_all`` (every item of the catalogue competes) and
        ``among_cold`` (only other cold items do, named by ``candidates``, their number);
        ``by_popularity`` and ``by_history``, range -> figures among all items. Each has
        ``customers`` and, where there are any, ``metrics``: name -> value, low, high.
        ``cold_in_top10`` is the cold items' share of all places among the first ten, to be compared
        with ``cold_in_catalogue``, their share of the items.
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
    shown = exposure(scorer, histories, cold, filter_seen=filter_seen)
    return {
        "all": _figures(ranks),
        "cold": {
            "items": len(cold),
            "among_all": _figures(ranks[rows]),
            "among_cold": {"candidates": len(cold), **_figures(among_cold)},
        },
        "by_popularity": {
            name: _figures(ranks[chosen])
            for name, chosen in buckets(
                count_interactions(sequences)[targets], popularity_starts
            ).items()
        },
        "by_history": {
            name: _figures(ranks[chosen])
            for name, chosen in buckets(lengths, length_starts).items()
        },
        "cold_in_top10": round(float(shown.mean()), 6),
        "cold_in_catalogue": round(len(cold) / sequences.n_items, 6),
    }


def _figures(ranks: np.ndarray) -> dict[str, Any]:
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
    """Return, for each history, the share of ``items`` among the first ``k`` recommended.

    Parameters
    ----------
    scorer
        The model or a baseline.
    histories
        What each customer has bought.
    items
        Item numbers.
    k
        Places looked at.
    mask_history
        Whether what a customer has bought is never shown.
    batch_size
        Customers at once.
    """
    options = {"filter_seen": filter_seen, "batch_size": batch_size}
    return np.isin(top_lists(scorer, histories, k, **options), items).mean(axis=1)


def replace_ids(scorer: ModelScorer, items: np.ndarray, by: Literal["zero", "mean"]) -> ModelScorer:
    """Return a copy of a scorer in which some items have lost their learnt id vectors.

    Parameters
    ----------
    scorer
        Of a model with ids.
    items
        Item numbers; appended items, which have no id to lose, can be among them.
    by
        What stands there instead: ``zero``, nothing, or ``mean``, the mean id of all other items.

    Raises
    ------
    UserError
        If the model has no ids.
    """
    if scorer.model.ids is None:
        raise UserError("the model has no id vectors to replace; give a fine-tuned one")
    other = copy.copy(scorer)
    with torch.inference_mode():
        weight, size = scorer.model.ids.weight, len(scorer.units)
        rows = torch.from_numpy(items).to(weight.device)
        change = weight.new_zeros(size, weight.shape[1])
        learnt = rows[rows < len(weight)]
        change[learnt] = -weight[learnt]
        if by == "mean":
            keep = torch.ones(len(weight), dtype=torch.bool, device=weight.device)
            keep[learnt], keep[0] = False, False
            change[rows] += weight[keep].mean(dim=0)
        other.items = {modality: z + change for modality, z in scorer.items.items()}
        other.units = concat_normalized(other.items)
    return other


def without_items(
    sequences: Sequences, fraction: float, seed: int = 0
) -> tuple[Sequences, np.ndarray]:
    """Make items strictly cold in a shop that has none: nobody has bought them before the test.

    Parameters
    ----------
    sequences
        Of the shop.
    fraction
        Share of the items to draw, above 0 and below 1.
    seed
        Which are drawn.

    Returns
    -------
    sequences, drawn
        The drawn items are gone from every purchase but the test items, which stay as they are. The
        items keep their numbers. A customer with fewer than three purchases left (one to train on,
        one for validation, the test item) is left out.

    Raises
    ------
    UserError
        If the fraction is none, or nobody is left.
    """
    if not 0 < fraction < 1:
        raise UserError(f"a share of the items between 0 and 1 was expected; got {fraction}")
    rng = np.random.default_rng(seed)
    count = max(1, round(fraction * sequences.n_items))
    drawn = np.sort(1 + rng.choice(sequences.n_items, count, replace=False))
    keep = ~np.isin(sequences.interactions, drawn)
    keep[sequences.offsets[1:] - 1] = True  # the test items
    lengths = np.add.reduceat(keep, sequences.offsets[:-1])
    stay = lengths >= 3
    if not stay.any():
        raise UserError(
            f"without {count} items no customer has three purchases left; draw a smaller fraction"
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
