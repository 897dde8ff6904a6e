"""What a shop folder may hold, and what each mistake in it says."""

import gzip
import json

import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.folder import read_folder

ITEMS = [
    {"item_id": "a", "title": "Mug", "image": "images/a.png"},
    {"item_id": "b", "description": "A blue bowl."},
]
EVENTS = "user_id,item_id,timestamp\nu1,a,10\nu1,b,20\nu2,b,5\n"


@pytest.fixture
def dataset_folder(tmp_path):
    """Return a function that writes a small valid shop, with any file replaced."""

    def write(interactions=EVENTS, items=ITEMS):
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


def test_reads_what_is_there(dataset_folder):
    dataset = read_folder(dataset_folder())
    assert list(dataset.items) == ["a", "b"]
    assert dataset.items["a"].images == ("images/a.png",)
    assert dataset.interactions["item_id"].tolist() == ["b", "a", "b"]  # sorted by time
    assert dataset.notes == []
    assert dataset.history("u1") == ["a", "b"]


def test_equal_times_keep_file_order(dataset_folder):
    rows = "\n".join(f"u,{item},7" for item in "abbaab")
    dataset = read_folder(dataset_folder(f"user_id,item_id,timestamp\n{rows}\n"))
    assert "".join(dataset.interactions["item_id"]) == "abbaab"


@pytest.mark.parametrize(
    "times", [("2023-01-02", "2023-01-01T10:00:00+02:00"), ("17.5", "3"), ("1e9", "-4")]
)
def test_numbers_and_iso_dates(dataset_folder, times):
    text = "user_id,item_id,timestamp\n" + "".join(
        f"u,{i},{t}\n" for i, t in zip("ab", times, strict=True)
    )
    assert read_folder(dataset_folder(text)).interactions["item_id"].tolist() == ["b", "a"]


def test_extra_columns_quotes_and_bom_are_fine(dataset_folder):
    text = '\ufeffitem_id,price,user_id,timestamp\na,"1,5","u,1",3\n'
    assert read_folder(dataset_folder(text)).interactions["user_id"].tolist() == ["u,1"]


def test_gzip_and_parquet(dataset_folder, tmp_path):
    plain = read_folder(dataset_folder()).interactions
    (tmp_path / "interactions.csv").unlink()
    with gzip.open(tmp_path / "interactions.csv.gz", "wt") as stream:
        stream.write(EVENTS)
    pd.testing.assert_frame_equal(read_folder(tmp_path).interactions, plain)
    (tmp_path / "interactions.csv.gz").unlink()
    frame = pd.DataFrame(
        {"user_id": ["u1", "u1", "u2"], "item_id": ["a", "b", "b"], "timestamp": [10, 20, 5]}
    )
    frame.to_parquet(tmp_path / "interactions.parquet")
    pd.testing.assert_frame_equal(read_folder(tmp_path).interactions, plain)
    pd.DataFrame(ITEMS).to_parquet(tmp_path / "items.parquet")
    (tmp_path / "items.jsonl").unlink()
    assert read_folder(tmp_path).items["b"].description == "A blue bowl."


def test_items_as_csv(dataset_folder, tmp_path):
    dataset_folder()
    (tmp_path / "items.jsonl").unlink()
    (tmp_path / "items.csv").write_text("item_id,title,image\na,Mug,images/a.png\nb,Bowl,\n")
    dataset = read_folder(tmp_path)
    assert dataset.items["a"].images == ("images/a.png",)
    assert dataset.items["b"].images == ()


def test_department(dataset_folder):
    items = [{**ITEMS[0], "domain": "home"}, {**ITEMS[1], "domain": "outdoor"}]
    dataset = read_folder(dataset_folder(items=items), domain="home")
    assert list(dataset.items) == ["a"]
    assert dataset.interactions["item_id"].tolist() == ["a"]
    with pytest.raises(UserError, match="no department 'garden'; there is home, outdoor"):
        read_folder(dataset_folder(items=items), domain="garden")


