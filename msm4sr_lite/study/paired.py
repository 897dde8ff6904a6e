"""What a change is worth: differences pair by pair, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from msm4sr_lite.evaluation import metrics, summarise

METRICS = ("ndcg@10", "recall@20")


def means(ranks: Sequence[np.ndarray]) -> dict[str, float]:
    """Return each metric's mean over customers and seeds."""
    values = [metrics(r) for r in ranks]
    return {m: round(float(np.mean([v[m] for v in values])), 6) for m in METRICS}


def paired(ranks: Sequence[np.ndarray], base: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return how much ``ranks`` gain on ``base``, pair by pair of customer and seed.

    Parameters
    ----------
    ranks, base
        For each seed the rank of every customer's test item.

    Returns
    -------
    gains
        For each metric ``value``, the mean difference; ``low`` and ``high``, its 95 % interval;
        ``seeds``, the difference of every seed. Other customers would have given another figure,
        and so would other seeds: half the interval's width is the root of the sum of the squares of
        both, a bootstrap over customers (of the mean over the seeds) and Student's t over the seeds
        (nothing with one seed).
    """
    pairs = [(metrics(one), metrics(two)) for one, two in zip(ranks, base, strict=True)]
    found: dict[str, Any] = {}
    for name in METRICS:
        gain = np.stack([one[name] - two[name] for one, two in pairs])
        customers = summarise({name: gain.mean(axis=0)})[name]
        seeds = gain.mean(axis=1)
        spread = 0.0
        if len(seeds) > 1:
            spread = stats.t.ppf(0.975, len(seeds) - 1) * seeds.std(ddof=1) / math.sqrt(len(seeds))
        half = math.hypot((customers["high"] - customers["low"]) / 2, spread)
        found[name] = {
            "value": customers["value"],
            "low": round(customers["value"] - half, 6),
            "high": round(customers["value"] + half, 6),
            "seeds": seeds.round(6).tolist(),
        }
    return found
