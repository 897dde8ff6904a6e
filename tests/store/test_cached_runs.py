"""Finished runs are kept and not made again."""

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.store.cached_runs import Runs


def test_a_run_is_made_once_and_anew_when_anything_changes(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"ranks": [len(made)]}

    runs = Runs(tmp_path)
    assert runs.get("a b/c", [1, {"x": 2}], make)["ranks"] == [1]
    assert runs.get("a b/c", [1, {"x": 2}], make)["ranks"] == [1]
    assert runs.get("a b/c", [1, {"x": 3}], make)["ranks"] == [2]
    assert Runs(tmp_path).get("a b/c", [1, {"x": 2}], make)["ranks"] == [1]
    assert len(list(tmp_path.iterdir())) == 2
    for broken in tmp_path.iterdir():
        broken.write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot be read .*; delete it"):
        runs.get("a b/c", [1, {"x": 3}], make)
