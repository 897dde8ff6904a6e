"""Filter interactions before they are split; without torch, which a summary does not need."""

import pandas as pd

from msm4sr_lite.config import DataConfig


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
