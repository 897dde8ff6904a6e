"""Results as a share of the best possible, where that is known: on the sample shop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from data_samples.make.ceiling import expected_ndcg
from data_samples.make.oracle import oracles
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.study.beyond_accuracy import candidate_scores
from msm4sr_lite.study.data import Data


@dataclass(frozen=True)
class UpperBound:
    """The NDCG@10 that a ranking can expect, over the true distribution of the next purchase.

    It has far less noise than the one purchase that happened. History is masked: nobody in the
    sample buys a thing twice.

    Attributes
    ----------
    histories
        Of the test cases.
    truth
        The probability of every item to be bought next, ``(cases, items)``; empty where the
        shop's machinery is not known.
    best
        Kind of oracle -> the NDCG@10 that its own ranking can expect.
    """

    histories: list[np.ndarray]
    truth: np.ndarray
    best: dict[str, float]

    @classmethod
    def of(cls, data: Data) -> UpperBound:
        """Work out the ceilings of a shop, if they are known."""
        known = oracles(data.dataset.image_root, data.sequences)
        histories, _ = data.sequences.held_out("test")
        if not known:
            return cls(histories, np.empty((0, 0)), {})
        truth = known["oracle"].score(histories)[:, 1:].numpy()
        lost = 1 - truth.sum(axis=1)  # a filter on items took some of what could be bought
        if lost.max() > 1e-6:
            return cls(histories, np.empty((0, 0)), {})
        found = cls(histories, truth, {})
        return cls(
            histories,
            truth,
            {kind: found.expected(oracle) or 0.0 for kind, oracle in known.items()},
        )

    def expected(self, scorer: Scorer) -> float | None:
        """Return the NDCG@10 that a scorer's rankings can expect; None if that is not known."""
        if not self.truth.size:
            return None
        total = 0.0
        for rows, scores in candidate_scores(scorer, self.histories):
            last = scores[torch.isfinite(scores)].min() - 1  # infinities have no difference
            finite = scores[:, 1:].clamp_min(last).cpu().numpy()
            total += float(expected_ndcg(finite, self.truth[rows]).sum())
        return total / len(self.histories)

    def shares(self, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return a contender's expected NDCG@10, mean over seeds, and its share of each ceiling."""
        if not self.best:
            return {}
        mean = float(np.mean([run["expected_ndcg@10"] for run in runs]))
        return {
            "expected_ndcg@10": round(mean, 6),
            "share_of_upper_bound": {kind: round(mean / top, 4) for kind, top in self.best.items()},
        }
