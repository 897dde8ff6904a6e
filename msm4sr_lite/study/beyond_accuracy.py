"""Properties of recommendation lists beyond accuracy: coverage and popularity bias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.evaluation import Scorer

BATCH = 256  # histories scored at once


def candidate_scores(
    scorer: Scorer,
    histories: Sequence[np.ndarray],
    *,
    filter_seen: bool = True,
    batch_size: int = BATCH,
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the scores of some rows of ``histories`` at a time, ``(rows, items + 1)``.

    Padding has minus infinity, and with ``filter_seen`` so have the items of the history.
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

    Equal scores keep the order of the items. With fewer than ``k`` candidates the rest is 0.
    Options as in ``candidate_scores``.
    """
    found = np.zeros((len(histories), k), dtype=np.int64)
    for rows, scores in candidate_scores(scorer, histories, **options):
        best = scores.sort(dim=1, descending=True, stable=True)
        items = best.indices[:, :k].where(best.values[:, :k] > -torch.inf, 0)
        found[rows, : items.shape[1]] = items.cpu().numpy()
    return found


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Return the share of all items that are in at least one list.

    >>> coverage(np.array([[1, 2], [2, 3]]), n_items=6)
    0.5
    """
    return len(set(lists.flatten().tolist()) - {0}) / n_items


def popularity_bias(lists: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> float:
    """Return how much more popular the recommended items are than the targets.

    The mean number of training interactions of the items in the lists, divided by that of the
    targets. Above 1 the lists favour popular items.

    >>> popularity_bias(np.array([[1, 2]]), np.array([2]), np.array([0, 6, 2]))
    2.0
    """
    recommended, chosen = counts[lists[lists > 0]].mean(), counts[targets].mean()
    return float(recommended / chosen) if chosen else float("inf")
