"""Results as a share of the oracle upper bound, where the users are simulated.

The upper bound is what the best possible recommender reaches on average. It is below 1, because
the next interaction is random even if its distribution is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from msm4sr_lite.baselines.oracle import load_oracles
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.study.models import StudyData

BATCH = 256  # histories scored at once


class UpperBound:
    """Expected NDCG@10 under the true distribution of each test case's item.

    The expectation has far less noise than the one interaction that happened. Items of the history
    are not ranked: simulated users never interact twice with an item.

    Attributes
    ----------
    oracles
        ``"oracle"`` and ``"content"``; empty if the true distribution is not known.
    best
        Kind of oracle -> the NDCG@10 that its own ranking can expect.
    """

    def __init__(self, data: StudyData) -> None:
        self.oracles = load_oracles(data.dataset.folder, data.sequences)
        self.histories, _ = data.sequences.held_out("test")
        if self.oracles:
            self.truth = self.oracles["oracle"].score(self.histories)[:, 1:].numpy()
        self.best = {kind: self.expected(oracle) or 0.0 for kind, oracle in self.oracles.items()}

    def expected(self, scorer: Scorer) -> float | None:
        """Return the NDCG@10 that a scorer's rankings can expect; None if that is not known."""
        if not self.oracles:
            return None
        total = 0.0
        for start in range(0, len(self.histories), BATCH):
            rows = slice(start, start + BATCH)
            scores = scorer.score(self.histories[rows])[:, 1:].double().cpu().clone()
            for row, history in zip(scores, self.histories[rows], strict=True):
                row[history - 1] = -torch.inf
            last = scores[torch.isfinite(scores)].min() - 1  # infinities have no difference
            finite = scores.clamp_min(last).numpy()
            total += float(expected_ndcg(finite, self.truth[rows]).sum())
        return total / len(self.histories)

    def shares(self, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return a model's expected NDCG@10 over its seeds and its share of each upper bound."""
        if not self.best:
            return {}
        mean = float(np.mean([run["expected_ndcg@10"] for run in runs]))
        return {
            "expected_ndcg@10": round(mean, 6),
            "share_of_upper_bound": {kind: round(mean / top, 4) for kind, top in self.best.items()},
        }


def expected_ndcg(scores: np.ndarray, truth: np.ndarray, k: int = 10) -> np.ndarray:
    """Return the expected NDCG@k of rankings under a known distribution of the next item.

    Items with equal scores share the mean gain of their places.

    Parameters
    ----------
    scores
        One score per item and history, higher is better, ``(histories, items)``.
    truth
        True probability of each item to come next, same shape.
    k
        Cut-off.

    Returns
    -------
    ndcg
        One value per history, ``(histories,)``.

    Examples
    --------
    >>> expected_ndcg(np.array([[2.0, 1.0, 0.0]]), np.array([[0.5, 0.3, 0.2]]), k=1)
    array([0.5])
    >>> expected_ndcg(np.array([[1.0, 1.0, 0.0]]), np.array([[0.5, 0.3, 0.2]]), k=1)
    array([0.4])
    """
    rows, n_items = scores.shape
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    gain = np.zeros(n_items)
    gain[:k] = 1 / np.log2(np.arange(2, min(k, n_items) + 2))
    # Equal up to rounding counts as equal: sums of the same terms may end in different digits.
    step = ranked[:, :-1] - ranked[:, 1:] > 1e-12 * np.abs(ranked[:, :-1])
    starts = np.concatenate([np.ones((rows, 1), dtype=bool), step], axis=1)
    run = np.cumsum(starts) - 1  # runs of equal scores, numbered through all rows
    total = np.bincount(run, weights=np.tile(gain, rows))
    shared = (total / np.bincount(run))[run].reshape(rows, n_items)
    return (np.take_along_axis(truth, order, axis=1) * shared).sum(axis=1)
