"""Sequential rules: the items that followed the newest item of a history in other histories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from msm4sr_lite.baselines.item_knn import check_decay
from msm4sr_lite.config import UserError
from msm4sr_lite.sequences import Sequences


class SequentialRules:
    """A Markov chain that looks further than one step ahead.

    Parameters
    ----------
    sequences
        The training interactions to count.
    decay
        An item n steps later counts ``decay ** (n - 1)``: with 0 only the next one counts.
    steps
        How many steps to look ahead.
    """

    def __init__(self, sequences: Sequences, decay: float = 0.5, steps: int = 10) -> None:
        check_decay(decay)
        if steps < 1:
            raise UserError(f"steps must be at least 1; got {steps}")
        size = sequences.n_items + 1
        self.after = sparse.csr_array((size, size))
        for step in range(1, steps + 1):
            pairs = [np.stack([s[:-step], s[step:]]) for s in sequences.train() if len(s) > step]
            if not pairs or (weight := decay ** (step - 1)) == 0:
                break
            row, column = np.concatenate(pairs, axis=1)
            self.after += sparse.csr_array((np.full(len(row), weight), (row, column)), (size, size))

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted counts of what followed each history's newest item."""
        return torch.from_numpy(self.after[[h[-1] for h in histories]].toarray())
