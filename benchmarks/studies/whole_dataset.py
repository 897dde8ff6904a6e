"""Collect all interactions that can be used in pre-training, not only those of a comparison.

A comparison keeps users and items with enough interactions, perhaps of one domain. Pre-training
needs texts and images but no item ids. It can therefore also use users with few interactions, rare
items and other domains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

import numpy as np
import pandas as pd

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.pipeline.stages import TrainingData
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.study.cold_start import cold_items
from msm4sr_lite.study.specs import StudyData

WORTH = 1.1  # with fewer than this many times the training targets, the dataset is not used


def whole_dataset(data: StudyData, table: FeatureTable, config: DataConfig) -> TrainingData:
    """Return all data that can be used in pre-training.

    Parameters
    ----------
    data
        The data of the comparison: a dataset or one domain of it.
    table
        Features of all items of the dataset.
    config
        Filters and split.

    Raises
    ------
    UserError
        If this is not clearly more than ``data``.
    """
    dataset = data.dataset
    if dataset.domain and dataset.folder:
        dataset = Dataset.from_folder(dataset.folder, unknown_items="drop")
    described = set(table.described())
    items = [item for item in dataset.items if item in described]
    whole = whole_sequences(data.sequences, dataset.interactions, items, config)
    if whole.training_targets() < WORTH * data.sequences.training_targets():
        raise UserError("the dataset has few further interactions to pre-train on")
    return TrainingData(whole, table.for_items(whole.items))


def whole_sequences(
    core: Sequences,
    interactions: pd.DataFrame,
    items: Sequence[str],
    config: DataConfig | None = None,
) -> Sequences:
    """Return all interactions that come before those that ``core`` holds out.

    For a user of ``core``, these are all interactions before the first held-out one, followed by
    the validation interactions. Test interactions are never included. For every other user, these
    are all interactions or, with ``split="time"``, those before the date from which interactions
    are held out. Items that are strictly cold in ``core`` are dropped, since they would no longer
    be cold.

    Parameters
    ----------
    core
        The sequences of the comparison.
    interactions
        All interactions, sorted by time: columns ``user_id``, ``item_id``, ``timestamp``.
    items
        Ids of all items with features, in the order in which they are numbered.
    config
        Filters and split of ``core``.
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
    by_user = {str(user): rows for user, rows in known.groupby("user_id", sort=False)}

    # Where the first held-out interaction of each user of the core is among all interactions.
    ends, dates = {}, []
    for user, trained in zip(core.users, core.train(), strict=True):
        places = np.flatnonzero(by_user[user]["in_core"])
        if len(trained) < len(places):
            ends[user] = int(places[len(trained)])
            dates.append(by_user[user]["timestamp"].iloc[ends[user]])

    validation = defaultdict(list)
    for case, item in zip(core.cases("valid")[0], core.held_out("valid")[1], strict=True):
        validation[core.users[case]].append(number[core.items[item]])

    until = min(dates, default=np.inf) if config.split == "time" else np.inf
    users, sequences, cuts = [], [], []
    for user, rows in by_user.items():
        rows = rows[: ends.get(user, len(rows))]
        rows = rows[rows["timestamp"] < until]
        seen = rows.loc[~rows["cold"], "number"].tolist()
        users.append(user)
        sequences.append([*seen, *validation[user]])
        cuts.append((len(seen), len(sequences[-1])))
    return Sequences(
        users,
        ["", *items],
        np.array(list(chain.from_iterable(sequences)), dtype=np.int64),
        np.concatenate([[0], np.cumsum([len(sequence) for sequence in sequences])]),
        np.array(cuts, dtype=np.int64),
    )
