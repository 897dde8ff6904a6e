"""Parquet files: which columns are read, and of which types."""

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

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