def test_item_with_neither_text_nor_picture_is_left_out_and_counted(dataset_folder):
    dataset = read_folder(dataset_folder(items=[ITEMS[0], {"item_id": "b", "title": "  "}]))
    assert list(dataset.items) == ["a"]
    assert dataset.notes == [
        "1 items have neither text nor picture (the first is 'b'): left out, with their purchases;"
        " give them a title or an image"
    ]


def test_unknown_items_stop_or_are_counted(dataset_folder):
    folder = dataset_folder(EVENTS + "u3,ghost,1\nu4,ghost,2\n")
    with pytest.raises(
        UserError, match=r"line 5: item 'ghost' is not in items.jsonl \(2 such .*--drop-unknown"
    ):
        read_folder(folder)
    dataset = read_folder(folder, unknown_items="drop")
    assert len(dataset.interactions) == 3
    assert "2 purchases of items" in dataset.notes[0]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ("", r"interactions.csv: the file is empty"),
        ("user_id,item_id,timestamp\n", r"interactions.csv: no purchases"),
        ("user_id,item\nu,a\n", r"no column item_id, timestamp; .*\(found user_id, item\)"),
        (EVENTS + "u3,a,\n", r"line 5: timestamp '' is neither"),
        (EVENTS + "u3,a,NaN\n", r"line 5: timestamp 'NaN'"),
        (EVENTS + "u3,a,inf\n", r"line 5: timestamp 'inf'"),
        (EVENTS + "u3,a,yesterday\n", r"line 5: timestamp 'yesterday'"),
        ('user_id,item_id,timestamp\n"u\n1",a,3\nu,b,soon\n', r"line 4: timestamp 'soon'"),
        (EVENTS + "\nu3,,7\n", r"line 6: empty item_id"),
        (EVENTS + " ,a,7\n", r"line 5: empty user_id"),
        (b"user_id,item_id,timestamp\nu,a,1\nu\xff,a,2\n", r"line 3: not UTF-8"),
        (EVENTS + "u,a,1,2,3,4\n", r"cannot be read as a table: .*line 5"),
    ],
)
def test_bad_interactions(dataset_folder, events, message):
    with pytest.raises(UserError, match=message):
        read_folder(dataset_folder(events))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("", r"items.jsonl: no items"),
        ('{"item_id": "a", "title": "x"}\n{oops\n', r"items.jsonl line 2: not a JSON object"),
        ("[1]\n", r"line 1: not a JSON object"),
        ('{"title": "x"}\n', r"line 1: no item_id"),
        (
            [ITEMS[0], ITEMS[1], ITEMS[0]],
            r"line 3: item_id 'a' is already used in items.jsonl line 1",
        ),
        (b'{"item_id": "a", "title": "\xe9"}\n', r"items.jsonl line 1: not UTF-8"),
        (
            [{"item_id": "a", "image": "../../etc/passwd"}],
            r"line 1: image '../../etc/passwd' lies outside",
        ),
        ([{"item_id": "a", "image": "/etc/passwd"}], r"lies outside the shop folder"),
        ([{"item_id": "a", "image": r"C:\secret.png"}], r"lies outside the shop folder"),
        ([{"item_id": "a", "images": ["ok.png", r"..\x.png"]}], r"lies outside the shop folder"),
        ("[" * 100_000, r"line 1: not a JSON object"),
    ],
)
def test_bad_items(dataset_folder, items, message):
    with pytest.raises(UserError, match=message):
        read_folder(dataset_folder(items=items))


def test_missing_files_and_folders(tmp_path, dataset_folder):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"interactions.csv not found \(also looked for"):
        read_folder(tmp_path)
    dataset_folder()
    (tmp_path / "items.jsonl").unlink()
    with pytest.raises(UserError, match=r"items.jsonl not found"):
        read_folder(tmp_path)


def test_unknown_user(dataset_folder):
    with pytest.raises(UserError, match="no purchases of user 'nobody'"):
        read_folder(dataset_folder()).history("nobody")
