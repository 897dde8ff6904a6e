"""Situations that exports and downloads bring about: read as meant, or refused with the place."""

import json

import pytest

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import build_sequences

HEADER = "user_id,item_id,timestamp\n"
ITEMS = [{"item_id": item, "title": f"Mug {item}"} for item in "abc"]


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a dataset folder and reads it."""

    def write_and_read(interactions, items=ITEMS, encoding="utf-8"):
        (tmp_path / "interactions.csv").write_bytes(interactions.encode(encoding))
        (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
        return Dataset.from_folder(tmp_path)

    return write_and_read


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_refused(read, encoding):
    with pytest.raises(UserError, match=r"interactions\.csv( line 1: not UTF-8|: no column)"):
        read(HEADER + "u,a,1\n", encoding=encoding)


def test_nan_in_lists_of_a_json_file_is_no_text_and_no_image(read):
    nan = float("nan")
    items = [{**ITEMS[0], "categories": nan, "images": nan}, {**ITEMS[1], "categories": ["x", nan]}]
    dataset = read(HEADER + "u,a,1\nu,b,2\n", items)
    assert (dataset.items["a"].categories, dataset.items["a"].images) == ((), ())
    assert dataset.items["b"].categories == ("x",)


def test_the_first_date_in_another_form_is_named(read):
    with pytest.raises(UserError, match=r"line 3: timestamp '11/15/2023' is neither"):
        read(HEADER + "u,a,2023-11-14\nu,b,11/15/2023\nu,c,11/16/2023\n")


def test_times_before_1970_come_first(read):
    dataset = read(HEADER + "u,a,1700000000\nu,b,-62135596800\n")
    assert dataset.user_history("u") == ["b", "a"]


def test_a_table_from_newest_to_oldest_is_reversed_with_a_note(read):
    dataset = read(HEADER + "u,a,2024-01-02\nu,b,2024-01-02\nu,c,2024-01-01\nu,a,2024-01-01\n")
    assert dataset.user_history("u") == ["a", "c", "b", "a"]
    assert dataset.notes[0] == (
        "the interactions run from newest to oldest; their order was reversed"
    )


def test_one_user_is_a_dataset(read):
    dataset = read(HEADER + "u,a,1\nu,b,2\nu,c,3\n")
    sequences = build_sequences(
        dataset.interactions, list(dataset.items), DataConfig(min_user_interactions=3)
    )
    assert sequences.users == ["u"]


IDS = [
    "汉字",
    "عربي",
    "ไทย",
    "🙂",
    "&amp;",
    "a b",
    "a\u2028b",
    "a\x85b",
    "a\x0bb",
    "a\x1cb",
    'a"b',
    "a,b",
]


@pytest.mark.parametrize("item", IDS, ids=ascii)
def test_ids_and_titles_in_any_script_and_with_odd_characters_stay(read, item):
    quoted = '"' + item.replace('"', '""') + '"'
    dataset = read(HEADER + f"{quoted},{quoted},1\n", [{"item_id": item, "title": item}])
    assert dataset.user_history(item) == [item]
    assert dataset.items[item].title == item


def test_one_more_cell_than_the_header_does_not_shift_the_columns(read):
    with pytest.raises(UserError, match=r"line 2: 4 cells, but the header has 3"):
        read(HEADER + "11,1,1,1700000000\n12,2,1,1700000001\n")
