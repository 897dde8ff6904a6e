"""Filter interactions, hold some of them out for evaluation, and group them by user."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.rows import PARTS
from msm4sr_lite.sequences import Sequences


def build_sequences(
    interactions: pd.DataFrame, item_ids: Sequence[str], config: DataConfig | None = None
) -> Sequences:
    """Filter interactions, split them into parts, and group them by user.

    1. With ``deduplicate``, only the last of a user's interactions with an item is kept.
    2. Users with fewer than ``min_user_interactions`` and items with fewer than
       ``min_item_interactions`` interactions are dropped. This is repeated until all users and
       items that remain have enough interactions.
    3. Interactions are held out per user (``leave_one_out``: each user's most recent ones), by date
       (``time``: all after a date), or as the column ``part`` says.

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
    table = filter_interactions(interactions[interactions["item_id"].isin(set(item_ids))], config)
    if table.empty:
        what = "different items" if config.deduplicate else "interactions"
        raise UserError(
            f"no user has {config.min_user_interactions} or more {what}"
            f" ({interactions['user_id'].nunique()} users in the dataset); add data or lower"
            f" min_user_interactions (if above {config.n_test + 2}) or min_item_interactions"
        )

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


def filter_interactions(table: pd.DataFrame, config: DataConfig) -> pd.DataFrame:
    """Drop repeated interactions, then drop rare users and items repeatedly.

    Parameters
    ----------
    table
        Columns ``user_id`` and ``item_id``, sorted by time.
    config
        ``deduplicate``, ``min_user_interactions`` and ``min_item_interactions``.
    """
    if config.deduplicate:
        table = table.drop_duplicates(["user_id", "item_id"], keep="last")
    while True:
        per_user = table.groupby("user_id")["item_id"].transform("size")
        per_item = table.groupby("item_id")["user_id"].transform("size")
        keep = per_user >= config.min_user_interactions
        keep &= per_item >= config.min_item_interactions
        if keep.all():
            return table
        table = table[keep]


def _cuts(
    table: pd.DataFrame, codes: np.ndarray, counts: np.ndarray, config: DataConfig
) -> np.ndarray | None:
    """Return where each user's validation and test parts start, shape ``(users, 2)``.

    None stands for the default: the last interaction is for testing, the one before for validation.
    """
    if config.split == "part":
        ranks = _part_ranks(table, codes)
        before = [codes[ranks < rank] for rank in (1, 2)]
    elif config.split == "time":
        times = table["timestamp"].to_numpy()
        dates = np.quantile(times, [1 - 2 * config.test_share, 1 - config.test_share])
        before = [codes[times < date] for date in dates]
    elif config.n_test > 1:
        return counts[:, None] - [config.n_test + 1, config.n_test]
    else:
        return None
    return np.stack([np.bincount(users, minlength=len(counts)) for users in before], axis=1)


def _part_ranks(table: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Return 0, 1, 2 for train, valid, test; check that each user's parts follow in this order."""
    if "part" not in table:
        raise UserError("no column part (train, valid or test) in the table; split=part needs it")
    ranks = table["part"].map(PARTS.index).to_numpy()
    order = np.argsort(codes, kind="stable")
    wrong = (np.diff(codes[order]) == 0) & (np.diff(ranks[order]) < 0)
    if wrong.any():
        row = table.iloc[order[int(np.argmax(wrong)) + 1]]
        raise UserError(
            f"user {row['user_id']!r} has a {row['part']} interaction after a later part; the parts"
            f" of a user must follow each other in time: train, valid, test"
        )
    return ranks


def hold_out_nothing(sequences: Sequences) -> Sequences:
    """Return the sequences with every interaction in the training part."""
    length = np.diff(sequences.offsets)
    return replace(sequences, cuts=np.stack([length, length], axis=1))
