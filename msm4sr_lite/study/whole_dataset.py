"""All that a shop can pre-train on, not only the purchases that are compared on.

A comparison keeps the customers and items with enough purchases, perhaps of one department.
Pre-training learns from texts and pictures and needs no ids, so it can use the rest too: customers
with few purchases, products hardly ever bought, other departments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from msm4sr_lite.config import DataConfig
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.study.cold_start import cold_items


def whole_dataset(
    core: Sequences,
    interactions: pd.DataFrame,
    items: Sequence[str],
    config: DataConfig | None = None,
) -> Sequences:
    """Return what everybody bought before anything that ``core`` holds out.

    Customers of ``core`` have all their purchases before the first that is held out, and after
    them those that validate; test purchases are not in it at all. Everybody else has all purchases,
    with ``split="time"`` those before the day from which purchases are held out. Items that are
    strictly cold in ``core`` are left out, or they would be no longer.

    Parameters
    ----------
    core
        The sequences that are compared on.
    events
        All purchases, sorted by time: columns ``user_id``, ``item_id``, ``timestamp``.
    items
        Ids of all items that can be described, in the order in which they are numbered.
    config
        With which ``core`` was built.
    """
    config = config or DataConfig()
    number = {item: n for n, item in enumerate(items, start=1)}
    cold = [core.items[n] for n in cold_items(core).tolist()]
    known = interactions[interactions["item_id"].isin(number)]
    if config.deduplicate:
        known = known.drop_duplicates(["user_id", "item_id"], keep="last")
    known = known.assign(
        number=known["item_id"].map(number),
        cold=known["item_id"].isin(cold),
        in_core=known["item_id"].isin(core.items[1:]),
    )
    bought = {str(user): own for user, own in known.groupby("user_id", sort=False)}

    # Where the first held-out purchase of each customer of the core is among all purchases.
    ends, days = {}, []
    for user, trained in zip(core.users, core.train(), strict=True):
        places = np.flatnonzero(bought[user]["in_core"])
        if len(trained) < len(places):
            ends[user] = int(places[len(trained)])
            days.append(bought[user]["timestamp"].iloc[ends[user]])

    validating = defaultdict(list)
    for case, item in zip(core.cases("valid")[0], core.held_out("valid")[1], strict=True):
        validating[core.users[case]].append(number[core.items[item]])

    until = min(days, default=np.inf) if config.split == "time" else np.inf
    users, rows, cuts = [], [], []
    for user, own in bought.items():
        own = own[: ends.get(user, len(own))]
        own = own[own["timestamp"] < until]
        learnt = own.loc[~own["cold"], "number"].tolist()
        users.append(user)
        rows.append([*learnt, *validating[user]])
        cuts.append((len(learnt), len(rows[-1])))
    return Sequences(
        users,
        ["", *items],
        np.array([item for row in rows for item in row], dtype=np.int64),
        np.concatenate([[0], np.cumsum([len(row) for row in rows])]),
        np.array(cuts, dtype=np.int64),
    )
