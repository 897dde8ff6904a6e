"""A run folder is used by one process at a time and cleaned when it is opened."""

import os
import subprocess
import sys
import textwrap

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.store.run_folder import open_run_folder

HOLD = """
import sys
from pathlib import Path
from msm4sr_lite.store.run_folder import open_run_folder
with open_run_folder(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_process_can_open_its_folder_again_and_nothing_stays_locked(tmp_path):
    for _ in range(2):
        with open_run_folder(tmp_path / "run"), open_run_folder(tmp_path / "run"):
            assert (tmp_path / "run").is_dir()
    with open_run_folder(None):
        pass
    assert list(tmp_path.iterdir()) == []  # a folder in which nothing was written is gone


def test_another_process_is_refused_until_the_first_has_ended(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(HOLD), str(tmp_path / "run")]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "open\n"
    with pytest.raises(UserError, match=r"another process .* is using this run folder; wait"):
        open_run_folder(tmp_path / "run").__enter__()
    first.kill()  # the lock ends with the process
    first.communicate()
    with open_run_folder(tmp_path / "run"):
        pass


def test_opening_removes_what_killed_processes_left(tmp_path):
    """Whatever their number: nobody else can be writing in a locked folder."""
    for name in (".pretrained.1.draft", f".x.json.{os.getppid()}.draft", ".keywords.7.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / ".results.json.99999999.draft").write_text("{")
    (tmp_path / "keep.me.7.draft").write_text("mine")
    with open_run_folder(tmp_path):
        names = {path.name for path in tmp_path.iterdir()}
    assert names == {"keep.me.7.draft", "keywords", ".lock"}
    assert (tmp_path / "keywords" / "file").read_text() == ".keywords.7.old"


def test_old_content_does_not_replace_new(tmp_path):
    for name in (".model.99999999.old", "model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with open_run_folder(tmp_path):
        assert (tmp_path / "model" / "file").read_text() == "model"
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


def test_of_several_processes_the_first_locks_for_all(tmp_path, monkeypatch):
    with open_run_folder(tmp_path):
        monkeypatch.setenv("RANK", "1")
        with open_run_folder(tmp_path / "other"):
            assert not (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written"), open_run_folder(tmp_path / "file/x"):
        pass
