"""Full-ranking evaluation: the target competes with every item, and ties count against it."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.fast import has_fast_form
from msm4sr_lite.intervals import summarise

Scores = Float[Tensor, "rows items"]
Numbers = Int[Tensor, " rows"]
Array = np.ndarray
Histories = Sequence[np.ndarray]
NOT_FINITE = (
    "the scores are not finite numbers; weights or features are damaged, or the learning rate was"
    " too high: train again"
)
CUTOFFS = (5, 10, 20, 50)


@runtime_checkable
class Scorer(Protocol):
    """Anything that can be evaluated: a model or a baseline."""

    def score(self, histories: Histories) -> Tensor:
        """Return one score per item for each history, ``(histories, items + 1)``.

        Column i belongs to item number i; column 0 is padding and is ignored.
        """
        ...


def rank_of(scores: Scores, target: Numbers, allowed: Bool[Tensor, "rows items"]) -> Numbers:
    """Return the 1-based rank of each row's target among the allowed items.

    Items with the same score rank before the target, and all items before a target with the score
    NaN. Source: ours.

    >>> scores = torch.tensor([[0.0, 0.5, 0.9, 0.5]])
    >>> rank_of(scores, torch.tensor([3]), torch.tensor([[False, True, True, True]]))
    tensor([3])
    """
    column = target[:, None]
    threshold = scores.gather(1, column)
    better_or_equal = ((scores >= threshold) | threshold.isnan()) & allowed
    return 1 + better_or_equal.scatter(1, column, False).sum(dim=1)


def all_finite(scores: Scores) -> bool:
    """Return whether the scores of all items are finite; column 0 is padding and may be anything.

    A finite sum has finite terms only, and is the quickest to compute.
    """
    of_items = scores[:, 1:]
    return bool(of_items.sum().isfinite()) or bool(of_items.isfinite().all())


@has_fast_form
def target_ranks(
    scorer: Scorer,
    histories: Histories,
    targets: Array,
    *,
    filter_seen: bool = False,
    candidates: Array | None = None,
    batch_size: int = 512,
) -> Array:
    """Return the 1-based rank of each target among all items.

    Parameters
    ----------
    scorer
        The model or a baseline; all scores must be finite.
    histories, targets
        Item numbers of each history, and the item number of each target, ``(cases,)``.
    filter_seen
        Whether to filter the items of a history, except the target, from the ranking.
    candidates
        Item numbers that compete with the target; None for all items.
    batch_size
        Largest number of histories scored at once.

    Returns
    -------
    ranks
        Integers from 1, ``(cases,)``.

    Raises
    ------
    UserError
        If a score is NaN or infinite.
    """
    ranks = np.zeros(len(histories), dtype=np.int64)
    for first in range(0, len(histories), batch_size):
        rows = slice(first, first + batch_size)
        scores = scorer.score(histories[rows])
        if not all_finite(scores):
            raise UserError(NOT_FINITE)
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


def evaluate(
    scorer: Scorer, histories: Histories, targets: Array, users: Array | None = None, **options: Any
) -> dict[str, Any]:
    """Return every metric with its interval (``summarise``); options as in ``target_ranks``."""
    return summarise(metrics(target_ranks(scorer, histories, targets, **options)), users)
