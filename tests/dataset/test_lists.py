"""Lists written as text are lists wherever a list can stand."""

import pytest

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
        ("['a', 1]", ["['a', 1]"]),
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
