"""How the columns of interactions are checked, and which ids became the same as text."""

import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.interactions import check_interactions, merged_ids


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


def test_ids_become_categories_of_texts_without_spaces():
    table = pd.DataFrame(
        {"user_id": ["u", " u ", "v"], "item_id": [7, "7", 8.0], "timestamp": [3, 2, 1]}
    )
    found = check_interactions(table, "row")
    assert found["user_id"].tolist() == ["u", "u", "v"]
    assert found["item_id"].tolist() == ["7", "7", "8"]
    assert found["item_id"].cat.categories.tolist() == ["7", "8"]
    assert found["timestamp"].tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    "ids",
    [
        ["a", "b", " "],
        ["a", "b", None],
        pd.array([1, 2, None], dtype="Int64"),
        pd.array([1, 2, None], dtype="float64"),
        pd.Categorical(["a", "b", None]),
        pd.array(["a", "b", None], dtype="string"),
        ["a", "b", True],
        [1, 1.0, True],
    ],
)
def test_the_first_missing_id_is_named_whatever_the_type_of_the_column(ids):
    table = pd.DataFrame({"user_id": ids, "item_id": "a", "timestamp": 1}, index=[4, 6, 9])
    with pytest.raises(UserError, match=r"^line 9: no user_id"):
        check_interactions(table, "line")


@pytest.mark.parametrize(
    "ids",
    [
        pd.array([1, 2, 1], dtype="int8"),
        pd.array([1, 2, 1], dtype="Int64"),
        [1.0, 2.0, 1.0],
        pd.Categorical([1, 2, 1]),
        ["1", 2, b"1"],
        pd.array(["1", "2", "1"], dtype="string"),
    ],
)
def test_the_same_ids_in_any_type_of_column(ids):
    table = pd.DataFrame({"user_id": ids, "item_id": "a", "timestamp": 1})
    assert check_interactions(table, "row")["user_id"].tolist() == ["1", "2", "1"]


def test_ids_that_may_stand_for_missing_ones_are_noted():
    table = pd.DataFrame(
        {"user_id": ["NaN", "u", "NaN"], "item_id": ["a", "NULL", "nano"], "timestamp": 1}
    )
    notes = []
    check_interactions(table, "row", notes)
    assert notes == [
        "interactions whose user_id is 'NaN': 2; is it missing?",
        "interactions whose item_id is 'NULL': 1; is it missing?",
    ]
