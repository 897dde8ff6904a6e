"""ItemKNN: items that many users interacted with together (co-occurrence counts)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.sequences import Sequences


class ItemKNN:
    """Scores an item by how many users interacted with it and with the items of the history.

    Parameters
    ----------
    sequences
        The training interactions to count; repeated interactions of a user count once.
    decay
        Weight of an item of the history relative to the next newer one, 0 to 1.
    cosine
        Whether to divide each co-occurrence count by the square root of the product of both items'
        numbers of users. Then two rare items that occur together count as much as two popular ones.
    """

    def __init__(self, sequences: Sequences, decay: float = 0.8, cosine: bool = False) -> None:
        train = sequences.train()
        users = np.repeat(np.arange(len(train)), [len(s) for s in train])
        occurs = sparse.csr_array(
            (np.ones(len(users)), (users, np.concatenate(train))),
            shape=(len(train), sequences.n_items + 1),
        )
        occurs.data[:] = 1  # a repeated interaction counts once
        if cosine:
            n_users = np.asarray(occurs.sum(axis=0)).clip(min=1)
            occurs = (occurs @ sparse.diags_array(n_users**-0.5)).tocsr()
        together = (occurs.T @ occurs).tolil()
        together.setdiag(0)
        self.together, self.decay = together.tocsr(), check_decay(decay)

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum of co-occurrence counts for every item."""
        weights = weigh_histories(histories, self.together.shape[0], self.decay)
        return torch.from_numpy((weights @ self.together).toarray())


def weigh_histories(histories: Sequence[np.ndarray], items: int, decay: float) -> sparse.csr_array:
    """Return the weight of every item in every history, ``(histories, items)``.

    The newest item has weight 1; each older one has ``decay`` times the weight of the next newer.

    >>> weigh_histories([np.array([2, 1, 3])], items=4, decay=0.5).toarray()
    array([[0.  , 0.5 , 0.25, 1.  ]])
    """
    rows = np.repeat(np.arange(len(histories)), [len(h) for h in histories])
    weights = np.concatenate([decay ** np.arange(len(h))[::-1] for h in histories])
    return sparse.csr_array((weights, (rows, np.concatenate(histories))), (len(histories), items))


def check_decay(decay: float) -> float:
    """Return ``decay`` if it is from 0 to 1; anything else is an error."""
    if not 0 <= decay <= 1:
        raise UserError(f"decay must be from 0 to 1; got {decay}")
    return decay
