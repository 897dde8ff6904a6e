"""The record of a stage, runs that are not made again, and the log of test-set accesses."""

import subprocess
import sys
from pathlib import Path

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.store.checksums import write_checksums
from msm4sr_lite.store.records import (
    cached_run,
    is_finished,
    log_access,
    read_access_log,
    read_record,
    require_run_dir,
    write_record,
)


def test_a_stage_is_finished_if_it_was_made_from_the_same(tmp_path, capsys):
    folder = tmp_path / "stage"
    assert not is_finished(folder, {"lr": 0.1})
    assert capsys.readouterr().err == ""
    write_record(folder, {"lr": 0.1}, {"images": 3})
    write_checksums(folder)
    assert read_record(folder)["images"] == 3
    assert is_finished(folder, {"lr": 0.1})
    assert capsys.readouterr().err == "stage: done already\n"
    assert not is_finished(folder, {"lr": 0.2})
    assert capsys.readouterr().err == "stage: an input or a setting has changed; running again\n"


def test_a_manifest_is_a_record_too(tmp_path):
    (tmp_path / "manifest.json").write_text('{"made_from": "x"}')
    assert read_record(tmp_path) == {"made_from": "x"}
    assert read_record(tmp_path / "nowhere") == {}


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "record.json").write_text("{")
    with pytest.raises(UserError, match=r"record.json: cannot be read"):
        is_finished(tmp_path, {})


@pytest.fixture
def make():
    """Return a function that counts its calls."""
    made = []

    def run():
        made.append(1)
        return {"ranks": [len(made)]}

    return run


def test_a_run_is_made_once_and_again_when_anything_changes(make, tmp_path):
    folder = tmp_path / "runs"
    for x, ranks in ((2, [1]), (2, [1]), (3, [2]), (2, [1])):
        assert cached_run(folder, "a b/c", [1, {"x": x}], make)["ranks"] == ranks
    assert len(list(folder.iterdir())) == 2


def test_its_time_is_measured_and_printed(make, tmp_path, capsys):
    assert cached_run(tmp_path, "name", [], make)["seconds"] >= 0
    assert capsys.readouterr().err == "study: name, 0 s\n"


def test_a_damaged_result_is_named(make, tmp_path):
    cached_run(tmp_path, "name", [], make)
    (path,) = tmp_path.iterdir()
    content = path.read_text()
    for damaged, reason in (
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (content.replace('"ranks": [\n    1', '"ranks": [\n    2'), "has changed since"),
        (content.replace("checksum", "x"), "has changed since"),
    ):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(UserError, match=rf"name\.\w+\.json: {reason}.*; delete this file"):
            cached_run(tmp_path, "name", [], make)


def test_a_failed_run_is_not_kept(tmp_path):
    with pytest.raises(ZeroDivisionError):
        cached_run(tmp_path, "name", [], lambda: {"x": 1 / 0})
    assert list(tmp_path.iterdir()) == []


def test_an_access_is_logged_once(tmp_path):
    assert read_access_log(tmp_path) == []
    for model in ("a", "b", "a"):
        log_access(tmp_path, {"model": model})
    log = read_access_log(tmp_path)
    assert [one["model"] for one in log] == ["a", "b"]
    assert all(one["when"].endswith("+00:00") for one in log)


def test_the_copy_of_another_result_is_refused(make, tmp_path):
    for name in ("one", "two"):
        cached_run(tmp_path, name, [name], make)
    one, two = sorted(tmp_path.iterdir())
    two.write_bytes(one.read_bytes())
    with pytest.raises(UserError, match=r"two.*: holds the result of another run; delete"):
        cached_run(tmp_path, "two", ["two"], make)


@pytest.mark.parametrize("wrong", ["", " ", 3, "a\0b", b"x", ["x"]])
def test_a_run_folder_without_a_name_is_refused(wrong):
    with pytest.raises(UserError, match="run_dir must be the name of a folder"):
        require_run_dir(wrong)


def test_the_dataset_folder_is_no_run_folder(tmp_path, monkeypatch):
    (data := tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(data)
    monkeypatch.chdir(tmp_path)
    for folder in (data, "data", "./data/../data", "link"):
        with pytest.raises(UserError, match="is the dataset folder; choose another"):
            require_run_dir(folder, data)
    assert require_run_dir("data/run", data) == Path("data/run")
    assert require_run_dir(None, data) is None


def test_accesses_at_the_same_time_are_all_logged(tmp_path):
    code = (
        "import sys; from pathlib import Path; from msm4sr_lite.store.records import log_access\n"
    )
    code += "for n in range(20): log_access(Path(sys.argv[1]), {'model': f'{sys.argv[2]}-{n}'})"
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    for process in [subprocess.Popen([*command, name]) for name in "ab"]:
        assert process.wait() == 0
    assert len(read_access_log(tmp_path / "run")) == 40
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["access_log.json"]
