"""Baselines without learning. Each is a ``Scorer``, fitted on the same training sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.sequences import Sequences


class Popularity:
    """Recommend what was bought most often; the same list for everybody."""

    def __init__(self, sequences: Sequences) -> None:
        events = np.concatenate(sequences.train())
        counts = np.bincount(events, minlength=sequences.n_items + 1)
        self.counts = torch.from_numpy(counts.astype(np.float64))

    def scores(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return every item's number of purchases, once per history."""
        return self.counts.expand(len(histories), -1)


class ItemKNN:
    """Item-to-item counts: how many customers bought both items.

    A history scores an item by the sum of its counts with the history's items, each weighing
    ``decay`` times the one that was bought after it.
    """

    def __init__(self, sequences: Sequences, decay: float = 0.8) -> None:
        train = sequences.train()
        users = np.repeat(np.arange(len(train)), [len(s) for s in train])
        bought = sparse.csr_array(
            (np.ones(len(users)), (users, np.concatenate(train))),
            shape=(len(train), sequences.n_items + 1),
        )
        bought.data[:] = 1  # a repeated purchase counts once
        together = (bought.T @ bought).tolil()
        together.setdiag(0)
        self.together, self.decay = together.tocsr(), decay

    def scores(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum of counts for every item."""
        rows = np.repeat(np.arange(len(histories)), [len(h) for h in histories])
        weights = np.concatenate([self.decay ** np.arange(len(h))[::-1] for h in histories])
        baskets = sparse.csr_array(
            (weights, (rows, np.concatenate(histories))),
            shape=(len(histories), self.together.shape[0]),
        )
        return torch.from_numpy((baskets @ self.together).toarray())


BASELINES: dict[str, Callable[[Sequences], Scorer]] = {
    "popularity": Popularity,
    "item_knn": ItemKNN,
}
