"""Find out whether two models find the same targets, or complement each other."""

import numpy as np

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import UserError


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
