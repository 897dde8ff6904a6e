"""Amazon reviews of 2018 and 2023, with their quirks, become datasets."""

import html
import json

from published_files import amazon_2018, json_lines, read_json_lines, review, write


def test_amazon_2018(tmp_path, converted):
    meta = [
        {
            "asin": "A1",
            "title": " Mug &amp; saucer",
            "brand": "by\n    \n    Norr",
            "category": ["Home", "Mugs", "</span></span></span>", "Holds tea"],
            "description": ["Blue.", "", "Holds <b>tea</b>."],
            "imageURL": ["https://example.org/small.jpg"],
            "imageURLHighRes": ["https://example.org/large.jpg"],
        },
        {"asin": "A2", "title": "var t = new Date().getTime();", "brand": "", "category": []}
        | {"description": "", "feature": ["Dishwasher safe", "Stacks"], "imageURL": ""},
        "{'asin': 'A3', 'title': u'Bowl \\d', 'categories': [['Home', 'Bowls'], ['x']],"
        " 'brand': \"Visit Amazon's Skål Page\", 'imUrl': 'http://example.org/old.jpg'}",
        {"asin": "A1", "title": "the crawler came twice"},
        {"asin": "A5", "title": None, "brand": float("nan"), "category": {}, "description": [[]]},
    ]
    reviews = [review(), review(), review("u2", "A2", stars=1.0), review("u2", "A4"), review("u3")]
    summary, dataset = converted(amazon_2018(tmp_path, reviews, meta))
    assert list(dataset.items) == ["A1", "A2", "A3"]
    mug, other, bowl = dataset.items.values()
    assert (mug.brand, mug.categories) == ("Norr", ("Home", "Mugs"))
    assert (mug.title, mug.description) == ("Mug &amp; saucer", "Blue.\nHolds <b>tea</b>.")
    assert (other.title, other.description) == ("", "Dishwasher safe\nStacks")
    assert (bowl.title, bowl.brand, bowl.categories) == ("Bowl \\d", "Skål", ("Home", "Bowls"))
    # A4 is not listed and A5 has no text: both are in the file, neither can be used.
    assert "items with neither text nor image: 2" in dataset.notes[2]
    assert dataset.interactions["user_id"].tolist() == ["u1", "u1", "u2", "u3"]
    counts = {
        "users": 3,
        "items": 5,
        "interactions": 5,
        "items_with_text": 3,
        "items_with_neither": 2,
        "items_not_listed": 1,
        "repeated_item_rows": 1,
        "skipped_lines": 0,
    }
    assert counts.items() <= summary.items()
    rows = (tmp_path / "dataset/interactions.csv").read_text().split("\n")
    assert [rows[0], rows[3]] == ["user_id,item_id,timestamp,rating", "u2,A2,1500000000,1.0"]
    stored = read_json_lines(tmp_path / "dataset/items.jsonl")
    assert [item.get("image_url") for item in stored] == [
        "https://example.org/large.jpg",
        None,
        "http://example.org/old.jpg",
        None,
        None,
    ]


def test_amazon_2023(tmp_path, converted):
    images = [
        {"variant": "PT01", "large": "https://example.org/side.jpg"},
        {"variant": "MAIN", "hi_res": None, "large": "https://example.org/front.jpg"},
    ]
    record = {"user_id": "u1", "asin": "child", "parent_asin": "P1", "rating": 4.0}
    source = write(
        tmp_path / "source",
        Mugs__jsonl=json_lines(
            record | {"timestamp": 1588687728923},
            record
            | {"timestamp": 1588687728000, "parent_asin": "P2", "rating": 2.0, "user_id": "u2"},
        ),
        meta_Mugs__jsonl__gz=json_lines(
            {"parent_asin": "P1", "title": "Mug", "store": "Norr", "images": images}
            | {"main_category": "Home", "categories": [], "description": [], "features": ["Blue"]},
            {"parent_asin": "P2", "title": "Cup", "categories": ["Home", "Cups"], "images": 7},
        ),
    )
    summary, dataset = converted(source)
    assert dataset.interactions["item_id"].tolist() == ["P2", "P1"]
    assert dataset.interactions["timestamp"].tolist() == [1588687728.0, 1588687728.923]
    mug, cup = dataset.items.values()
    assert (mug.brand, mug.categories, mug.description) == ("Norr", ("Home",), "Blue")
    assert cup.categories == ("Home", "Cups")
    first = read_json_lines(tmp_path / "dataset/items.jsonl")[0]
    assert first["image_url"] == "https://example.org/front.jpg"

    summary, dataset = converted(source, min_rating=4)
    assert (summary["interactions"], summary["below_min_rating"], summary["users"]) == (1, 1, 1)
    assert dataset.interactions["item_id"].tolist() == ["P1"]


def test_amazon_2023_in_the_folders_of_its_publishers(tmp_path, converted):
    record = {"user_id": "u", "parent_asin": "P", "rating": 4.0, "timestamp": 1000}
    write(tmp_path / "review_categories", Mugs__jsonl=json_lines(record))
    write(
        tmp_path / "meta_categories",
        meta_Mugs__jsonl=json_lines({"parent_asin": "P", "title": "Mug"}),
    )
    assert converted(tmp_path / "review_categories")[1].items["P"].title == "Mug"


def test_the_real_amazon_files(tmp_path, converted, real_data):
    folder = real_data / "amazon_giftcards_raw"
    summary, dataset = converted(folder)
    facts = json.loads((folder / "stats.json").read_text())
    assert summary["users"] == facts["users"]
    assert summary["items"] == facts["items_in_catalogue"]
    assert summary["interactions"] == len(dataset.interactions) == facts["interactions"]
    assert dataset.interactions["item_id"].nunique() == facts["items_interacted"]
    assert (summary["skipped_lines"], dataset.notes) == (0, [])

    ours, theirs = (
        sorted((where / "interactions.csv").read_text().splitlines())
        for where in (tmp_path / "dataset", folder)
    )
    assert ours == theirs
    theirs = read_json_lines(folder / "items.jsonl")
    assert [item["item_id"] for item in theirs] == list(dataset.items)
    for item in theirs:
        ours = dataset.items[item["item_id"]]
        assert " ".join(html.unescape(ours.title).split()) == " ".join(item["title"].split())
        if item["description"]:
            assert html.unescape(ours.description).split() == item["description"].split()
