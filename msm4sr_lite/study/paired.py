"""Compute paired differences between models, with intervals and p-values."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy import stats

from msm4sr_lite.evaluation import metrics, summarise

Ranks: TypeAlias = Sequence[np.ndarray]
METRICS = ("ndcg@10", "recall@20")
HALF = stats.norm.ppf(0.975)  # standard errors in half of a 95 % interval
POWER = stats.norm.ppf(0.8)  # further standard errors for a power of 80 %


def with_seeds(
    values: Sequence[dict[str, np.ndarray]], users: np.ndarray | None = None
) -> dict[str, dict[str, Any]]:
    """Return each metric's mean over test cases and seeds, with a 95 % interval.

    The interval covers the variation between users and between seeds. Its half width is
    sqrt(u² + s²). Here u is the half width of a bootstrap over users, of the mean over seeds, and s
    that of Student's t over seeds (0 with one seed).

    Parameters
    ----------
    values
        For each seed the metrics of all test cases, name -> ``(cases,)``.
    users
        The user of each test case, ``(cases,)``; None: each case has a different user.

    Returns
    -------
    metric -> ``value``, ``low``, ``high``, and ``seeds``, the mean of each seed.
    """
    each = {name: np.stack([one[name] for one in values]) for name in values[0]}
    over = summarise({name: cases.mean(axis=0) for name, cases in each.items()}, users)
    found: dict[str, dict[str, Any]] = {}
    for name, cases in each.items():
        value, low, high = (over[name][key] for key in ("value", "low", "high"))
        seeds, n, spread = cases.mean(axis=1), len(values), 0.0
        if n > 1:
            spread = float(stats.t.ppf(0.975, n - 1) * seeds.std(ddof=1) / math.sqrt(n))
        found[name] = {
            "value": value,
            "low": round(value - math.hypot(value - low, spread), 6),
            "high": round(value + math.hypot(high - value, spread), 6),
            "seeds": seeds.round(6).tolist(),
        }
    return found


def paired(ranks: Ranks, base: Ranks, users: np.ndarray | None = None) -> dict[str, Any]:
    """Return the difference ``ranks`` minus ``base`` in each metric, paired by test case and seed.

    Parameters
    ----------
    ranks, base
        For each seed the rank of each target, ``(cases,)``. A model without seeds has one entry
        and is compared with every seed of the other.
    users
        The user of each test case, ``(cases,)``; None: each case has a different user.

    Returns
    -------
    differences
        For each metric:

        - ``value``: the mean difference
        - ``low``, ``high``: its 95 % interval as in ``with_seeds``
        - ``p``: the two-sided p-value of a normal distribution with this interval
        - ``detectable``: the smallest true difference that a study of this size finds significant
          with a power of 80 %
        - ``seeds``: the difference of each seed
    """
    differences = []
    for one, two in pair_seeds(ranks, base):
        values, others = metrics(one), metrics(two)
        differences.append({name: values[name] - others[name] for name in METRICS})
    found = with_seeds(differences, users)
    for result in found.values():
        error = (result["high"] - result["low"]) / 2 / HALF
        certain = 0.0 if result["value"] else 1.0
        result["p"] = float(2 * stats.norm.sf(abs(result["value"]) / error)) if error else certain
        result["detectable"] = round(float(error * (HALF + POWER)), 6)
    return found


def pair_seeds(a: Ranks, b: Ranks) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the ranks of two models seed by seed; a model without seeds is repeated."""
    n_seeds = max(len(a), len(b))
    a, b = (list(r) * (n_seeds if len(r) == 1 else 1) for r in (a, b))
    return list(zip(a, b, strict=True))


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for multiple tests (Holm, 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    stepped = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(stepped).clip(max=1)
    return [round(value, 12) for value in corrected.tolist()]
