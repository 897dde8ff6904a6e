"""What a dataset folder may hold, and what each mistake in it says."""

import gzip
import json

import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.sources import read_column
from tests.toys import toy_dataset, write_frame

ITEMS = [
    {"item_id": "a", "title": "Mug", "image": "images/a.png"},
    {"item_id": "b", "description": "A blue bowl."},
]
INTERACTIONS = "user_id,item_id,timestamp\nu1,a,10\nu1,b,20\nu2,b,5\n"


@pytest.fixture
def dataset_folder(tmp_path):
    """Return a function that writes a small valid dataset folder, with any file replaced."""

    def write(interactions=INTERACTIONS, items=ITEMS):
        if isinstance(interactions, str):
            interactions = interactions.encode()
        (tmp_path / "interactions.csv").write_bytes(interactions)
        if isinstance(items, list):
            items = "\n".join(map(json.dumps, items))
        (tmp_path / "items.jsonl").write_bytes(
            items if isinstance(items, bytes) else items.encode()
        )
        return tmp_path

    return write


def test_reads_items_and_interactions_sorted_by_time(dataset_folder):
    folder = dataset_folder()
    dataset = Dataset.from_folder(folder)
    assert list(dataset.items) == ["a", "b"]
    assert dataset.items["a"].images == ("images/a.png",)
    assert dataset.interactions["item_id"].tolist() == ["b", "a", "b"]
    assert (dataset.notes, dataset.domain) == ([], "")
    assert dataset.folder == dataset.image_root == folder
    assert dataset.name == folder.name


def test_equal_timestamps_keep_their_order_in_the_file(dataset_folder):
    rows = "\n".join(f"u,{item},7" for item in "abbaab")
    dataset = Dataset.from_folder(dataset_folder(f"user_id,item_id,timestamp\n{rows}\n"))
    assert "".join(dataset.interactions["item_id"]) == "abbaab"


@pytest.mark.parametrize(
    "times",
    [
        ("2023-01-02", "2023-01-01T10:00:00+02:00"),
        ("9999-12-31", "2023-01-01"),
        ("17.5", "3"),
        ("1e9", "-4"),
    ],
)
def test_timestamps_are_numbers_or_iso_dates(dataset_folder, times):
    text = "user_id,item_id,timestamp\n" + "".join(
        f"u,{i},{t}\n" for i, t in zip("ab", times, strict=True)
    )
    dataset = Dataset.from_folder(dataset_folder(text))
    assert dataset.interactions["item_id"].tolist() == ["b", "a"]


def test_extra_columns_quotes_and_byte_order_mark_are_fine(dataset_folder):
    text = '\ufeffitem_id,price,user_id,timestamp\na,"1,5","u,1",3\n'
    dataset = Dataset.from_folder(dataset_folder(text))
    assert dataset.interactions["user_id"].tolist() == ["u,1"]


TABLES = (".csv.gz", ".tsv", ".jsonl", ".jsonl.gz", ".parquet")


@pytest.mark.parametrize("ending", TABLES)
def test_tables_of_every_kind_hold_the_same(dataset_folder, tmp_path, ending):
    expected = Dataset.from_folder(dataset_folder())
    (tmp_path / "interactions.csv").unlink()
    (tmp_path / "items.jsonl").unlink()
    frame = pd.DataFrame(
        {"user_id": ["u1", "u1", "u2"], "item_id": ["a", "b", "b"], "timestamp": [10, 20, 5]}
    )
    write_frame(tmp_path / f"interactions{ending}", frame)
    write_frame(tmp_path / f"items{ending}", pd.DataFrame(ITEMS))
    dataset = Dataset.from_folder(tmp_path)
    pd.testing.assert_frame_equal(dataset.interactions, expected.interactions)
    assert dataset.items == expected.items


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("times", [[1, 2, True], [True, False, True], [None, False, True]])
def test_true_and_false_are_no_timestamps(dataset_folder, tmp_path, ending, times):
    dataset_folder()
    (tmp_path / "interactions.csv").unlink()
    if ending == ".parquet":
        times = [bool(time) for time in times]
    frame = pd.DataFrame(
        {"user_id": "u", "item_id": "a", "timestamp": pd.Series(times, dtype=object)}
    )
    write_frame(tmp_path / f"interactions{ending}", frame)
    with pytest.raises(
        UserError, match=r"timestamp '(True|False)' is neither a number nor|line 1: no timestamp"
    ):
        Dataset.from_folder(tmp_path)


def test_of_two_tables_of_one_name_the_usual_one_is_read(dataset_folder, tmp_path):
    folder = dataset_folder()
    with gzip.open(tmp_path / "interactions.csv.gz", "wt") as stream:
        stream.write("nonsense")
    assert Dataset.from_folder(folder).notes == [
        "interactions.csv was read; interactions.csv.gz beside it was not"
    ]


