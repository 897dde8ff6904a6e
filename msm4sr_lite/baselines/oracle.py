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
        Fingerprint of a test history -> row of ``states``.
    items
        Item ids; ``items[0]`` stands for padding.
    """

    def __init__(
        self, states: np.ndarray, weights: np.ndarray, rows: dict[int, int], items: list[str]
    ) -> None:
        self.states, self.weights, self.rows, self.items = states, weights, rows, items

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return each item's probability to come next, float64 ``(histories, items + 1)``.

        Raises
        ------
        UserError
            If a history is not that of a test case.
        """
        hashes = [history_hash([self.items[i] for i in history]) for history in histories]
        if not all(one in self.rows for one in hashes):
            raise UserError("an oracle knows the test histories only; got another history")
        found = self.states[[self.rows[one] for one in hashes]] @ self.weights
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
    path = Path(folder or "") / "oracle.npz"
    if folder is None or not path.is_file() or sequences.cuts is not None:
        return {}
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in file.files}
        row_of_user = {user: row for row, user in enumerate(stored["user_ids"].tolist())}
        column = {item: place for place, item in enumerate(stored["item_ids"].tolist())}
        hashes = stored["history_hash"].tolist()
        factors = {kind: (stored[f"{kind}_states"], stored[f"{kind}_weights"]) for kind in KINDS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read ({error}); delete it or copy it again") from None

    users, _ = sequences.cases("test")
    histories, _ = sequences.held_out("test")
    items = sequences.items
    if not all(item in column for item in items[1:]):
        return {}
    rows = {}
    for user, history in zip(users.tolist(), histories, strict=True):
        row = row_of_user.get(sequences.users[user], -1)
        found = history_hash([items[i] for i in history])
        if row < 0 or hashes[row] != found:
            return {}
        rows[found] = row
    columns = [column[item] for item in items[1:]]
    others = np.setdiff1d(np.arange(len(column)), columns)
    oracles = {}
    for kind, (states, weights) in factors.items():
        # Products of float64: in float32, items that are equally probable would differ.
        states, weights = states.astype(np.float64), weights.astype(np.float64)
        if (states[list(rows.values())] @ weights[:, others]).any():
            return {}
        oracles[kind] = Oracle(states, np.pad(weights[:, columns], ((0, 0), (1, 0))), rows, items)
    return oracles
