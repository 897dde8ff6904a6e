"""Single cells as ids, numbers and texts."""

import datetime
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from msm4sr_lite.dataset.rows import id_text, number, parse_item, printable_id, text, texts

MISSING = [None, math.nan, np.nan, np.float32("nan"), pd.NA, pd.NaT]


@pytest.mark.parametrize("value", [*MISSING, True, np.True_, [], {}, np.array([1])])
def test_what_is_no_id(value):
    with pytest.raises(ValueError, match="no item_id"):
        id_text(value, "item_id")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" a ", "a"),
        (np.str_("a"), "a"),
        (0, "0"),
        (np.int64(-3), "-3"),
        (2**70, str(2**70)),
        (7.0, "7"),
        (np.float32(7), "7"),
        (1.5, "1.5"),
        (Decimal("1.50"), "1.50"),
        (datetime.date(2024, 1, 2), "2024-01-02"),
    ],
)
def test_ids_as_text(value, expected):
    assert id_text(value, "item_id") == expected


def test_ids_that_cannot_be_used():
    with pytest.raises(ValueError, match="too large to be exact; write it as text"):
        id_text(2.0**53, "item_id")
    with pytest.raises(ValueError, match="no item_id"):
        id_text("  ", "item_id")
    with pytest.raises(ValueError, match=r"item_id 'a\\x00b' has unprintable characters"):
        printable_id("a\0b", "item_id")


@pytest.mark.parametrize("value", [None, "", "x", "nan", math.inf, 10**400, {}])
def test_what_is_no_number(value):
    with pytest.raises(ValueError, match=r"is not a number|no rating"):
        number(value, "rating")


@pytest.mark.parametrize("value", [*MISSING, "", " \n", [], [None, " "], {"a": 1}, True])
def test_what_is_no_text(value):
    assert text(value) == ""
    assert texts(value) == []


def test_texts_and_lists_of_them():
    assert text([" a ", math.nan, ["b", 7]]) == "a\nb\n7"
    assert texts(np.array(["a", None, "b"], dtype=object)) == ["a", "b"]
    assert texts(("a", 1.5)) == ["a", "1.5"]


@pytest.mark.parametrize("cell", ["1.51592E+18", "1,51592E+18", "1.5e+18", "2.0E+05"])
def test_an_id_that_a_spreadsheet_rounded_is_refused(cell):
    with pytest.raises(ValueError, match=r"is a number that was rounded; export ids as text"):
        id_text(cell, "user_id")


@pytest.mark.parametrize("cell", ["0E00", "6e10", "B00E+X", "1.5", "E+18", "1E+05"])
def test_ids_that_only_look_like_numbers_stay(cell):
    assert id_text(cell, "user_id") == cell


@pytest.mark.parametrize("title", ["[None]", "[nan]", "[]", "[12]"])
def test_a_title_in_brackets_stays(title):
    item = parse_item({"item_id": "a", "title": title, "description": title, "categories": "[]"})
    assert item.title == title
    assert item.description == ("" if title != "[12]" else title)
    assert item.categories == ()


def test_bytes_and_sets_are_read():
    item = parse_item({"item_id": b"a", "title": "Bücher".encode(), "categories": {"b", "a"}})
    assert (item.item_id, item.title, item.categories) == ("a", "Bücher", ("a", "b"))
    with pytest.raises(ValueError, match="utf-8"):
        text(b"\xff")


def test_a_decimal_that_is_whole_is_a_whole_number():
    assert id_text(Decimal("7.00"), "item_id") == id_text(Decimal(7), "item_id") == "7"
    assert id_text(Decimal(2**60), "item_id") == str(2**60)
    with pytest.raises(ValueError, match="no item_id"):
        id_text(Decimal("NaN"), "item_id")


def test_what_is_wrong_with_an_id_is_said_plainly():
    with pytest.raises(ValueError, match=r"no item_id; \{'a': 1\} is neither a text nor a number"):
        id_text({"a": 1}, "item_id")
    with pytest.raises(ValueError, match=r"item_id .* has half of a character; correct it"):
        id_text("a\ud800", "item_id")
    with pytest.raises(ValueError, match="is not utf-8 text"):
        id_text(b"\xff", "item_id")


def test_whole_numbers_are_written_the_same_in_texts_as_in_ids():
    item = parse_item({"item_id": 2.0, "title": 2.0, "categories": [1, np.float32(2), 2.5]})
    assert (item.item_id, item.title, item.categories) == ("2", "2", ("1", "2", "2.5"))
