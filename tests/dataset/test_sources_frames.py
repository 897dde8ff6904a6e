"""Datasets from data frames: any kind of frame, ids of any type, what is refused."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.sources import read_item_frame


def frames(users=("u1", "u1", "u2"), item_ids=("a", "b", "b"), times=(10, 20, 5), items=None):
    interactions = pd.DataFrame({"user_id": users, "item_id": item_ids, "timestamp": times})
    if items is None:
        items = pd.DataFrame({"item_id": sorted(set(item_ids), key=str)}).assign(title="Mug")
    return interactions, items


def test_a_frame_is_read_as_a_folder_is(tmp_path):
    interactions, items = frames()
    interactions.to_csv(tmp_path / "interactions.csv", index=False)
    items.to_json(tmp_path / "items.jsonl", orient="records", lines=True)
    from_folder = Dataset.from_folder(tmp_path)
    from_frames = Dataset.from_frames(interactions, items, image_root=tmp_path)
    pd.testing.assert_frame_equal(from_frames.interactions, from_folder.interactions)
    assert from_frames.items == from_folder.items
    assert (from_frames.folder, from_frames.image_root) == (None, tmp_path)


def test_the_frames_stay_as_they_are():
    interactions, items = frames()
    before = interactions.copy(), items.copy()
    Dataset.from_frames(interactions, items)
    pd.testing.assert_frame_equal(interactions, before[0])
    pd.testing.assert_frame_equal(items, before[1])


def test_index_order_and_other_columns_do_not_matter():
    interactions, items = frames()
    shuffled = interactions.iloc[[2, 0, 1]].assign(price=1.0)[
        ["price", *interactions.columns[::-1]]
    ]
    dataset = Dataset.from_frames(shuffled, items)
    assert dataset.interactions["item_id"].tolist() == ["b", "a", "b"]


def test_lists_and_missing_cells_in_items():
    items = pd.DataFrame(
        {
            "item_id": ["a", "b"],
            "title": ["Mug", np.nan],
            "categories": [["Home", "Mugs"], None],
            "description": [pd.NA, "Blue"],
            "images": [np.array(["a.jpg", "b.jpg"]), np.nan],
            "department": ["home", None],
        }
    )
    dataset = Dataset.from_frames(frames()[0], items)
    mug, bowl = dataset.items.values()
    assert (mug.title, mug.categories, mug.images) == ("Mug", ("Home", "Mugs"), ("a.jpg", "b.jpg"))
    assert (mug.description, mug.domain) == ("", "home")
    assert (bowl.title, bowl.categories, bowl.images, bowl.domain) == ("", (), (), "")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 1, 2], ["1", "1", "2"]),
        ([1.0, 1.0, 2.0], ["1", "1", "2"]),
        (pd.array([1, 1, 2], dtype="Int64"), ["1", "1", "2"]),
        (pd.Categorical(["x", "x", "y"]), ["x", "x", "y"]),
        ([" x", "x ", "y"], ["x", "x", "y"]),
        ([Decimal("1.5"), Decimal("1.5"), datetime.date(2024, 1, 2)], ["1.5", "1.5", "2024-01-02"]),
    ],
)
def test_ids_of_any_type_become_text(ids, expected):
    interactions, items = frames(users=ids)
    assert Dataset.from_frames(interactions, items).users == [expected[2], expected[0]]


@pytest.mark.parametrize("ids", [[1, "1", 2], ["x", " x", "y"]])
def test_a_note_says_where_ids_became_the_same(ids):
    interactions, items = frames(users=ids)
    (note,) = Dataset.from_frames(interactions, items).notes
    assert "interactions: ids in user_id that were written in several ways" in note
    assert repr(str(ids[0]).strip()) in note


def test_numbers_of_one_value_are_no_merge():
    interactions, items = frames(users=pd.Series([1, 1.0, 2], dtype=object))
    assert Dataset.from_frames(interactions, items).notes == []


@pytest.mark.parametrize(
    "times",
    [
        pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-01"]),
        pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-01"]).tz_localize("UTC"),
        ["2024-01-02", "2024-01-03", "2024-01-01"],
        [
            datetime.datetime(2024, 1, 2),
            datetime.datetime(2024, 1, 3),
            datetime.datetime(2024, 1, 1),
        ],
        [datetime.date(2024, 1, 2), datetime.date(2024, 1, 3), datetime.date(2024, 1, 1)],
        pd.array([1704153600, 1704240000, 1704067200], dtype="Int64"),
        [Decimal(1704153600), Decimal(1704240000), Decimal(1704067200)],
    ],
)
def test_dates_of_any_type_become_seconds(times):
    dataset = Dataset.from_frames(*frames(times=times))
    assert dataset.interactions["timestamp"].tolist() == [1704067200, 1704153600, 1704240000]


class WithToPandas:
    """Stands for polars, pyarrow and others."""

    def __init__(self, frame):
        self._frame = frame

    def to_pandas(self):
        return self._frame


class WithInterchange:
    """A frame of which only the interchange protocol is known."""

    def __init__(self, frame):
        self._frame = frame

    def __dataframe__(self, *args, **kwargs):
        return self._frame.__dataframe__(*args, **kwargs)


@pytest.mark.filterwarnings("ignore:.*interchange")
@pytest.mark.parametrize("kind", [WithToPandas, WithInterchange])
def test_other_data_frames_are_converted(kind):
    expected = Dataset.from_frames(*frames())
    dataset = Dataset.from_frames(*map(kind, frames()))
    pd.testing.assert_frame_equal(dataset.interactions, expected.interactions)
    assert dataset.items == expected.items


class WithoutArrow:
    """As polars where pyarrow is missing."""

    def to_pandas(self):
        raise ModuleNotFoundError("pyarrow")


def test_a_frame_that_needs_pyarrow_says_so():
    with pytest.raises(UserError, match=r"interactions: a \S*WithoutArrow needs pyarrow"):
        Dataset.from_frames(WithoutArrow(), frames()[1])


def test_arrow_tables_are_converted():
    pyarrow = pytest.importorskip("pyarrow")
    dataset = Dataset.from_frames(*map(pyarrow.Table.from_pandas, frames()))
    assert dataset.items == Dataset.from_frames(*frames()).items


ITEM_ROWS = pd.DataFrame({"item_id": ["a", "b"], "title": ["Mug", "Bowl"]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"users": ["u", None, "u"]}, "interactions row 1: no user_id; it must not be empty"),
        ({"users": ["u", " ", "u"]}, "interactions row 1: no user_id"),
        ({"users": ["u", ["v"], "u"]}, "interactions row 1: no user_id"),
        ({"users": [1.0, float("nan"), 2.0]}, "interactions row 1: no user_id"),
        ({"users": [1.0, 1e300, 2.0]}, "interactions row 1: user_id 1e[+]300 is .* too large"),
        ({"times": [1, None, 2]}, "interactions row 1: no timestamp"),
        ({"times": [True, False, True]}, "timestamp 'True' is neither"),
        ({"times": pd.to_datetime(["2024-01-02", None, None])}, "interactions row 1: no timestamp"),
        ({"items": ITEM_ROWS.iloc[:1]}, "interactions row 1: item 'b' is not in items"),
        ({"items": ITEM_ROWS.drop(columns="item_id")}, "items: no column item_id"),
        ({"items": ITEM_ROWS.iloc[[0, 1, 0]]}, "items row 2: item_id 'a' is already used in items"),
        ({"items": ITEM_ROWS.assign(image="../x")}, "items row 0: image '../x' lies outside"),
        ({"items": ITEM_ROWS.assign(domain="x", department="y")}, "row 0: domain 'x' and departm"),
        ({"items": ITEM_ROWS.iloc[:0]}, "items: the data frame has no rows"),
        ({"items": {"item_id": ["a"]}}, "items is a builtins.dict; give a pandas or polars"),
        (
            {"items": ITEM_ROWS.set_axis(["item_id"] * 2, axis=1)},
            "two columns are called 'item",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_row(changes, message):
    with pytest.raises(UserError, match=message):
        Dataset.from_frames(*frames(**changes))


def test_item_frames_take_renames_and_ignore_those_of_the_interactions():
    frame = pd.DataFrame({"sku": [7], "name": ["Mug"]})
    renames = {"sku": "item_id", "items.name": "title", "visitor": "user_id", "x": "item_id"}
    assert read_item_frame(frame, renames) == [Item("7", "Mug")]
    assert read_item_frame(pd.DataFrame({"item_id": ["a"]})) == [Item("a")]
    with pytest.raises(UserError, match="there is no column 'nme'; items has sku, name"):
        read_item_frame(frame, {"sku": "item_id", "nme": "title"})
    with pytest.raises(UserError, match="'sku' as 'id': choose from"):
        read_item_frame(frame, {"sku": "id"})
