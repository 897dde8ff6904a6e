"""Which ids became the same when they became text."""

import pandas as pd
import pytest

from msm4sr_lite.dataset.interactions import merged_ids


@pytest.mark.parametrize(
    ("values", "merged"),
    [
        ([1, "1", 2, "2", "3"], ["1", "2"]),
        ([1, 1.0, 2], []),
        (["a", " a", "b"], ["a"]),
        (["a", None, "a"], []),
        ([1, 2, 2], []),
    ],
)
def test_ids_that_stand_for_several_values(values, merged):
    assert merged_ids(pd.Series(values, dtype=object, name="user_id")) == merged
