"""Parquet files: which columns are read, and of which types."""

import datetime
import os
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.columns import ITEM_COLUMNS, Columns
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.sources import read_items
from msm4sr_lite.dataset.tables import read_columns


def test_a_parquet_folder_is_one_table(tmp_path):
    (tmp_path / "t.parquet").mkdir()
    for part in (0, 1):
        pd.DataFrame({"a": [part]}).to_parquet(tmp_path / "t.parquet" / f"part-{part}.parquet")
    (tmp_path / "t.parquet" / "_SUCCESS").write_text("")
    assert read_columns(tmp_path / "t.parquet", ["a"])["a"].tolist() == [0, 1]


def test_whole_numbers_in_parquet_stay_exact_beside_missing_cells(tmp_path):
    frame = pd.DataFrame({"a": pd.array([2**60 + 1, None], dtype="Int64")}).set_index("a")
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_columns(tmp_path / "t.parquet", ["a"])["a"].tolist() == [2**60 + 1, None]


def test_of_a_parquet_file_only_the_columns_named_are_read(tmp_path):
    unreadable = pa.array([10**12, 0], pa.timestamp("s"))  # a year that Python does not know
    table = pa.table({"x": unreadable, "b": [1, 2], "a": [True, None]})
    parquet.write_table(table, tmp_path / "t.parquet")
    found = read_columns(tmp_path / "t.parquet", ["b"], optional=["a", "c"])
    assert found.to_dict("list") == {"b": [1, 2], "a": [True, None]}
    assert found.index.tolist() == [1, 2]


def written(path, **columns):
    parquet.write_table(pa.table(columns), path)
    return path


TEXTS = ["1", "2", "1"]
DECIMALS = [Decimal(1), Decimal(2), Decimal(1)]


@pytest.mark.parametrize(
    "ids",
    [
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS).dictionary_encode(),
        pa.array(TEXTS, pa.binary()),
        pa.array(DECIMALS, pa.decimal128(20, 2)),
        pa.array([1, 2, 1], pa.uint64()),
        pa.array([1, 2, 1], pa.float32()),
    ],
    ids=lambda column: str(column.type),
)
def test_ids_of_these_types_are_read_as_text(tmp_path, ids):
    path = written(tmp_path / "interactions.parquet", user_id=ids, item_id=ids, timestamp=[1, 2, 3])
    written(tmp_path / "items.parquet", item_id=ids[:2], title=["Mug", "Bowl"])
    dataset = Dataset.from_folder(path.parent)
    assert dataset.interactions["user_id"].tolist() == TEXTS
    assert dataset.interactions["item_id"].tolist() == TEXTS
    assert list(dataset.items) == ["1", "2"]


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([{"id": "a"}]),
        pa.array([["a"]]),
        pa.array([True]),
        pa.array([b"\xff"], pa.binary()),
        pa.nulls(1),
        pa.array([None], pa.string()),
    ],
    ids=lambda column: str(column.type),
)
def test_ids_of_other_types_are_refused_with_the_row(tmp_path, ids):
    written(tmp_path / "interactions.parquet", user_id=ids, item_id=["a"], timestamp=[1])
    written(tmp_path / "items.parquet", item_id=["a"], title=["Mug"])
    with pytest.raises(UserError, match=r"parquet row 1: .*(no user_id|not utf-8)"):
        Dataset.from_folder(tmp_path)


NOON = datetime.datetime(2023, 11, 14, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([NOON], pa.timestamp("us", "Europe/Oslo")),
        pa.array([NOON], pa.timestamp("s")),
        pa.array([NOON], pa.timestamp("ns")),
        pa.array(["2023-11-14T12:00:00Z"]).dictionary_encode(),
        pa.array([Decimal(1699963200)], pa.decimal128(20, 3)),
        pa.array([1699963200], pa.uint32()),
    ],
    ids=lambda column: str(column.type),
)
def test_timestamps_of_these_types_are_read_as_seconds(tmp_path, times):
    written(tmp_path / "interactions.parquet", user_id=["u"], item_id=["a"], timestamp=times)
    written(tmp_path / "items.parquet", item_id=["a"], title=["Mug"])
    assert Dataset.from_folder(tmp_path).interactions["timestamp"].tolist() == [1699963200]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([datetime.time(12)], pa.time64("us")),
        pa.array([5], pa.duration("s")),
        pa.array([{"at": 1}]),
        pa.array([[1]]),
        pa.nulls(1),
        pa.array([None], pa.timestamp("us")),
        pa.array([None], pa.float64()),
    ],
    ids=lambda column: str(column.type),
)
def test_timestamps_of_other_types_are_refused_with_the_row(tmp_path, times):
    written(tmp_path / "interactions.parquet", user_id=["u"], item_id=["a"], timestamp=times)
    written(tmp_path / "items.parquet", item_id=["a"], title=["Mug"])
    with pytest.raises(UserError, match=r"parquet row 1: (no timestamp|timestamp .* is neither)"):
        Dataset.from_folder(tmp_path)


def test_item_columns_may_be_empty_dictionaries_or_lists_and_unused_ones_of_any_type(tmp_path):
    written(
        tmp_path / "items.parquet",
        item_id=["a", "b"],
        title=pa.array(["Mug", "Bowl"]).dictionary_encode(),
        brand=pa.nulls(2),
        categories=pa.array([["Home", None], None], pa.large_list(pa.large_string())),
        sold=pa.array([10**12, 0], pa.timestamp("s")),  # a year that Python does not know
    )
    items = read_items(tmp_path / "items.parquet", Columns("items", ITEM_COLUMNS))
    assert list(items.values()) == [
        Item("a", "Mug", categories=("Home",)),
        Item("b", "Bowl"),
    ]
    with pytest.raises(UserError, match="cannot be read as parquet"):
        read_items(tmp_path / "items.parquet")


def test_errors_of_pyarrow_are_one_line(tmp_path, monkeypatch):
    path = written(tmp_path / "t.parquet", a=[1])

    def fail(*_, **__):
        raise pa.ArrowNotImplementedError("no such type\nmore")

    monkeypatch.setattr("pyarrow.dataset.dataset", fail)
    with pytest.raises(UserError, match=r"t\.parquet: cannot be read as parquet: no such type$"):
        read_columns(path, ["a"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_named_pipes_are_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t.parquet")
    (tmp_path / "u.parquet").mkdir()
    os.mkfifo(tmp_path / "u.parquet" / "part.parquet")
    for name in ("t.parquet", "u.parquet"):
        with pytest.raises(UserError, match=r"\.parquet: not a file, but a folder, pipe"):
            read_columns(tmp_path / name, ["a"])


@pytest.mark.parametrize("index", [[5, 3], ["x", "y"]])
def test_the_index_of_a_saved_frame_is_no_column(tmp_path, index):
    ids = {"user_id": ["u", "v"], "item_id": ["a", "a"], "timestamp": [1, 2]}
    pd.DataFrame(ids, index=index).to_parquet(tmp_path / "interactions.parquet")
    items = pd.DataFrame({"item_id": ["a", "b"], "title": ["Mug", "Bowl"]}, index=index)
    items.to_parquet(tmp_path / "items.parquet")
    assert "__index_level_0__" in parquet.read_schema(tmp_path / "items.parquet").names
    assert Dataset.from_folder(tmp_path).notes == []
    columns = Columns("items", ITEM_COLUMNS)
    assert list(read_items(tmp_path / "items.parquet", columns)) == ["a", "b"]
    assert columns.unused == []
