"""How a row becomes an item, and which ids became the same when they became text."""

import pandas as pd
import pytest

from msm4sr_lite.dataset.rows import Item, merged_ids, parse_item


def test_all_fields():
    row = {
        "item_id": 7,
        "title": " Mug ",
        "brand": "Norr",
        "categories": ["Home", "", "Mugs"],
        "description": ["Blue.", "Holds tea."],
        "text": None,
        "images": ["a.jpg", "b/c.jpg"],
        "domain": "home",
        "price": 3.5,
    }
    assert parse_item(row) == Item(
        "7", "Mug", "Norr", ("Home", "Mugs"), "Blue.\nHolds tea.", "", ("a.jpg", "b/c.jpg"), "home"
    )


def test_single_values_may_stand_for_lists():
    item = parse_item({"item_id": "a", "categories": "Home", "image": "a.jpg"})
    assert (item.categories, item.images) == (("Home",), ("a.jpg",))
    assert parse_item({"item_id": "a", "images": "a.jpg"}).images == ("a.jpg",)
    assert parse_item({"item_id": "a", "images": [], "image": "a.jpg"}).images == ("a.jpg",)


def test_department_is_another_name_of_domain():
    assert parse_item({"item_id": "a", "department": "home"}).domain == "home"
    assert parse_item({"item_id": "a", "department": "home", "domain": "home"}).domain == "home"
    assert parse_item({"item_id": "a", "department": "home", "domain": None}).domain == "home"
    with pytest.raises(ValueError, match="domain 'x' and department 'home' differ"):
        parse_item({"item_id": "a", "department": "home", "domain": "x"})


@pytest.mark.parametrize("field", ["title", "categories", "images", "domain"])
@pytest.mark.parametrize("value", [{"en": "Mug"}, True])
def test_what_is_no_text_is_refused(field, value):
    with pytest.raises(ValueError, match=f"^{field} is .*; write a text"):
        parse_item({"item_id": "a", field: value})


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg", "C:\\a.jpg", "C:a.jpg", "a/..\\b.jpg"])
def test_images_stay_inside_the_image_folder(name):
    with pytest.raises(ValueError, match="lies outside the image folder"):
        parse_item({"item_id": "a", "image": name})


def test_has_text():
    assert not Item("a", images=("a.jpg",), domain="home").has_text
    assert Item("a", brand="x").has_text
    assert Item("a", categories=("x",)).has_text


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
