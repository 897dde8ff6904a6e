"""Find out whether two models find the same targets, or complement each other."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import UserError
from msm4sr_lite.study.paired import Ranks, pair_seeds


def complementarity(ranks_a: np.ndarray, ranks_b: np.ndarray, k: int = 10) -> dict[str, float]:
    """Return the shares of test cases in which two models have the target among the first k.

    Parameters
    ----------
    ranks_a, ranks_b
        The rank of each target, as ``target_ranks`` returns them, for the same cases. With one
        target per user, a share of cases is a share of users.
    k
        Length of the lists.

    Returns
    -------
    shares
        ``both``, ``only_a``, ``only_b`` and ``neither``, which add up to 1; and ``union``, the
        Recall@k of an oracle that chooses the better list for each case.

    >>> complementarity(np.array([1, 1, 9, 9]), np.array([1, 9, 1, 9]), k=5)
    {'both': 0.25, 'only_a': 0.25, 'only_b': 0.25, 'neither': 0.25, 'union': 0.75}
    """
    k = ARGUMENTS["k"].check(k)
    a, b = np.asarray(ranks_a), np.asarray(ranks_b)
    if a.shape != b.shape or a.ndim != 1 or not len(a) or min(a.min(), b.min()) < 1:
        raise UserError("ranks_a and ranks_b must be ranks from 1 of the same test cases")
    a, b = a <= k, b <= k
    parts = {"both": a & b, "only_a": a & ~b, "only_b": b & ~a, "neither": ~a & ~b, "union": a | b}
    return {name: float(cases.mean()) for name, cases in parts.items()}


def pairwise(ranks: Mapping[str, Ranks], k: int = 10) -> dict[str, dict[str, dict[str, float]]]:
    """Return the complementarity of every two models, averaged over seeds.

    Parameters
    ----------
    ranks
        Model -> the rank of each target, for each seed. A model without seeds has one entry.
    k
        Length of the lists.

    Returns
    -------
    pairs
        Model a -> model b -> shares, for each pair once.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for a, b in combinations(ranks, 2):
        each = [complementarity(*pair, k) for pair in pair_seeds(ranks[a], ranks[b])]
        means = {name: round(float(np.mean([one[name] for one in each])), 6) for name in each[0]}
        found.setdefault(a, {})[b] = means
    return found
