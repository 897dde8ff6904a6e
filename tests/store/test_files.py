"""Files and folders are complete or absent, whatever happens while they are written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from msm4sr_lite.config import (
    UserError,
)
from msm4sr_lite.store.files import whole_folder, write_bytes, write_json, write_text
from msm4sr_lite.store.run_folder import open_run_folder
from msm4sr_lite.store.schemas import read_json

FULL = r"cannot be written \(No space left on device\); free disk space .*finished work is kept"


@pytest.fixture
def full_disk(monkeypatch):
    """Let every flush to the disk fail."""

    def fail(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)


def files(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_what_is_written_is_read(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "größer\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "größer\n".encode()
    write_json(tmp_path / "c.json", {"ä": [1, None]})
    assert read_json(tmp_path / "c.json") == {"ä": [1, None]}
    assert files(tmp_path) == ["a", "b.txt", "c.json"]


def test_a_full_disk_keeps_the_file_before_it(tmp_path, full_disk):
    (tmp_path / "x").write_text("before")
    with pytest.raises(UserError, match=FULL):
        write_bytes(tmp_path / "x", b"after")
    assert (tmp_path / "x").read_text() == "before"
    assert files(tmp_path) == ["x"]


@pytest.mark.parametrize("text", ["{", b"\xff\xfe"])
def test_a_file_that_is_no_json_is_named(text, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=r"x.json: cannot be read .*; delete it"):
        read_json(path)


def test_a_folder_replaces_the_one_before_it(tmp_path):
    for number in (1, 2):
        with whole_folder(tmp_path / "stage") as draft:
            assert list(draft.iterdir()) == []
            (draft / f"{number}.txt").write_text("x")
            if number == 2:
                assert files(tmp_path / "stage") == ["1.txt"]  # until the new one is complete
    assert files(tmp_path) == ["2.txt", "stage"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_folder_leaves_what_was_there(error, tmp_path):
    with whole_folder(tmp_path / "stage") as draft:
        (draft / "old.txt").write_text("x")

    def interrupted():
        with whole_folder(tmp_path / "stage") as draft:
            (draft / "new.txt").write_text("x")
            raise error

    with pytest.raises(error):
        interrupted()
    assert files(tmp_path) == ["old.txt", "stage"]


def test_a_folder_that_cannot_be_flushed_leaves_what_was_there(tmp_path, full_disk):
    (tmp_path / "stage").mkdir()
    with pytest.raises(UserError, match=FULL), whole_folder(tmp_path / "stage") as draft:
        (draft / "new.txt").write_text("x")
    assert files(tmp_path) == ["stage"]


def test_drafts_of_a_killed_process_are_removed(tmp_path):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    others = [f".other.{killed.pid}.draft", ".stage.backup", ".stage.1.draft.copy", ".stage.x.old"]
    if Path("/proc").exists():
        others.append(f".stage.{os.getppid()}.draft")  # of a process that still runs
    left = [
        f".stage.{pid}.{kind}" for pid in (killed.pid, os.getpid()) for kind in ("draft", "old")
    ]
    for name in (*others, *left):
        (tmp_path / name).mkdir()
    with whole_folder(tmp_path / "stage"):
        pass
    assert files(tmp_path) == sorted([*others, "stage"])


def test_marks_in_a_name_stand_for_themselves(tmp_path):
    for name in (".abc.99999999.draft", ".ab.99999999.old", ".a[b]*.99999999.draft"):
        (tmp_path / name).mkdir()
    for name in ("a[b]*", "a.c"):
        with whole_folder(tmp_path / name):
            pass
    assert files(tmp_path) == [".ab.99999999.old", ".abc.99999999.draft", "a.c", "a[b]*"]


def test_a_source_that_cannot_be_read_is_named_itself(tmp_path):
    source = tmp_path / "source.jpg"
    missing = pytest.raises(UserError, match=r"source.jpg: No such file or directory; check this")
    with missing, whole_folder(tmp_path / "out" / "stage"):
        source.read_bytes()
    for place, remedy in (
        ("out/stage/x", "check the path"),
        ("out/x/y", "a file .* in the way"),
    ):  # of what is written, the target is named
        (tmp_path / "out" / "x").write_text("a file where a folder should be")
        target = pytest.raises(UserError, match=rf"cannot be written .*; {remedy}")
        with target, whole_folder(tmp_path / place) as draft:
            (draft / "no" / "folder").write_text("x")
    full = pytest.raises(UserError, match=FULL)
    with full, whole_folder(tmp_path / "out" / "stage"):  # as shutil.copyfile does
        raise OSError(28, "No space left on device", str(source), None, "target")
    assert files(tmp_path / "out") == ["stage", "x"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "deep" / "a.json"
    write_json(target, {"ä": 1})
    assert target.read_bytes() == '{\n  "ä": 1\n}\n'.encode()

    def fail(self, other):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UserError, match="disk full"):
        write_text(target, "new")
    assert target.read_bytes().startswith(b"{")
    assert [p.name for p in target.parent.iterdir()] == ["a.json"]


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "model"
    with whole_folder(target) as draft:
        (draft / "x").write_text("old")
    with pytest.raises(ZeroDivisionError), whole_folder(target) as draft:
        (draft / "x").write_text("half" + "way" * (1 // 0))
    assert (target / "x").read_text() == "old"
    with whole_folder(target) as draft:
        (draft / "y").write_text("new")
    assert [p.name for p in target.iterdir()] == ["y"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_the_old_folder_comes_back_if_the_last_step_fails(tmp_path, monkeypatch):
    target = tmp_path / "model"
    with whole_folder(target) as draft:
        (draft / "x").write_text("old")
    rename = Path.rename

    def fail(self, other):
        if self.name.endswith(".draft"):
            raise OSError("held open by another program")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(UserError, match="held open"), whole_folder(target) as draft:
        (draft / "x").write_text("new")
    assert (target / "x").read_text() == "old"


def test_something_in_the_way_is_not_taken_for_a_full_disk(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "link", tmp_path / "file"):
        with pytest.raises(UserError, match=r"cannot be written .*in the way; remove it or choose"):
            write_text(folder / "x.json", "{}")
        with (
            pytest.raises(UserError, match=r"cannot be written .*in the way; remove it or choose"),
            open_run_folder(folder),
        ):
            pass
