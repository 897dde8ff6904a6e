"""What an evaluation protocol does to the metrics: filters, leaks, sampled candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd
from scipy import stats

from msm4sr_lite.evaluation import CUTOFFS
from msm4sr_lite.sequences import Sequences


def count_filter_rounds(
    interactions: pd.DataFrame, min_user_interactions: int, min_item_interactions: int
) -> list[tuple[int, int, int]]:
    """Return how many users, items and interactions are left after each round of the filters.

    A round drops users and items with too few interactions, all counted at its beginning, as
    ``build_sequences`` does it. The first entry counts the file as it is. The last is the result,
    from which nothing more is dropped.

    Parameters
    ----------
    interactions
        Columns ``user_id``, ``item_id``.
    min_user_interactions, min_item_interactions
        Fewest interactions of a user and of an item.
    """
    rounds = []
    while True:
        users, items = interactions["user_id"], interactions["item_id"]
        rounds.append((users.nunique(), items.nunique(), len(interactions)))
        enough = users.map(users.value_counts()) >= min_user_interactions
        enough &= items.map(items.value_counts()) >= min_item_interactions
        if enough.all():
            return rounds
        interactions = interactions[enough]


@dataclass(frozen=True)
class LeakingSequences(Sequences):
    """Sequences whose training part is given by hand, so that it may contain test items.

    Attributes
    ----------
    training
        What ``train`` returns: item numbers per user, oldest first.
    """

    training: list[np.ndarray] = field(default_factory=list)

    def train(self) -> list[np.ndarray]:
        """Return the training part that was given."""
        return self.training


def replace_training(sequences: Sequences, training: list[np.ndarray]) -> LeakingSequences:
    """Return the same users and items with another training part."""
    same = {entry.name: getattr(sequences, entry.name) for entry in fields(sequences)}
    return LeakingSequences(**same, training=training)


def hide_random_item(
    sequences: Sequences, seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Hide one interaction of every user, drawn at random, never the first one.

    Returns
    -------
    before, others, hidden
        For each user: the items before the hidden one; all but the hidden one, later ones
        included; and the hidden item's number, shape ``(users,)``.
    """
    rng = np.random.default_rng(seed)
    before, others, hidden = [], [], []
    for user in range(len(sequences.users)):
        items = sequences.user_sequence(user)
        place = int(rng.integers(1, len(items)))
        before.append(items[:place])
        others.append(np.delete(items, place))
        hidden.append(items[place])
    return before, others, np.array(hidden, dtype=np.int64)


def count_competitors(
    histories: Sequence[np.ndarray], targets: np.ndarray, n_items: int, filter_seen: bool
) -> np.ndarray:
    """Return how many items compete with each target under full ranking, shape ``(users,)``."""
    if not filter_seen:
        return np.full(len(targets), n_items - 1)
    pairs = zip(histories, targets, strict=True)
    return np.array([n_items - len({*h.tolist(), int(t)}) for h, t in pairs])


def sampled_metrics(
    ranks: np.ndarray, n_competitors: np.ndarray, drawn: int = 100, cutoffs: Sequence[int] = CUTOFFS
) -> dict[str, np.ndarray]:
    """Return Recall, NDCG and MRR as they would be with ``drawn`` random competitors only.

    Of the competitors, ``rank - 1`` are better than the target. How many of these are
    among ``drawn`` different ones is hypergeometric, so the metrics' means over all possible draws
    need no draw.

    Parameters
    ----------
    ranks
        Full ranks, from 1, shape ``(users,)``.
    n_competitors
        How many items compete under full ranking (see :func:`count_competitors`), same shape.
    drawn
        How many of them are drawn, without repetition.
    cutoffs
        The K of the metrics.

    Returns
    -------
    values
        As of ``evaluation.metrics``: a name and one value per user.

    Raises
    ------
    ValueError
        If some user has fewer than ``drawn`` competitors.
    """
    if (n_competitors < drawn).any():
        raise ValueError(
            f"drawn must be at most {n_competitors.min()}, the competitors; got {drawn}"
        )
    better = np.arange(max(cutoffs))  # so many of the drawn ones are better: the rank is one more
    chance = stats.hypergeom.pmf(better, n_competitors[:, None], ranks[:, None] - 1, drawn)
    values: dict[str, np.ndarray] = {}
    for k in cutoffs:
        values[f"recall@{k}"] = chance[:, :k].sum(axis=1)
        values[f"ndcg@{k}"] = chance[:, :k] @ (1 / np.log2(better[:k] + 2))
        values[f"mrr@{k}"] = chance[:, :k] @ (1 / (better[:k] + 1))
    return values