def test_one_domain_is_kept(dataset_folder):
    items = [{**ITEMS[0], "domain": "home"}, {**ITEMS[1], "domain": "outdoor"}]
    dataset = Dataset.from_folder(dataset_folder(items=items), domain="home")
    assert list(dataset.items) == ["a"]
    assert dataset.domain == "home"
    assert dataset.interactions["item_id"].tolist() == ["a"]
    with pytest.raises(UserError, match=r"items.jsonl: no domain 'garden'; it has home, outdoor"):
        Dataset.from_folder(dataset_folder(items=items), domain="garden")


def test_items_with_neither_text_nor_image_are_dropped_with_a_note(dataset_folder):
    items = [ITEMS[0], {"item_id": "b", "title": "  "}]
    dataset = Dataset.from_folder(dataset_folder(items=items))
    assert list(dataset.items) == ["a"]
    assert dataset.notes == [
        "items with neither text nor image: 1 (the first is 'b'), dropped with their interactions;"
        " give them a title or an image"
    ]
    with pytest.raises(UserError, match="no interactions are left; items with neither"):
        Dataset.from_folder(
            dataset_folder("user_id,item_id,timestamp\nu,b,1\n", [ITEMS[0], items[1]])
        )


def test_interactions_with_unknown_items_are_refused_or_dropped(dataset_folder):
    folder = dataset_folder(INTERACTIONS + "u3,ghost,1\nu4,ghost,2\n")
    message = r"line 5: item 'ghost' is not in \S+items.jsonl \(2 such .*unknown_items='drop'"
    with pytest.raises(UserError, match=message):
        Dataset.from_folder(folder)
    dataset = Dataset.from_folder(folder, unknown_items="drop")
    assert len(dataset.interactions) == 3
    assert "interactions with items not in" in dataset.notes[0]
    with pytest.raises(UserError, match="unknown_items is 'keep'; use 'error' or 'drop'"):
        Dataset.from_folder(folder, unknown_items="keep")


@pytest.mark.parametrize(
    ("interactions", "message"),
    [
        ("", r"interactions.csv: the file is empty"),
        ("user_id,item_id,timestamp\n", r"interactions.csv: no interactions"),
        ("user_id,item\nu,a\n", r"no column item_id, timestamp; .*\(found user_id, item\)"),
        (
            "user_id;item_id;timestamp\nu;a;1\n",
            r"the separator seems to be ';'; save .csv files with commas",
        ),
        (INTERACTIONS + "u3,a,\n", r"line 5: no timestamp; fill it in"),
        (INTERACTIONS + "u3,a,NaN\n", r"line 5: timestamp 'NaN'"),
        (INTERACTIONS + "u3,a,inf\n", r"line 5: timestamp 'inf'"),
        (INTERACTIONS + "u3,a,yesterday\n", r"line 5: timestamp 'yesterday'"),
        ('user_id,item_id,timestamp\n"u\n1",a,3\nu,b,soon\n', r"line 4: timestamp 'soon'"),
        (INTERACTIONS + "\nu3,,7\n", r"line 6: no item_id"),
        (INTERACTIONS + " ,a,7\n", r"line 5: no user_id"),
        (b"user_id,item_id,timestamp\nu,a,1\nu\xff,a,2\n", r"line 3: not UTF-8"),
        (INTERACTIONS + "u,a,1,2,3,4\n", r"line 5: 6 cells, but the header has 3"),
        (INTERACTIONS + "u,a\n", r"line 5: 2 cells, but the header has 3"),
    ],
)
def test_bad_interactions_name_the_line(dataset_folder, interactions, message):
    with pytest.raises(UserError, match=message):
        Dataset.from_folder(dataset_folder(interactions))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("", r"items.jsonl: no items"),
        ('{"item_id": "a", "title": "x"}\n{oops\n', r"items.jsonl line 2: not a JSON object"),
        ("[1]\n", r"line 1: not a JSON object"),
        ('{"title": "x"}\n', r"line 1: no item_id"),
        (
            [ITEMS[0], ITEMS[1], ITEMS[0]],
            r"line 3: item_id 'a' is already used in \S+items.jsonl line 1",
        ),
        (b'{"item_id": "a", "title": "\xe9"}\n', r"items.jsonl line 1: not UTF-8"),
        ([{"item_id": "a", "image": "../../etc/passwd"}], r"line 1: image '../../etc/passwd' lies"),
        ([{"item_id": "a", "image": "/etc/passwd"}], r"lies outside the image folder"),
        ([{"item_id": "a", "image": r"C:\secret.png"}], r"lies outside the image folder"),
        ([{"item_id": "a", "images": ["ok.png", r"..\x.png"]}], r"lies outside the image folder"),
        ([{"item_id": "a", "title": {"en": "Mug"}}], r"line 1: title is {'en': 'Mug'}; write"),
        ("[" * 100_000, r"line 1: not a JSON object"),
        (
            '{"item_id": "a", "text": ' + "[" * 900 + "]" * 900 + "}",
            r"line 1: .*nested too deep",
        ),
        ([{"item_id": "\ud800"}], r"line 1: item_id .* has half of a character"),
    ],
)
def test_bad_items_name_the_line(dataset_folder, items, message):
    with pytest.raises(UserError, match=message):
        Dataset.from_folder(dataset_folder(items=items))


