"""Ids that a caller gives: their form, and those that are not known."""

import pytest

from msm4sr_lite import UserError
from msm4sr_lite.dataset.ids import id_of, item_list, known_ids


def test_numbers_become_the_text_that_a_dataset_has():
    assert [id_of(value, "item_id") for value in (7, 7.0, "7", " 7 ")] == ["7"] * 4
    with pytest.raises(UserError, match=r"^nan is no user_id: "):
        id_of(float("nan"), "user_id")


def test_a_single_text_is_no_list():
    assert item_list(["a", 1]) == ["a", "1"]
    for one in ("ab", b"ab", 3, None):
        with pytest.raises(UserError, match=rf"^exclude must be a list of item ids; got {one!r}$"):
            item_list(one, "exclude")


def test_unknown_ids_are_named():
    assert known_ids(["a", "b", "a"], {"a": 1, "b": 2}, "candidates", "toys") == {"a", "b"}
    with pytest.raises(UserError, match=r"^candidates: 'c' is not an item of toys; check its id$"):
        known_ids(["a", "c"], {"a": 1}, "candidates", "toys")
