"""Lists written as text are lists wherever a list can stand."""

import time

import pytest

from msm4sr_lite.dataset.lists import written_list
from msm4sr_lite.dataset.rows import parse_item


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("['Home', 'Mugs']", ["Home", "Mugs"]),
        ('["Home", "M\\u00fcgs", null]', ["Home", "Mügs"]),
        ("['Home' 'Mugs']", ["Home", "Mugs"]),
        ("['Home'\n 'Mugs']", ["Home", "Mugs"]),
        ("['it\\'s', nan, None]", ["it's"]),
        ("[]", []),
        ("[sale]", ["[sale]"]),
        ("[2020]", ["[2020]"]),
        ('["x" + "y"]', ['["x" + "y"]']),
        ("['a', 1]", ["a", "1"]),
        ('["a", 1, 2.0, 2.5]', ["a", "1", "2", "2.5"]),
        ("['a' 2.0 -3]", ["a", "2", "-3"]),
        ("['a', 1.2.3]", ["['a', 1.2.3]"]),
        ('["a", true]', ['["a", true]']),
        ("['\\x']", ["['\\x']"]),
        ("['Home", ["['Home"]),
        pytest.param("[" * 5000 + "]" * 5000, ["[" * 5000 + "]" * 5000], id="nested"),
    ],
)
def test_a_list_written_as_text_is_a_list(cell, expected):
    item = parse_item({"item_id": "a", "categories": cell, "description": cell})
    assert list(item.categories) == expected
    assert item.description == "\n".join(expected)
    if expected == ["Home", "Mugs"]:
        assert parse_item({"item_id": "a", "images": cell}).images == ("Home", "Mugs")


@pytest.mark.parametrize(
    "cell",
    [
        "[" + "'\\'" * 50_000 + "]",
        "['" + "\\'" * 50_000 + "]",
        "[" + '"' * 100_001 + "]",
        "['a'" + ", " * 50_000 + "x]",
        "[" + "'a' " * 30_000 + "x]",
    ],
    ids=["escapes", "unclosed", "quotes", "commas", "words"],
)
def test_a_long_cell_is_looked_at_once(cell):
    start = time.process_time()
    assert written_list(cell) is cell
    assert time.process_time() - start < 1


def test_a_long_list_is_a_list():
    assert written_list("[" + "'it\\'s' " * 50_000 + "]") == ["it's"] * 50_000
