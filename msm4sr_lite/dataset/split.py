"""Filter interactions, hold some out for evaluation, and group them by user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.interactions import PARTS
from msm4sr_lite.sequences import Sequences


def build_sequences(
    interactions: pd.DataFrame, item_ids: Sequence[str], config: DataConfig | None = None
) -> Sequences:
    """Filter interactions, split them into parts, and group them by user.

    1. With ``deduplicate``, only the last of a user's interactions with an item is kept.
    2. Users with fewer than ``min_user_interactions`` and items with fewer than
       ``min_item_interactions`` interactions are dropped, repeatedly, until none is left.
    3. The split is either per user (``leave_one_out``: each user's most recent interactions are
       held out), by date (``time``: all interactions after a date are held out), or as the column
       ``part`` says.

    Parameters
    ----------
    interactions
        Columns ``user_id``, ``item_id`` and ``timestamp`` (needed by ``split="time"`` only),
        sorted by time.
    item_ids
        Ids of all items. Items are numbered 1, 2, ... in this order.
    config
        The filters and the split.

    Raises
    ------
    UserError
        If no user is left.

    Examples
    --------
    >>> interactions = pd.DataFrame(
    ...     {"user_id": ["ann"] * 4 + ["bob"], "item_id": ["b", "a", "c", "a", "a"],
    ...      "timestamp": [1, 2, 3, 4, 5]}
    ... )
    >>> sequences = build_sequences(
    ...     interactions, ["a", "b", "c"], DataConfig(min_user_interactions=3)
    ... )
    >>> sequences.users  # bob has one interaction only
    ['ann']
    >>> [sequences.items[number] for number in sequences.user_sequence(0)]
    ['b', 'c', 'a']
    """
    config = config or DataConfig()
    table = _filter(interactions[interactions["item_id"].isin(set(item_ids))], config)
    if table.empty:
        raise UserError(_nobody_left(interactions["user_id"].nunique(), config))

    kept = set(table["item_id"]) if config.min_item_interactions else set(item_ids)
    numbered = [item for item in item_ids if item in kept]
    number = {item: i for i, item in enumerate(numbered, start=1)}
    codes, users = pd.factorize(table["user_id"])
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(users))
    return Sequences(
        users=[str(user) for user in users],
        items=["", *numbered],
        interactions=table["item_id"].map(number).to_numpy(dtype=np.int64)[order],
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        cuts=_cuts(table, codes, counts, config),
    )


def _filter(table: pd.DataFrame, config: DataConfig) -> pd.DataFrame:
    """Drop repeated interactions, then rare users and items until none is left."""
    if config.deduplicate:
        table = table.drop_duplicates(["user_id", "item_id"], keep="last")
    while True:
        per_user = table.groupby("user_id")["item_id"].transform("size")
        per_item = table.groupby("item_id")["user_id"].transform("size")
        keep = (per_user >= config.min_user_interactions) & (
            per_item >= config.min_item_interactions
        )
        if keep.all():
            return table
        table = table[keep]


def _cuts(
    table: pd.DataFrame, codes: np.ndarray, counts: np.ndarray, config: DataConfig
) -> np.ndarray | None:
    """Return where each user's validation and test parts start, shape ``(users, 2)``.

    None stands for the plain case: the last interaction is tested, the one before validated.
    """
    if config.split == "part":
        if "part" not in table:
            raise UserError("split='part': the interactions have no column part (train/valid/test)")
        users = table["user_id"].to_numpy()
        return _cuts_of_parts(table["part"].to_numpy(), users, codes, len(counts))
    if config.split == "time":
        times = table["timestamp"].to_numpy()
        dates = np.quantile(times, [1 - 2 * config.test_share, 1 - config.test_share])
        before = [np.bincount(codes[times < date], minlength=len(counts)) for date in dates]
        return np.stack(before, axis=1).astype(np.int64)
    if config.n_test > 1:
        return counts[:, None] - [config.n_test + 1, config.n_test]
    return None


def _cuts_of_parts(
    parts: np.ndarray, users: np.ndarray, codes: np.ndarray, n_users: int
) -> np.ndarray:
    """Return the cuts of a split given by the user: train, then valid, then test, per user."""
    ranks = np.array([PARTS.index(part) for part in parts])
    order = np.argsort(codes, kind="stable")
    same_user = np.diff(codes[order]) == 0
    if (wrong := same_user & (np.diff(ranks[order]) < 0)).any():
        row = order[int(np.flatnonzero(wrong)[0]) + 1]
        raise UserError(
            f"user {users[row]!r} has a {parts[row]} interaction after a later part; every user's"
            f" parts must follow each other in time: train, valid, test"
        )
    before = [np.bincount(codes[ranks < rank], minlength=n_users) for rank in (1, 2)]
    return np.stack(before, axis=1).astype(np.int64)


def hold_out_nothing(sequences: Sequences) -> Sequences:
    """Return the sequences with every interaction in the training part."""
    length = np.diff(sequences.offsets)
    return replace(sequences, cuts=np.stack([length, length], axis=1))


def _nobody_left(users: int, config: DataConfig) -> str:
    what = "different items" if config.deduplicate else "interactions"
    least = config.min_item_interactions
    return (
        f"no user has {config.min_user_interactions} or more {what}"
        + (f", counting items with {least} or more interactions" if least else "")
        + f" ({users} users in the dataset); lower min_user_interactions"
        + (" or min_item_interactions" if least else "")
    )
