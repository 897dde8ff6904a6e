"""What recommendation lists are like, whether or not they hit: coverage and popularity bias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.evaluation import Scorer

TOGETHER = 256  # histories scored at once


def candidate_scores(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    *,
    filter_seen: bool = True,
    batch_size: int = TOGETHER,
) -> Iterator[tuple[slice, Tensor]]:
    """Yield some rows of ``histories`` and their scores at a time, ``(rows, items + 1)``.

    Padding, and with ``mask_history`` what a history holds, has minus infinity.
    """
    for start in range(0, len(histories), batch_size):
        batch = histories[start : start + batch_size]
        scores = scorer.score(batch).double().clone()
        scores[:, 0] = -torch.inf
        if filter_seen:
            rows = np.repeat(np.arange(len(batch)), [len(history) for history in batch])
            scores[rows, np.concatenate(batch)] = -torch.inf
        yield slice(start, start + len(batch)), scores


def top_lists(
    scorer: Scorer, histories: Sequence[np.ndarray], k: int = 10, **options: Any
) -> np.ndarray:
    """Return the best ``k`` item numbers for each history, ``(histories, k)``.

    Equal scores stand in the order of the catalogue. With fewer than ``k`` candidates the rest
    is 0. Options as in ``candidate_scores``.
    """
    found = np.zeros((len(histories), k), dtype=np.int64)
    for rows, scores in candidate_scores(scorer, histories, **options):
        best = scores.sort(dim=1, descending=True, stable=True)
        items = best.indices[:, :k].where(best.values[:, :k] > -torch.inf, 0)
        found[rows, : items.shape[1]] = items.cpu().numpy()
    return found


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Return the share of the catalogue that is in at least one list.

    >>> coverage(np.array([[1, 2], [2, 3]]), n_items=6)
    0.5
    """
    return len(set(lists.flatten().tolist()) - {0}) / n_items


def popularity_bias(lists: np.ndarray, targets: np.ndarray, bought: np.ndarray) -> float:
    """Return how much more popular the recommended items are than those that people chose.

    Mean number of training purchases of the items in the lists, divided by that of the test items:
    1 is as people choose, above 1 leans to what sells anyway.

    >>> popularity_bias(np.array([[1, 2]]), np.array([2]), np.array([0, 6, 2]))
    2.0
    """
    recommended, chosen = bought[lists[lists > 0]].mean(), bought[targets].mean()
    return float(recommended / chosen) if chosen else float("inf")
