"""Filter interactions, group them by user, and hold some out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.sequences import Sequences


def build_sequences(
    interactions: pd.DataFrame, items: Sequence[str], config: DataConfig | None = None
) -> Sequences:
    """Filter purchases and group them by customer.

    Repeated purchases are removed first; then customers with fewer than ``user_min`` and items
    with fewer than ``item_min`` purchases leave in turn until nothing changes. What remains is
    split: each customer's newest purchases are held out, or everybody's newest, by date.

    Parameters
    ----------
    events
        Columns ``user_id``, ``item_id``, ``timestamp``, sorted by time.
    items
        Ids of all items, in the order in which they are numbered.
    config
        The filters.

    Raises
    ------
    UserError
        If no customer is left.
    """
    config = config or DataConfig()
    table = interactions[interactions["item_id"].isin(set(items))]
    if config.deduplicate:
        table = table.drop_duplicates(["user_id", "item_id"], keep="last")
    while True:
        per_user = table.groupby("user_id")["item_id"].transform("size")
        per_item = table.groupby("item_id")["user_id"].transform("size")
        keep = (per_user >= config.min_user_interactions) & (
            per_item >= config.min_item_interactions
        )
        if keep.all():
            break
        table = table[keep]
    if table.empty:
        raise UserError(
            f"no customer has {config.min_user_interactions} or more different items"
            + (
                f" bought {config.min_item_interactions} or more times"
                if config.min_item_interactions
                else ""
            )
            + f" ({interactions['user_id'].nunique()} customers in the file); lower --user-min"
            + (" or --item-min" if config.min_item_interactions else "")
        )

    kept = set(table["item_id"]) if config.min_item_interactions else set(items)
    numbered = [item for item in items if item in kept]
    number = {item: i for i, item in enumerate(numbered, start=1)}
    codes, users = pd.factorize(table["user_id"])
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(users))
    cuts: np.ndarray | None = None
    if config.split == "time":
        times = table["timestamp"].to_numpy()
        dates = np.quantile(times, [1 - 2 * config.test_share, 1 - config.test_share])
        before = [np.bincount(codes[times < date], minlength=len(users)) for date in dates]
        cuts = np.stack(before, axis=1).astype(np.int64)
    elif config.n_test > 1:
        cuts = counts[:, None] - [config.n_test + 1, config.n_test]
    return Sequences(
        users=[str(user) for user in users],
        items=["", *numbered],
        interactions=table["item_id"].map(number).to_numpy(dtype=np.int64)[order],
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        cuts=cuts,
    )
