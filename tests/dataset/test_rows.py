"""How a row becomes an item."""

import pytest

from msm4sr_lite.dataset.rows import LONGEST_TEXT, Item, collect_items, parse_item


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


def test_long_texts_are_cut_and_counted():
    notes = []
    rows = [
        {"item_id": "a", "title": "x " * 50_000, "description": "Short."},
        {"item_id": "b", "categories": ["Home"] * 9_000},
        {"item_id": "c", "categories": ["x" * 50_000, "Home"]},
        {"item_id": "d", "text": "x" * LONGEST_TEXT, "categories": ["x"] * LONGEST_TEXT},
    ]
    items = collect_items(enumerate(rows), "row", notes)
    assert items["a"].title == "x " * (LONGEST_TEXT // 2 - 1) + "x"
    assert items["a"].description == "Short."
    assert items["b"].categories == ("Home",) * (LONGEST_TEXT // 4)
    assert items["c"].categories == ("x" * LONGEST_TEXT,)
    assert (len(items["d"].text), len(items["d"].categories)) == (LONGEST_TEXT, LONGEST_TEXT)
    assert notes == [
        "items with a text of more than 20,000 characters: 3 (the first is 'a'); the rest of the"
        " text was cut off"
    ]
