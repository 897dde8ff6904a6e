"""Popularity: the items with the most interactions, the same list for every user."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.sequences import Sequences


def count_interactions(sequences: Sequences) -> np.ndarray:
    """Return each item's number of training interactions, ``(items + 1,)``."""
    return np.bincount(np.concatenate(sequences.train()), minlength=len(sequences.items))


class Popularity:
    """Scores every item by its number of training interactions."""

    def __init__(self, sequences: Sequences) -> None:
        self.counts = torch.from_numpy(count_interactions(sequences).astype(np.float64))

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the counts of all items, once per history."""
        return self.counts.expand(len(histories), -1)
