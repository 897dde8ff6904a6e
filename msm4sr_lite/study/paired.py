"""What a change is worth: differences pair by pair, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from msm4sr_lite.evaluation import metrics, summarise

METRICS = ("ndcg@10", "recall@20")
HALF = stats.norm.ppf(0.975)  # standard errors in half of a 95 % interval
POWER = stats.norm.ppf(0.8)  # and what a power of 80 % asks for beyond it


def means(ranks: Sequence[np.ndarray]) -> dict[str, float]:
    """Return each metric's mean over customers and seeds."""
    values = [metrics(r) for r in ranks]
    return {m: round(float(np.mean([v[m] for v in values])), 6) for m in METRICS}


def spread_of_seeds(seeds: np.ndarray) -> float:
    """Return half of the 95 % interval of a mean over seeds (Student's t); 0 with one seed."""
    if len(seeds) < 2:
        return 0.0
    t = stats.t.ppf(0.975, len(seeds) - 1)
    return float(t * seeds.std(ddof=1) / math.sqrt(len(seeds)))


def with_seeds(
    values: Sequence[dict[str, np.ndarray]], users: np.ndarray | None = None
) -> dict[str, dict[str, Any]]:
    """Return every metric's mean over cases and seeds, with an interval for both.

    Other customers would have given another figure, and so would other seeds: each end of the
    interval is as far from the value as the root of the sum of the squares of both says, a
    bootstrap over customers (of the mean over the seeds) and Student's t over the seeds (nothing
    with one seed).

    Parameters
    ----------
    values
        For each seed each metric's value of every case.
    customers
        Whose case it is; None: every case is another customer's.

    Returns
    -------
    metric -> ``value``, ``low``, ``high``, and ``seeds``, the mean of every seed.
    """
    each = {name: np.stack([one[name] for one in values]) for name in values[0]}
    over = summarise({name: cases.mean(axis=0) for name, cases in each.items()}, users)
    found: dict[str, dict[str, Any]] = {name: dict(own) for name, own in over.items()}
    for name, cases in each.items():
        own, seeds = found[name], cases.mean(axis=1)
        value, spread = own["value"], spread_of_seeds(seeds)
        own["low"] = round(value - math.hypot(value - own["low"], spread), 6)
        own["high"] = round(value + math.hypot(own["high"] - value, spread), 6)
        own["seeds"] = seeds.round(6).tolist()
    return found


def paired(
    ranks: Sequence[np.ndarray],
    base: Sequence[np.ndarray],
    users: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return how much ``ranks`` gain on ``base``, pair by pair of case and seed.

    Parameters
    ----------
    ranks, base
        For each seed the rank of every test item. One that has a single entry where the other has
        several has no seeds, and is compared with every one of them.
    customers
        Whose test item it is, ``(cases,)``; None: every one is another customer's.

    Returns
    -------
    gains
        For each metric ``value``, the mean difference; ``low`` and ``high``, its 95 % interval, as
        ``with_seeds`` makes it; ``p``, two-sided, of the normal distribution that has this
        interval; ``detectable``, the smallest true difference that a study as large as this one
        would call significant in four of five cases; ``seeds``, the difference of every seed.
    """
    many = max(len(ranks), len(base))
    ranks, base = (list(r) * (many if len(r) == 1 else 1) for r in (ranks, base))
    gains = []
    for one, two in zip(ranks, base, strict=True):
        values, others = metrics(one), metrics(two)
        gains.append({name: values[name] - others[name] for name in METRICS})
    found = with_seeds(gains, users)
    for own in found.values():
        error = (own["high"] - own["low"]) / 2 / HALF
        certain = 0.0 if own["value"] else 1.0
        own["p"] = float(2 * stats.norm.sf(abs(own["value"]) / error)) if error else certain
        own["detectable"] = round(float(error * (HALF + POWER)), 6)
    return found


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for the number of tests (Holm, 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    stepped = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(stepped).clip(max=1)
    return [round(value, 12) for value in corrected.tolist()]
