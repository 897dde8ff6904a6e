"""Results as a share of the oracle upper bound, where the users are simulated.

The upper bound is what the best possible recommender reaches on average. It is below 1, because
the next interaction is random even if its distribution is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from msm4sr_lite.baselines.oracle import Oracle, load_oracles
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.study.beyond_accuracy import candidate_scores
from msm4sr_lite.study.data import StudyData


@dataclass
class UpperBound:
    """Expected NDCG@10 under the true distribution of each test case's item.

    The expectation has far less noise than the one interaction that happened. Items of the history
    are not ranked: simulated users never interact twice with an item.

    Attributes
    ----------
    histories
        Of the test cases.
    oracles
        ``"oracle"`` and ``"content"``; empty if the true distribution is not known.
    truth
        The probability of each item to come next, ``(cases, items)``.
    best
        Kind of oracle -> the NDCG@10 that its own ranking can expect.
    """

    histories: list[np.ndarray]
    oracles: dict[str, Oracle]
    truth: np.ndarray
    best: dict[str, float]

    @classmethod
    def of(cls, data: StudyData) -> UpperBound:
        """Compute the upper bounds of a dataset, if its true distribution is known."""
        oracles = load_oracles(data.dataset.folder, data.sequences)
        histories, _ = data.sequences.held_out("test")
        found = cls(histories, oracles, np.empty((0, 0)), {})
        if oracles:
            found.truth = oracles["oracle"].score(histories)[:, 1:].numpy()
        for kind, oracle in oracles.items():
            found.best[kind] = found.expected(oracle) or 0.0
        return found

    def expected(self, scorer: Scorer) -> float | None:
        """Return the NDCG@10 that a scorer's rankings can expect; None if that is not known."""
        if not self.oracles:
            return None
        total = 0.0
        for rows, scores in candidate_scores(scorer, self.histories):
            last = scores[torch.isfinite(scores)].min() - 1  # infinities have no difference
            finite = scores[:, 1:].clamp_min(last).cpu().numpy()
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
