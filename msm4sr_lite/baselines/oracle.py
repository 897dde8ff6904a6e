"""The best possible recommenders of a simulated dataset, read from ``oracle.npz`` beside it.

Where the users are simulated, the true distribution of a user's next item is known. The maker of
such a dataset stores it for each user's last interaction, the test case. Two oracles are stored:
``"oracle"`` knows everything in the simulation, ``"content"`` only what texts and images show.

A distribution is the product of two small matrices: one row of hidden states for each user, and
the weight of each item in each state. Items of the history have probability 0.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.sequences import Sequences

KINDS = ("oracle", "content")


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
        """Return each item's probability to come next, float64 ``(histories, items + 1)``.

        Raises
        ------
        UserError
            If a history is not that of a test case.
        """
        rows = [self.rows.get(tuple(history.tolist()), -1) for history in histories]
        if -1 in rows:
            raise UserError("an oracle knows the test histories only; got another history")
        found = self.states[rows] @ self.weights
        for row, history in zip(found, histories, strict=True):
            row[history] = 0
        return torch.from_numpy(found)


def history_hash(item_ids: Sequence[str]) -> int:
    """Return the 64-bit fingerprint of a history, oldest item first."""
    digest = hashlib.sha256("\n".join(item_ids).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def load_oracles(folder: Path | None, sequences: Sequences) -> dict[str, Oracle]:
    """Load the oracles of a dataset if they are known for exactly these test cases.

    Parameters
    ----------
    folder
        Dataset folder, which may hold ``oracle.npz``.
    sequences
        Filtered and split interactions of that dataset.

    Returns
    -------
    oracles
        ``"oracle"`` and ``"content"``. Empty if there is no file, if more or other interactions
        are held out than each user's last one, if a filter changed a test history, or if it
        removed an item that could come next.

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
