"""The k best items of each history, computed in blocks so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.config import UserError

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

    Equal scores are ordered by item number.

    Parameters
    ----------
    score
        Returns one score per item for each history, ``(histories, items + 1)``.
    histories
        Item numbers of each history, oldest first; none may be empty.
    k
        How many items. A history for which fewer are left gets fewer.
    allowed
        Whether an item may be recommended, ``(items + 1,)``; entry 0 is padding.
    filter_seen
        Whether to leave out the items of the history.

    Yields
    ------
    numbers, scores
        Of one history, both of shape ``(at most k,)``.

    Raises
    ------
    UserError
        If a score is not finite.
    """
    size = min(HISTORIES, max(1, SCORES // len(allowed)))
    blocked = torch.from_numpy(~allowed)
    for start in range(0, len(histories), size):
        block = histories[start : start + size]
        scores = score(block).cpu().clone()  # a scorer may return what it keeps
        if not torch.isfinite(scores[:, 1:]).all():
            raise UserError(
                "the model returned a score that is not a finite number; its weights or features"
                " are damaged: train it again"
            )
        scores.masked_fill_(blocked, -torch.inf)
        if filter_seen:
            rows = np.repeat(np.arange(len(block)), [len(history) for history in block])
            scores[rows, np.concatenate(block)] = -torch.inf
        columns, values = best_columns(scores, k)
        counts = torch.isfinite(values).sum(dim=1).tolist()  # the finite ones come first
        for numbers, best, count in zip(columns.numpy(), values.numpy(), counts, strict=True):
            yield numbers[:count], best[:count]


def best_columns(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the columns of the k largest scores of each row and these scores, largest first.

    Unlike ``torch.topk``, equal scores are ordered by column.

    >>> best_columns(torch.tensor([[1.0, 3.0, 2.0, 3.0, 3.0]]), k=2)
    (tensor([[1, 3]]), tensor([[3., 3.]]))
    """
    k = min(k, scores.shape[1])
    best, columns = scores.topk(min(k + 1, scores.shape[1]))
    columns = columns[:, :k].sort(dim=1).values
    if best.shape[1] > k:  # where the next score equals the last one, topk chose any of them
        rows = (best[:, k] == best[:, k - 1]).nonzero()[:, 0]
        columns[rows] = _first_columns(scores[rows], best[rows, k - 1 : k], k)
    values, order = scores.gather(1, columns).sort(dim=1, descending=True, stable=True)
    return columns.gather(1, order), values


def _first_columns(scores: Tensor, least: Tensor, k: int) -> Tensor:
    """Return k columns of each row, ascending: all above ``least``, then the first equal to it."""
    above, equal = scores > least, scores == least
    room = k - above.sum(dim=1, keepdim=True)
    kept = above | (equal & (equal.cumsum(dim=1, dtype=torch.int32) <= room))
    return kept.nonzero()[:, 1].view(len(scores), k)
