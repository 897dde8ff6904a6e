"""Full-ranking evaluation: the target competes with every item, and ties count against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from msm4sr_lite.fast import has_fast_form

CUTOFFS = (5, 10, 20, 50)


@runtime_checkable
class Scorer(Protocol):
    """What can be evaluated: the model and every baseline."""

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return one score per item for each history, ``(histories, items + 1)``.

        Column i belongs to item number i; column 0 is padding and is ignored.
        """
        ...


def rank_of(
    scores: Float[Tensor, "rows items"],
    target: Int[Tensor, " rows"],
    allowed: Bool[Tensor, "rows items"],
) -> Int[Tensor, " rows"]:
    """Return the 1-based rank of each row's target among the allowed items.

    Items with the same score rank before the target. NaN is the lowest score. Source: ours.

    >>> scores = torch.tensor([[0.0, 0.5, 0.9, 0.5]])
    >>> rank_of(scores, torch.tensor([3]), torch.tensor([[False, True, True, True]]))
    tensor([3])
    """
    column = target[:, None]
    threshold = scores.gather(1, column)
    better_or_equal = ((scores >= threshold) | threshold.isnan()) & allowed
    return 1 + better_or_equal.scatter(1, column, False).sum(dim=1)


@has_fast_form
def target_ranks(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    *,
    filter_seen: bool = False,
    candidates: np.ndarray | None = None,
    batch_size: int = 512,
) -> np.ndarray:
    """Return the 1-based rank of each target among all items.

    Parameters
    ----------
    scorer
        The model or a baseline.
    histories, targets
        Item numbers of each history, and the item number of each target, ``(cases,)``.
    filter_seen
        Whether the items of a history (other than the target) are no candidates.
    candidates
        Item numbers that compete with the target; None for all items.
    batch_size
        Largest number of histories scored at once.

    Returns
    -------
    ranks
        Integers from 1, ``(cases,)``.
    """
    ranks = np.zeros(len(histories), dtype=np.int64)
    for first in range(0, len(histories), batch_size):
        rows = slice(first, first + batch_size)
        scores = scorer.score(histories[rows])
        allowed = torch.zeros_like(scores, dtype=torch.bool)
        allowed[:, torch.arange(1, scores.shape[1]) if candidates is None else candidates] = True
        for row, history in zip(allowed, histories[rows], strict=True):
            row[history] &= not filter_seen
        target = torch.as_tensor(targets[rows], device=scores.device)
        ranks[rows] = rank_of(scores, target, allowed).cpu().numpy()
    return ranks


def metrics(ranks: np.ndarray, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, np.ndarray]:
    """Return Recall, NDCG and MRR of every test case.

    With one target per case Recall@K is 1 if rank <= K, NDCG@K = 1 / log2(rank + 1) and
    MRR@K = 1 / rank; all are 0 for rank > K. Source: released code.

    >>> {name: values.round(3).tolist() for name, values in metrics(np.array([1, 3]), [2]).items()}
    {'recall@2': [1.0, 0.0], 'ndcg@2': [1.0, 0.0], 'mrr@2': [1.0, 0.0]}
    """
    values: dict[str, np.ndarray] = {}
    for k in cutoffs:
        hit = (ranks <= k).astype(np.float64)
        values[f"recall@{k}"] = hit
        values[f"ndcg@{k}"] = hit / np.log2(ranks + 1)
        values[f"mrr@{k}"] = hit / ranks
    return values


def summarise(
    values: dict[str, np.ndarray],
    users: np.ndarray | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, dict[str, float]]:
    """Return the mean of every metric with its 95 % bootstrap interval over users.

    Parameters
    ----------
    values
        For each metric the value of every test case, ``(cases,)``.
    users
        User index of each case, ``(cases,)``. A user is drawn with all of their cases, since these
        are not independent. None: every case belongs to another user.
    seed, resamples
        Seed and number of bootstrap resamples.

    Returns
    -------
    summary
        ``{metric: {"value", "low", "high"}}``, rounded to 6 decimals.
    """
    table = np.stack(list(values.values()), axis=1)  # (cases, metrics)
    users = np.arange(len(table)) if users is None else np.unique(users, return_inverse=True)[1]
    sums = np.stack([np.bincount(users, column) for column in table.T], axis=1)
    cases = np.bincount(users)
    rng, size = np.random.default_rng(seed), len(cases)
    # One resample at a time, so that a million users fit into memory.
    drawn = (rng.multinomial(size, np.full(size, 1 / size)) for _ in range(resamples))
    means = np.stack([row @ sums / (row @ cases) for row in drawn])
    middle = [column.mean() for column in values.values()]
    rows = np.stack([middle, *np.quantile(means, [0.025, 0.975], axis=0)], axis=1).round(6)
    return {
        name: {"value": value, "low": low, "high": high}
        for name, (value, low, high) in zip(values, rows.tolist(), strict=True)
    }


def evaluate(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    targets: np.ndarray,
    users: np.ndarray | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Rank, measure and summarise in one call; options as in ``target_ranks``."""
    return summarise(metrics(target_ranks(scorer, histories, targets, **options)), users)
