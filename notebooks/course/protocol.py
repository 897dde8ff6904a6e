"""What the protocol of an evaluation does to its figures: filters, leaks, sampled candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd
from scipy import stats

from msm4sr_lite.evaluation import CUTOFFS
from msm4sr_lite.sequences import Sequences

# ------------------------------------------------------------------ filters


def filter_rounds(
    events: pd.DataFrame, min_user_interactions: int, min_item_interactions: int
) -> list[tuple[int, int, int]]:
    """Return how many customers, items and purchases are left after each round of the filters.

    A round asks every customer for ``user_min`` and every item for ``item_min`` purchases, all
    counted at its beginning, as ``build_sequences`` does it. The first entry is the file as it
    is; the last is what nothing more is taken from (or nothing at all).

    Parameters
    ----------
    events
        Columns ``user_id``, ``item_id``.
    user_min, item_min
        Fewest purchases of a customer and of an item.
    """
    rounds = []
    while True:
        users, items = events["user_id"], events["item_id"]
        rounds.append((users.nunique(), items.nunique(), len(events)))
        enough = users.map(users.value_counts()) >= min_user_interactions
        enough &= items.map(items.value_counts()) >= min_item_interactions
        if enough.all():
            return rounds
        events = events[enough]


# ------------------------------------------------------------------ leaks


@dataclass(frozen=True)
class Leaking(Sequences):
    """Sequences whose training part is given by hand, so that it may hold what it must not.

    Attributes
    ----------
    training
        What ``train`` returns: for each customer item numbers, oldest first.
    """

    training: list[np.ndarray] = field(default_factory=list)

    def train(self) -> list[np.ndarray]:
        """Return the training part that was given."""
        return self.training


def leaking(sequences: Sequences, training: list[np.ndarray]) -> Leaking:
    """Return the same customers and items with another training part."""
    same = {entry.name: getattr(sequences, entry.name) for entry in fields(sequences)}
    return Leaking(**same, training=training)


def hide_one(
    sequences: Sequences, seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Hide one purchase of every customer, drawn at random, never the first one.

    Returns
    -------
    before, others, hidden
        For each customer: the purchases before the hidden one; all but the hidden one, later
        ones included; and the hidden item's number, shape ``(users,)``.
    """
    dice = np.random.default_rng(seed)
    before, others, hidden = [], [], []
    for user in range(len(sequences.users)):
        bought = sequences.user_sequence(user)
        place = int(dice.integers(1, len(bought)))
        before.append(bought[:place])
        others.append(np.delete(bought, place))
        hidden.append(bought[place])
    return before, others, np.array(hidden, dtype=np.int64)


# ------------------------------------------------------------------ sampled candidates


def competitors(
    histories: Sequence[np.ndarray], targets: np.ndarray, n_items: int, filter_seen: bool
) -> np.ndarray:
    """Return how many items compete with each target under full ranking, shape ``(users,)``."""
    if not filter_seen:
        return np.full(len(targets), n_items - 1)
    pairs = zip(histories, targets, strict=True)
    return np.array([n_items - len({*h.tolist(), int(t)}) for h, t in pairs])


def sampled_metrics(
    ranks: np.ndarray, others: np.ndarray, drawn: int = 100, cutoffs: Sequence[int] = CUTOFFS
) -> dict[str, np.ndarray]:
    """Return Recall, NDCG and MRR as they would be with ``drawn`` random competitors only.

    Of ``others`` competitors, ``rank - 1`` are better than the target. How many of these are
    among ``drawn`` different ones is hypergeometric, so the metrics' means over all possible draws
    need no draw.

    Parameters
    ----------
    ranks
        Full ranks, from 1, shape ``(users,)``.
    others
        How many items compete under full ranking (see :func:`competitors`), same shape.
    drawn
        How many of them are drawn, without repetition.
    cutoffs
        The K of the metrics.

    Returns
    -------
    values
        As of ``evaluation.metrics``: a name and one value per customer.

    Raises
    ------
    ValueError
        If some customer has fewer than ``drawn`` competitors.
    """
    if (others < drawn).any():
        raise ValueError(f"drawn must be at most {others.min()}, the competitors; got {drawn}")
    better = np.arange(max(cutoffs))  # so many of the drawn ones are better: the rank is one more
    chance = stats.hypergeom.pmf(better, others[:, None], ranks[:, None] - 1, drawn)
    values: dict[str, np.ndarray] = {}
    for k in cutoffs:
        values[f"recall@{k}"] = chance[:, :k].sum(axis=1)
        values[f"ndcg@{k}"] = chance[:, :k] @ (1 / np.log2(better[:k] + 2))
        values[f"mrr@{k}"] = chance[:, :k] @ (1 / (better[:k] + 1))
    return values
