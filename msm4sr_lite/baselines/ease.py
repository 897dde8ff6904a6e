"""EASE, a linear model of items with a closed form (Steck, 2019)."""

import os
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.baselines.simple import occurrences, weigh_histories
from msm4sr_lite.config import UserError
from msm4sr_lite.sequences import Sequences

ROWS = 1024  # of the matrix, computed at once
# Least ratio of l2 to the largest sum of a row of X'X, which is no less than its largest
# eigenvalue: the inverse then is right to about 1 %.
PRECISION = 1e-5


class EASE:
    """Scores an item by a linear regression on all other items of the history.

    With X the training interactions (0 or 1, users by items) and P = (X'X + l2 I)^-1, the weights
    are B = I - P diag(1 / diag P), the least-squares solution with a zero diagonal. Computed in
    float32, in the memory of three matrices: 4.8 GB for 20,000 items.

    Parameters
    ----------
    sequences
        The training interactions; repeated interactions of a user count once.
    l2
        Weight of the L2 penalty.
    decay
        Weight of an item of the history relative to the next newer one, 0 to 1; 1 is the original.
    """

    def __init__(self, sequences: Sequences, l2: float = 100.0, decay: float = 0.8) -> None:
        l2, self.decay = ARGUMENTS["l2"].check(l2), ARGUMENTS["decay"].check(decay)
        size = sequences.n_items + 1
        gram = all_pairs(size)
        occurs = occurrences(sequences).astype(np.float32)
        by_item = occurs.T.tocsr()
        for first in range(0, size, ROWS):
            gram[first : first + ROWS] = (by_item[first : first + ROWS] @ occurs).toarray()
        if l2 < (lowest := PRECISION * float(gram.sum(axis=1).max())):
            raise UserError(
                f"l2={l2:g} is too small for these data in float32; at least {lowest:.2g} is needed"
            )
        matrix = torch.from_numpy(gram)
        matrix.diagonal().add_(l2)
        torch.cholesky_inverse(torch.linalg.cholesky(matrix), out=matrix)
        matrix /= -matrix.diagonal().clone()
        self.weights = matrix.fill_diagonal_(0).numpy()

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum of regression weights for every item."""
        weights = weigh_histories(histories, len(self.weights), self.decay)
        return torch.from_numpy(weights.astype(np.float32) @ self.weights)


def all_pairs(size: int) -> np.ndarray:
    """Return a matrix ``(size, size)`` of float32, whose values are not set.

    Raises
    ------
    UserError
        If three of them take more than three quarters of the machine's memory.
    """
    with suppress(MemoryError):
        if fits_memory(size):
            return np.empty((size, size), np.float32)
    raise UserError(
        f"baseline 'ease' needs {12e-9 * size**2:.1f} GB (items: {size - 1}), more than 3/4 of the"
        f" memory; leave it out, or keep fewer items by data.min_item_interactions"
    )


def fits_memory(size: int) -> bool:
    """Return whether three matrices ``(size, size)`` fit into 3/4 of the machine's memory."""
    there = float("inf")  # on Windows, which refuses what does not fit
    if hasattr(os, "sysconf"):
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 12 * size**2 <= 0.75 * there
