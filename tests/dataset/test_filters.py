"""Which interactions the filters keep."""

import pandas as pd

from msm4sr_lite.config import DataConfig
from msm4sr_lite.dataset.filters import filter_interactions

ROWS = [("u", "a"), ("u", "b"), ("u", "a"), ("v", "a"), ("v", "b"), ("w", "c")]


def test_of_repeated_interactions_the_last_is_kept_and_rare_users_and_items_are_dropped():
    table = pd.DataFrame(ROWS, columns=["user_id", "item_id"])
    twice = DataConfig(split="time", min_user_interactions=2, min_item_interactions=2)
    assert filter_interactions(table, twice).index.tolist() == [1, 2, 3, 4]
    off = {"min_user_interactions": 0, "min_item_interactions": 0, "deduplicate": False}
    assert filter_interactions(table, DataConfig(split="time", **off)).equals(table)


def test_filters_are_repeated_until_nothing_changes():
    """Without item c, user w is rare; without w, item b is; without b, user v is."""
    rows = [("w", "c"), ("w", "b"), ("v", "b"), ("v", "a"), ("u", "a"), ("u", "d"), ("t", "a")]
    rows += [("t", "d")]
    table = pd.DataFrame(rows, columns=["user_id", "item_id"])
    twice = DataConfig(split="time", min_user_interactions=2, min_item_interactions=2)
    assert filter_interactions(table, twice).index.tolist() == [4, 5, 6, 7]
