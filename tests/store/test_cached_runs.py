"""Finished runs are kept and not made again."""

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.store.cached_runs import Runs


@pytest.fixture
def make():
    """Return a function that counts its calls."""
    made = []

    def run():
        made.append(1)
        return {"ranks": [len(made)]}

    return run


def test_a_run_is_made_once_and_again_when_anything_changes(make, tmp_path):
    runs = Runs(tmp_path / "runs")
    assert runs.get("a b/c", [1, {"x": 2}], make)["ranks"] == [1]
    assert runs.get("a b/c", [1, {"x": 2}], make)["ranks"] == [1]
    assert runs.get("a b/c", [1, {"x": 3}], make)["ranks"] == [2]
    assert Runs(tmp_path / "runs").get("a b/c", [1, {"x": 2}], make)["ranks"] == [1]
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_its_time_is_measured_and_printed(make, tmp_path, capsys):
    assert Runs(tmp_path).get("name", [], make)["seconds"] >= 0
    assert capsys.readouterr().err == "study: name, 0 s\n"


def test_a_damaged_result_is_named(make, tmp_path):
    runs = Runs(tmp_path)
    runs.get("name", [], make)
    for broken in tmp_path.iterdir():
        broken.write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"name\.\w+\.json: cannot be read .*; delete it"):
        runs.get("name", [], make)


def test_a_failed_run_is_not_kept(tmp_path):
    with pytest.raises(ZeroDivisionError):
        Runs(tmp_path).get("name", [], lambda: {"x": 1 / 0})
    assert list(tmp_path.iterdir()) == []
