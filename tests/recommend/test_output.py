"""Recommendations as files."""

import json
import sys

import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.recommend.output import check_output_path, write_recommendations


@pytest.fixture
def frame():
    rows = [("ü,1", 1, "b\nc", 0.1 + 0.2), ("ü,1", 2, "007", 1 / 3), ('a"b', 1, "1e5", 7.0)]
    return pd.DataFrame(rows, columns=["user_id", "rank", "item_id", "score"])


def test_every_format_gives_back_what_was_written(frame, tmp_path):
    read = {
        "csv": lambda path: pd.read_csv(path, dtype={"user_id": str, "item_id": str}),
        "jsonl": lambda path: pd.DataFrame(
            [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
        ),
        "parquet": pd.read_parquet,
    }
    for ending, reader in read.items():
        if ending == "parquet":
            pytest.importorskip("pyarrow")
        path = tmp_path / "new folder" / f"found.{ending.upper()}"
        write_recommendations(frame, path)
        write_recommendations(frame, path)  # replaces the file
        pd.testing.assert_frame_equal(reader(path), frame, check_dtype=False)
        assert [file.name for file in path.parent.glob(f"*.{ending.upper()}*")] == [path.name]


def test_an_empty_frame_is_written(frame, tmp_path):
    empty = frame[:0]
    write_recommendations(empty, tmp_path / "none.csv")
    assert (tmp_path / "none.csv").read_text() == "user_id,rank,item_id,score\n"
    write_recommendations(empty, tmp_path / "none.jsonl")
    assert (tmp_path / "none.jsonl").read_text() == ""


def test_a_path_that_cannot_be_written_is_one_line(frame, tmp_path, monkeypatch):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("x")
    for name, message in (
        ("found.xlsx", r"found.xlsx: the file name must end in .csv, .parquet, .jsonl"),
        ("found", r"found: the file name must end in"),
        ("folder.csv", r"folder.csv: is a folder; give the name of a file"),
        ("file/found.csv", r"found.csv: cannot be written \("),
    ):
        with pytest.raises(UserError, match=message):
            write_recommendations(frame, tmp_path / name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r".parquet needs pyarrow; install it"):
        check_output_path(tmp_path / "found.parquet")
