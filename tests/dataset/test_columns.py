"""Columns are found under their names, under similar ones, or under those that the user gives."""

import gzip
import json

import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.columns import Columns
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.sources import read_item_frame
from tests.toys import write_frame

INTERACTIONS = pd.DataFrame({" User ID": ["u", "v"], "sku": ["a", "b"], "Timestamp": [1, 2]})
ITEMS = pd.DataFrame({"sku": ["a", "b"], " Title": ["Mug", "Bowl"], "price": [1, 2]})
RENAMES = {"sku": "item_id"}


def as_expected(data: Dataset, items: str) -> None:
    assert data.user_history("u") == ["a"]
    assert data.items["b"].title == "Bowl"
    assert f"{items}: columns that are not used: price" in data.notes


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".parquet"])
def test_tables_of_a_folder(tmp_path, ending) -> None:
    write_frame(tmp_path / f"interactions{ending}", INTERACTIONS)
    write_frame(tmp_path / f"items{ending}", ITEMS)
    as_expected(Dataset.from_folder(tmp_path, columns=RENAMES), f"items{ending}")


def test_json_lines(tmp_path) -> None:
    write_frame(tmp_path / "interactions.csv", INTERACTIONS)
    rows = [{"sku": "a", " Title": "Mug", "price": 1}, {" Title": "Bowl", "sku": "b"}]
    text = "\n".join(map(json.dumps, rows))
    (tmp_path / "items.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    as_expected(Dataset.from_folder(tmp_path, columns=RENAMES), "items.jsonl.gz")
    for row, name in zip(rows, ("title", " Title"), strict=True):  # not the same in each row
        row[name] = row.pop(" Title")
    (tmp_path / "items.jsonl.gz").write_text("\n".join(map(json.dumps, rows)))
    found = Dataset.from_folder(tmp_path, columns=RENAMES)
    assert "items.jsonl.gz: columns that are not used: price,  Title" in found.notes


def test_frames() -> None:
    as_expected(Dataset.from_frames(INTERACTIONS, ITEMS, columns=RENAMES), "items")


def test_a_rename_can_be_for_one_table_only() -> None:
    interactions = pd.DataFrame(
        {"id": [7, 8], "userId": ["u", "v"], "item_id": ["a", "b"], "timestamp": [1, 2]}
    )
    items = pd.DataFrame({"id": ["a", "b"], "title": ["Mug", "Bowl"]})
    with pytest.raises(UserError, match=r"both read as 'item_id'.* write items.NAME"):
        Dataset.from_frames(interactions, items, columns={"id": "item_id"})
    data = Dataset.from_frames(interactions, items, columns={"items.id": "item_id"})
    assert (data.user_history("u"), list(data.items)) == (["a"], ["a", "b"])
    interactions = interactions.rename(columns={"item_id": "product"})
    both = {"id": "item_id", "product": "item_id"}
    with pytest.raises(
        UserError, match=r"both read as 'item_id'.* write items.NAME or interactions"
    ):
        Dataset.from_frames(interactions, items, columns=both)
    both = {"items.id": "item_id", "interactions.product": "item_id"}
    data = Dataset.from_frames(interactions, items, columns=both)
    assert (data.user_history("u"), list(data.items)) == (["a"], ["a", "b"])


def test_columns_without_a_name_and_with_numbers() -> None:
    numbered = INTERACTIONS.rename(columns={"sku": 0}).assign(**{"": 1})
    data = Dataset.from_frames(numbered, ITEMS, columns={0: "item_id", **RENAMES})
    assert "interactions: columns that are not used: (no name)" in data.notes
    with pytest.raises(UserError, match="give a dictionary such as"):
        Dataset.from_frames(numbered, ITEMS, columns=["item_id"])


def test_an_exact_name_goes_before_a_similar_one() -> None:
    names = Columns("table", ("title",)).match(["Title", "title"])
    assert names == {"Title": "Title", "title": "title"}


@pytest.mark.parametrize(
    ("renames", "message"),
    [
        (
            {},
            r"no column item_id; .* say columns=\{'NAME': 'item_id'\} .--rename NAME=item_id",
        ),
        ({"sku": "item"}, "columns: 'sku' as 'item': choose from user_id, item_id"),
        ({**RENAMES, "brnd": "brand"}, "there is no column 'brnd'; interactions has  User ID, sku"),
        ({**RENAMES, "price": "title", " Title": "title"}, "are both read as 'title'"),
    ],
)
def test_renames_that_cannot_be_meant_are_refused(renames, message) -> None:
    with pytest.raises(UserError, match=message):
        Dataset.from_frames(INTERACTIONS, ITEMS, columns=renames)


TWO_TITLES = pd.DataFrame({"item_id": ["a"], "title": ["Mug"], "name": ["Bowl"], "brand": ["N"]})
ONE = pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": [1], "time": [9], "id": "b"})


@pytest.mark.parametrize(
    ("columns", "table", "old", "new"),
    [
        ({"name": "title"}, "items", "name", "title"),
        ({"items.name": "title"}, "items", "name", "title"),
        ({"title": "brand"}, "items", "title", "brand"),
        ({"time": "timestamp"}, "interactions", "time", "timestamp"),
        ({"id": "item_id"}, "interactions", "id", "item_id"),  # items has no id either
        ({"interactions.id": "item_id"}, "interactions", "id", "item_id"),
    ],
)
def test_a_rename_to_a_column_that_is_there_is_refused(columns, table, old, new) -> None:
    with pytest.raises(UserError, match=rf"^{table}: columns .* both read as '{new}'; remove one"):
        Dataset.from_frames(ONE, TWO_TITLES, columns=columns)


def test_a_rename_goes_before_the_name_of_the_column() -> None:
    alone = Dataset.from_frames(ONE, TWO_TITLES.drop(columns="brand"), columns={"title": "brand"})
    assert (alone.items["a"].title, alone.items["a"].brand) == ("", "Mug")
    swap = {"title": "brand", "brand": "title"}
    item = Dataset.from_frames(ONE, TWO_TITLES, columns=swap).items["a"]
    assert (item.title, item.brand) == ("N", "Mug")


def test_a_rename_of_an_item_frame_is_refused_if_its_target_is_there() -> None:
    frame = pd.DataFrame({"item_id": ["a"], "sku": ["b"]})
    with pytest.raises(UserError, match="both read as 'item_id'"):
        read_item_frame(frame, {"sku": "item_id"})
