"""Files and folders are complete or absent, whatever happens while they are written."""

import os

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import read_json, whole_folder, write_bytes, write_json, write_text

FULL = r"cannot be written \(No space left on device\); make room .*finished work is kept"


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
    for name in ("stage", "other"):
        (tmp_path / f".{name}.123.draft").mkdir()
    with whole_folder(tmp_path / "stage"):
        pass
    assert files(tmp_path) == [".other.123.draft", "stage"]
