"""Find the k best items of each history, in blocks so that memory stays bounded."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import NOT_FINITE

SCORES = 2**21  # scores held at once (8 MB in float32)
HISTORIES = 512  # most histories scored at once


def top_items(
    score: Callable[[Sequence[np.ndarray]], Tensor],
    histories: Sequence[np.ndarray],
    k: int,
    allowed: np.ndarray,
    filter_seen: bool = True,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the numbers and the scores of each history's k best items, best first.

    Items with equal scores are ordered by item number. (Evaluation counts ties against the model,
    see ``evaluation.rank_of``.)

    Parameters
    ----------
    score
        Returns one score per item for each history, ``(histories, items + 1)``.
    histories
        Item numbers of each history, oldest first; none may be empty.
    k
        Number of items per history. A history gets fewer if fewer are left after filtering.
    allowed
        Whether an item may be recommended, ``(items + 1,)``; entry 0 is padding.
    filter_seen
        Whether to leave out the items of the history.

    Yields
    ------
    numbers, scores
        Item numbers and scores of one history, both of shape ``(at most k,)``.

    Raises
    ------
    UserError
        If a score is not finite.
    """
    k, size = min(k, len(allowed)), min(HISTORIES, max(1, SCORES // len(allowed)))
    for start in range(0, len(histories), size):
        block = histories[start : start + size]
        scores = score(block).cpu().numpy().copy()  # the scorer may return its own array
        if not np.isfinite(scores[:, 1:]).all():
            raise UserError(NOT_FINITE)
        scores[:, ~allowed] = -np.inf
        for row, history in zip(scores, block, strict=True):
            if filter_seen:
                row[history] = -np.inf
            good_enough = (row >= np.partition(row, -k)[-k]) & (row > -np.inf)  # k items, or ties
            numbers = np.flatnonzero(good_enough)
            best = numbers[np.argsort(-row[numbers], kind="stable")[:k]]
            yield best, row[best]
