"""The best possible recommenders of a simulated dataset, read from ``oracle.npz`` beside it.

If users are simulated, the true distribution of a user's next item is known. The author of such a
dataset stores this distribution for each user's last interaction, the test case. There are two
oracles: ``"oracle"`` knows everything in the simulation, ``"content"`` only what texts and images
show.

All distributions are the product of two small matrices. The first has a row of hidden states for
each user, the second the weight of each item in each state. Items of the history have probability
0.
"""

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.sequences import Sequences

KINDS = ("oracle", "content")
BATCH = 256  # histories scored at once


class Oracle:
    """The true distribution of the next item as a ``Scorer`` of the test histories.

    Parameters
    ----------
    states
        Hidden states of each user at the test case, ``(users, states)``.
    weights
        Weight of each item in each state, ``(states, items + 1)``; column 0 is padding.
    rows
        Test history -> row of ``states``.
    """

    def __init__(
        self, states: np.ndarray, weights: np.ndarray, rows: dict[tuple[int, ...], int]
    ) -> None:
        self.states, self.weights, self.rows = states, weights, rows

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the probability of each item as the next one, float64 ``(histories, items + 1)``.

        Raises
        ------
        UserError
            If a history does not belong to a test case.
        """
        rows = [self.rows.get(tuple(history.tolist()), -1) for history in histories]
        if -1 in rows:
            raise UserError("an oracle scores only the test histories; got another history")
        found = self.states[rows] @ self.weights
        for row, history in zip(found, histories, strict=True):
            row[history] = 0
        return torch.from_numpy(found)


def history_hash(item_ids: Sequence[str]) -> int:
    """Return the 64-bit fingerprint of a history, oldest item first."""
    digest = hashlib.sha256("\n".join(item_ids).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def load_oracles(folder: Path | None, sequences: Sequences) -> dict[str, Oracle]:
    """Load the oracles of a dataset, if they belong to exactly these test cases.

    Parameters
    ----------
    folder
        Dataset folder, which may hold ``oracle.npz``.
    sequences
        Filtered and split interactions of that dataset.

    Returns
    -------
    oracles
        ``"oracle"`` and ``"content"``. Empty if there is no file, if the split does not hold out
        each user's last interaction alone, if a filter changed a test history, or if a filter
        removed an item that could be the next one.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    if not folder or not (path := folder / "oracle.npz").is_file() or sequences.cuts is not None:
        return {}
    try:
        with np.load(path) as file:
            stored_users, stored_items = pd.Index(file["user_ids"]), pd.Index(file["item_ids"])
            stored_hashes = file["history_hash"]
            factors = {kind: (file[f"{kind}_states"], file[f"{kind}_weights"]) for kind in KINDS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read ({error}); delete it or copy it again") from None

    items, (histories, _) = sequences.items, sequences.held_out("test")
    hashes = [history_hash([items[i] for i in history]) for history in histories]
    users = [sequences.users[user] for user in sequences.cases("test")[0]]
    rows, columns = stored_users.get_indexer(users), stored_items.get_indexer(items[1:])
    if -1 in rows or -1 in columns or stored_hashes[rows].tolist() != hashes:
        return {}
    others = np.delete(np.arange(len(stored_items)), columns)
    row_of = {tuple(h.tolist()): row for h, row in zip(histories, rows.tolist(), strict=True)}
    oracles = {}
    for kind, (states, weights) in factors.items():
        # Products of float64: in float32, items that are equally probable would differ.
        states, weights = states.astype(np.float64), weights.astype(np.float64)
        if (states[rows] @ weights[:, others]).any():
            return {}
        oracles[kind] = Oracle(states, np.pad(weights[:, columns], ((0, 0), (1, 0))), row_of)
    return oracles


class UpperBound:
    """Expected NDCG@10 of scorers, and the oracle upper bound: the best possible expected NDCG@10.

    Expectations are under the true distribution of each test case's item. The upper bound is below
    1, because the next interaction is random even if its distribution is known. An expectation has
    far less noise than a metric of the single interaction that happened. Items of the history are
    not ranked, since simulated users never interact twice with an item.

    Attributes
    ----------
    oracles
        ``"oracle"`` and ``"content"``; empty if the true distribution is not known.
    best
        Kind of oracle -> expected NDCG@10 of its own ranking.
    """

    def __init__(self, folder: Path | None, sequences: Sequences) -> None:
        self.oracles = load_oracles(folder, sequences)
        self.histories, _ = sequences.held_out("test")
        if self.oracles:
            self.truth = self.oracles["oracle"].score(self.histories)[:, 1:].numpy()
        self.best = {kind: self.expected(oracle) or 0.0 for kind, oracle in self.oracles.items()}

    def expected(self, scorer: Scorer) -> float | None:
        """Return the expected NDCG@10 of a scorer's rankings; None if there are no oracles."""
        if not self.oracles:
            return None
        total = 0.0
        for start in range(0, len(self.histories), BATCH):
            rows = slice(start, start + BATCH)
            scores = scorer.score(self.histories[rows])[:, 1:].double().cpu().clone()
            for row, history in zip(scores, self.histories[rows], strict=True):
                row[history - 1] = -torch.inf
            last = scores[torch.isfinite(scores)].min() - 1  # infinite scores cannot be subtracted
            finite = scores.clamp_min(last).numpy()
            total += float(expected_ndcg(finite, self.truth[rows]).sum())
        return total / len(self.histories)

    def shares(self, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return a model's expected NDCG@10 over its seeds and its share of each upper bound."""
        if not self.best:
            return {}
        mean = float(np.mean([run["expected_ndcg@10"] for run in runs]))
        return {
            "expected_ndcg@10": round(mean, 6),
            "share_of_upper_bound": {kind: round(mean / top, 4) for kind, top in self.best.items()},
        }


def expected_ndcg(scores: np.ndarray, truth: np.ndarray, k: int = 10) -> np.ndarray:
    """Return the expected NDCG@k of rankings under a known distribution of the next item.

    Each of several items with equal scores gets the mean gain of their places.

    Parameters
    ----------
    scores
        One score per item and history, higher is better, ``(histories, items)``.
    truth
        True probability of each item as the next one, same shape.
    k
        Cut-off.

    Returns
    -------
    ndcg
        One value per history, ``(histories,)``.

    Examples
    --------
    >>> expected_ndcg(np.array([[2.0, 1.0, 0.0]]), np.array([[0.5, 0.3, 0.2]]), k=1)
    array([0.5])
    >>> expected_ndcg(np.array([[1.0, 1.0, 0.0]]), np.array([[0.5, 0.3, 0.2]]), k=1)
    array([0.4])
    """
    rows, n_items = scores.shape
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    gain = np.zeros(n_items)
    gain[:k] = 1 / np.log2(np.arange(2, min(k, n_items) + 2))
    # Scores that differ only by rounding count as equal.
    step = ranked[:, :-1] - ranked[:, 1:] > 1e-12 * np.abs(ranked[:, :-1])
    starts = np.concatenate([np.ones((rows, 1), dtype=bool), step], axis=1)
    run = np.cumsum(starts) - 1  # runs of equal scores, numbered through all rows
    total = np.bincount(run, weights=np.tile(gain, rows))
    shared = (total / np.bincount(run))[run].reshape(rows, n_items)
    return (np.take_along_axis(truth, order, axis=1) * shared).sum(axis=1)