def test_missing_files_and_folders_are_named(tmp_path, dataset_folder):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        Dataset.from_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"interactions.csv not found \(also looked for"):
        Dataset.from_folder(tmp_path)


@pytest.mark.parametrize("name", ["items.json", "item.csv", "Items.xlsx", "items.jsonl"])
def test_a_file_that_is_meant_as_item_table_is_not_passed_over(dataset_folder, name):
    """Without an item table items are ids alone; so a misnamed table or a broken link counts."""
    folder = dataset_folder()
    (folder / "items.jsonl").unlink()
    (folder / name).symlink_to(folder / "nowhere")
    with pytest.raises(UserError, match=r"items.jsonl not found \(also looked for"):
        Dataset.from_folder(folder)


def test_without_an_item_table_items_are_ids(dataset_folder):
    folder = dataset_folder()
    (folder / "items.jsonl").unlink()
    data = Dataset.from_folder(folder)
    assert list(data.items) == ["a", "b"]
    assert not any(item.has_content for item in data.items.values())
    assert f"no {folder / 'items.jsonl'}: items are the ids of the interactions" in data.notes[0]
    assert "only models of item ids can be trained" in data.notes[1]
    frames = Dataset.from_frames(pd.read_csv(folder / "interactions.csv", dtype=str))
    assert list(frames.items) == list(data.items)
    assert frames.interactions.equals(data.interactions)


def test_items_without_any_content_are_kept_if_all_are_alike(dataset_folder):
    data = Dataset.from_folder(dataset_folder(items=[{"item_id": item} for item in "ab"]))
    assert list(data.items) == ["a", "b"]
    assert "only models of item ids can be trained" in data.notes[0]


def test_any_column_of_the_item_table_can_be_read(dataset_folder):
    items = [{**ITEMS[0], "colour": ["blue", "white"]}, {**ITEMS[1], "colour": None}]
    folder = dataset_folder(items=items)
    assert list(read_column(folder, "colour")) == [("a", ["blue", "white"]), ("b", [])]
    with pytest.raises(UserError, match="no column 'size'; there is item_id, title, image, colour"):
        list(read_column(folder, "size"))


@pytest.mark.parametrize(("listed", "used"), [("0108", "108"), ("7", "7.0"), ("007", "7.0")])
def test_an_id_damaged_by_a_spreadsheet_is_suspected(dataset_folder, listed, used):
    folder = dataset_folder(
        f"user_id,item_id,timestamp\nu,{used},1\n", [{"item_id": listed, "title": "Mug"}]
    )
    with pytest.raises(UserError, match=rf"is '{listed}' meant\? Then export ids as text"):
        Dataset.from_folder(folder)


def test_a_folder_of_parquet_files_keeps_the_column_that_names_its_parts(dataset_folder):
    folder = dataset_folder()
    (folder / "items.jsonl").unlink()
    items = pd.DataFrame({"item_id": ["a", "b"], "title": ["Mug", "Bowl"], "domain": ["x", "y"]})
    items.to_parquet(folder / "items.parquet", partition_cols=["domain"])
    assert list(Dataset.from_folder(folder, domain="y").items) == ["b"]


def test_a_column_called_part_that_is_no_split_is_noted(dataset_folder):
    folder = dataset_folder("user_id,item_id,timestamp,Part\nu1,a,10,1\nu1,b,20,2\n")
    found = Dataset.from_folder(folder)
    assert "part" not in found.interactions
    assert found.notes == ["the column part has none of train, valid, test; it is not used"]


def test_ids_that_stand_for_missing_ones_are_noted(dataset_folder):
    folder = dataset_folder("user_id,item_id,timestamp\nnan,a,10\nnan,b,20\nu,b,5\n")
    assert Dataset.from_folder(folder).notes == [
        "interactions whose user_id is 'nan': 2; is it missing?"
    ]


def test_a_dataset_whose_replacement_was_interrupted_is_found_again(tmp_path):
    folder = toy_dataset(tmp_path / "data")
    folder.rename(tmp_path / ".data.99999999.old")
    assert len(Dataset.from_folder(folder).items)
    with pytest.raises(UserError, match="File name too long; give the folder of a dataset"):
        Dataset.from_folder(tmp_path / ("x" * 300))
