"""Cells that hold less than they seem to: rounded numbers, and objects that are no text."""

import enum
import json
import uuid
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import shown
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.rows import id_text, parse_item, text
from tests.toys import write_frame

SHORT = [np.float16, np.float32, "Float32"]


def frames(column="user_id", cells=("u", "v"), items=("a", "b")):
    table = {"user_id": ["u", "v"], "item_id": ["a", "b"], "timestamp": [1, 2]} | {column: cells}
    return pd.DataFrame(table), pd.DataFrame({"item_id": items, "title": "Mug"})


@pytest.mark.parametrize("kind", SHORT)
@pytest.mark.parametrize("column", ["user_id", "item_id", "timestamp"])
def test_numbers_that_a_short_float_rounds_are_refused(kind, column):
    size = 2**11 if kind is np.float16 else 2**24
    exact = pd.array([1, size - 1], dtype=kind)
    data = Dataset.from_frames(
        *frames(column, exact, [1, size - 1] if "item" in column else [*"ab"])
    )
    assert str(size - 1) in {*data.users, *data.items, f"{data.interactions.timestamp.max():.0f}"}
    rounded = pd.array([1, size], dtype=kind)
    with pytest.raises(
        UserError, match=rf"^interactions row 1: {column} {size} is a float.., which rounds"
    ):
        Dataset.from_frames(*frames(column, rounded))


def test_rounded_item_ids_are_refused(tmp_path):
    ids = np.array([1, 2**24 + 1], dtype=np.float32)
    with pytest.raises(UserError, match=r"^items row 1: item_id 16777216 is a float32"):
        Dataset.from_frames(*frames(items=ids))
    pytest.importorskip("pyarrow")
    interactions, items = frames(items=ids)
    write_frame(tmp_path / "items.parquet", items)
    write_frame(tmp_path / "interactions.csv", interactions)
    with pytest.raises(UserError, match=r"items.parquet row 2: item_id 16777216 is a float32"):
        Dataset.from_folder(tmp_path)


class Colour(enum.Enum):
    RED = 1


ODD = [1 + 2j, np.complex64(1), object(), pd.Interval(0, 1), Colour.RED, timedelta(3), iter("a")]
ODD += [np.void(b"a"), pd.Series(["a"])]


@pytest.mark.parametrize(
    "cell", [*ODD, float("inf"), np.float32("inf")], ids=lambda value: type(value).__name__
)
def test_what_is_no_id(cell):
    with pytest.raises(ValueError, match=r"^no user_id; .* is neither a text nor a number"):
        id_text(cell, "user_id")


@pytest.mark.parametrize("cell", ODD, ids=lambda value: type(value).__name__)
def test_what_is_no_text(cell):
    with pytest.raises(ValueError, match="is neither a text nor a number; write a text"):
        parse_item({"item_id": "a", "title": cell})


def test_ids_of_other_kinds_and_single_cells_of_arrays():
    unique = uuid.UUID(int=7)
    assert id_text(unique, "item_id") == text(unique) == str(unique)
    assert text(np.array(7)) == text(np.array("7")) == text(np.array(7.0)) == "7"
    assert text(np.ma.masked) == ""
    with pytest.raises(ValueError, match="no item_id; it must not be empty"):
        id_text(np.ma.masked, "item_id")


@pytest.mark.parametrize("dtype", [complex, object])
def test_complex_timestamps_are_refused(dtype):
    cells = np.array([1 + 2j, 2], dtype=dtype)
    with pytest.raises(UserError, match=r"^interactions row 0: timestamp '.1\+2j.' is neither"):
        Dataset.from_frames(*frames("timestamp", cells))


@pytest.mark.parametrize("digits", [401, 5000])
def test_integers_of_hundreds_of_digits_are_no_timestamps(digits, tmp_path):
    huge = 10**digits
    with pytest.raises(UserError, match=r"^interactions row 1: timestamp '.{40}' is neither"):
        Dataset.from_frames(*frames("timestamp", pd.Series([1, huge], dtype=object)))
    assert len(shown(huge)) == 40


def test_json_lines_with_a_huge_integer(tmp_path):
    _, items = frames()
    write_frame(tmp_path / "items.csv", items)
    row = {"user_id": "u", "item_id": "a", "timestamp": 10**401}
    (tmp_path / "interactions.jsonl").write_text(json.dumps(row))
    with pytest.raises(UserError, match=r"interactions.jsonl line 1: timestamp '10+' is neither"):
        Dataset.from_folder(tmp_path)
