"""How much each item of a history counts: less, the older it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from msm4sr_lite.config import UserError


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
