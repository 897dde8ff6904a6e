"""Where the dictionary comes from: lists, texts, labels of a column, files."""

import json

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.dictionary import read_dictionary
from msm4sr_lite.features.word_lists import word_list


def test_the_sources_of_a_dictionary(tmp_path):
    (tmp_path / "words.txt").write_text("# comment\nred\n\nblue \nred\n", encoding="utf-8")
    path = str(tmp_path / "words.txt")
    assert read_dictionary(path, []) == ["red", "blue"]
    items = [Item(str(n), description="The zeppelin.") for n in range(2)]
    both = read_dictionary("visual+texts", items)
    assert both[0] == word_list("visual_words")[0]
    assert both[-1] == "zeppelin"
    assert read_dictionary(f"texts+{path}", items) == ["zeppelin", "red", "blue"]
    (tmp_path / "a+b.txt").write_text("green", encoding="utf-8")
    assert read_dictionary(str(tmp_path / "a+b.txt"), []) == ["green"]
    for source in ("nowhere.txt", "visual+nowhere.txt", "", "visual+", "nul\0"):
        with pytest.raises(UserError, match=r"neither visual, texts, column:NAME nor a UTF-8 text"):
            read_dictionary(source, [])


@pytest.fixture
def labelled(tmp_path):
    """Three items with labels of several kinds."""
    records = [
        {"item_id": "a", "colour": "Dark  Blue", "tags": ["Warm", "red"], "price": 3},
        {"item_id": "b", "colour": "red", "tags": ["red"], "note": "far too long to be one label"},
        {"item_id": "c", "colour": "Red", "tags": None, "price": 2.5},
    ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "items.jsonl").write_text(text, encoding="utf-8")
    return tmp_path, [Item(record["item_id"]) for record in records]


def test_labels_of_a_column(labelled):
    folder, items = labelled
    assert read_dictionary("column:colour", items, folder) == ["red", "dark blue"]
    assert read_dictionary("column:tags", items, folder) == ["red", "warm"]
    assert read_dictionary("column:tags+column:colour", items, folder) == [
        "red",
        "warm",
        "dark blue",
    ]
    assert read_dictionary("column:colour", items[:1], folder) == ["dark blue"]  # a domain
    for column, message in {
        "size": "no column 'size'; there is item_id, colour, tags, price, note",
        "price": "dictionary column:price: no labels of at most 5 words",
        "note": "dictionary column:note: no labels of at most 5 words",
    }.items():
        with pytest.raises(UserError, match=message):
            read_dictionary(f"column:{column}", items, folder)
    with pytest.raises(UserError, match="needs a dataset folder"):
        read_dictionary("column:colour", items)


def test_labels_of_a_column_in_a_csv_file(labelled):
    folder, items = labelled
    (folder / "items.jsonl").unlink()
    (folder / "items.csv").write_text("item_id,colour\na,Red\nb,\nc,blue\n", encoding="utf-8")
    assert read_dictionary("column:colour", items, folder) == ["blue", "red"]
