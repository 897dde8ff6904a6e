"""The student's progress: whole, kept where it was damaged, and never a reason to stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from course import load_progress, progress, record, work_folder
from course.session import ROOT

from msm4sr_lite.store.files import cannot_write

EMPTY: dict[str, Any] = {"exercises": {}, "predictions": {}, "quizzes": {}, "scores": {}}
HOSTILE = [
    '<script>alert("x")</script>',
    "\U0001f469‍\U0001f680 \u202eevil",
    "\ud800",
    10**400,
    "9" * 5000,
    None,
    [1, {"a": []}],
]


def test_what_is_recorded_is_found_again(student: Path) -> None:
    assert load_progress() == EMPTY
    assert not student.exists()
    record("exercises", "05.mask", "not yet")
    record("exercises", "05.mask", "correct")
    record("scores", "07.mine", {"ndcg": 0.25})
    assert load_progress() == EMPTY | {
        "exercises": {"05.mask": "correct"},
        "scores": {"07.mine": {"ndcg": 0.25}},
    }
    assert [path.name for path in student.iterdir()] == ["progress.json"]


def test_other_content_of_the_file_stays(student: Path) -> None:
    student.mkdir()
    (student / "progress.json").write_text('{"future": {"x": 1}, "scores": {"y": 2}}')
    record("quizzes", "05.1", "right")
    assert load_progress() == EMPTY | {
        "future": {"x": 1},
        "scores": {"y": 2},
        "quizzes": {"05.1": "right"},
    }


def test_in_a_build_nothing_is_read_or_written(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record("exercises", "05.mask", "correct")
    before = (student / "progress.json").read_bytes()
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    assert work_folder() is None
    assert load_progress() == EMPTY
    record("exercises", "05.mask", "not yet")
    assert (student / "progress.json").read_bytes() == before


def test_the_folder_is_beside_the_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MSM4SR_WORK")
    assert work_folder() == ROOT / "notebooks" / "work"
    monkeypatch.setenv("MSM4SR_WORK", "here")
    assert work_folder() == Path.cwd() / "here"


@pytest.mark.parametrize("value", HOSTILE)
def test_whatever_is_recorded_comes_back(value: Any) -> None:
    record("predictions", f"05.{value}"[:20], value)
    assert list(load_progress()["predictions"].values()) == [value]


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_what_json_cannot_hold_is_one_line(
    value: Any, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record("scores", "07.mine", value)
    assert load_progress() == EMPTY
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("07.mine: this result cannot be kept: ")


def test_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match="section must be one of"):
        record("exercise", "05.mask", "correct")


DAMAGED = [
    b"",
    b'{"exercises": {"05.mask": "corr',
    b"[]",
    b'{"exercises": 3}',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"scores": {"x": ' + b"9" * 5000 + b"}}",
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_set_aside(
    content: bytes, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    student.mkdir()
    for round_ in (1, 2):
        (student / "progress.json").write_bytes(content)
        record("exercises", f"05.{round_}", "correct")
        aside = student / f"progress_damaged_{round_}.json"
        assert aside.read_bytes() == content
        assert load_progress()["exercises"] == {f"05.{round_}": "correct"}
        (line,) = capsys.readouterr().out.splitlines()
        assert "progress.json: damaged (" in line
        assert line.endswith(f"; it is now {aside.name}")


def test_a_damaged_file_that_cannot_be_renamed_is_not_overwritten(
    student: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    student.mkdir()
    path = student / "progress.json"
    path.write_text("{")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    record("exercises", "05.mask", "correct")
    assert path.read_text() == "{"
    assert load_progress()["exercises"] == {"05.mask": "correct"}
    first, second = capsys.readouterr().out.splitlines()
    assert "progress.json: damaged (" in first
    assert first.endswith("; it cannot be renamed (Permission denied)")
    assert second.startswith("Your progress counts until the kernel ends, but is not kept: ")


@pytest.mark.parametrize("obstacle", ["a file", "a folder", "protected"])
def test_where_nothing_can_be_written_the_kernel_remembers(
    obstacle: str,
    student: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if obstacle == "a file":
        student.write_text("in the way")
    elif obstacle == "a folder":
        (student / "progress.json").mkdir(parents=True)
    else:  # as in a read-only folder, also for a test that runs as root

        def refuse(path: Any, *_: object) -> int:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(os, "open", refuse)
    started = time.monotonic()
    record("predictions", "05.share", {"said": 3})
    record("predictions", "05.other", {"said": 4})
    assert time.monotonic() - started < 1
    said = capsys.readouterr().out.splitlines()
    kept = [line for line in said if line.startswith("Your progress counts until the kernel ends")]
    assert len(kept) == 1  # once is enough
    assert load_progress()["predictions"] == {"05.share": {"said": 3}, "05.other": {"said": 4}}


def test_what_could_not_be_written_is_written_later(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = cannot_write(student, OSError(28, "No space left on device"))
    with monkeypatch.context() as full:
        full.setattr(progress, "write_text", lambda *_: (_ for _ in ()).throw(error))
        record("exercises", "05.mask", "correct")
    assert not (student / "progress.json").exists()
    record("exercises", "05.block", "correct")
    found = json.loads((student / "progress.json").read_text())["exercises"]
    assert found == {"05.mask": "correct", "05.block": "correct"}


def test_the_lock_of_a_killed_kernel_does_not_last(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOCK_SECONDS", 0.1)
    student.mkdir()
    (student / ".progress.json.lock").touch()
    record("exercises", "05.mask", "correct")
    assert [path.name for path in student.iterdir()] == ["progress.json"]


def test_a_lock_that_cannot_be_removed_is_named_and_stops_nobody(
    student: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LOCK_SECONDS", 0.1)
    (student / ".progress.json.lock").mkdir(parents=True)
    record("exercises", "05.mask", "correct")
    assert f"is not kept: {student / '.progress.json.lock'}: " in capsys.readouterr().out
    assert load_progress()["exercises"] == {"05.mask": "correct"}


def test_a_byte_order_mark_as_of_windows_editors_damages_nothing(student: Path) -> None:
    record("exercises", "05.mask", "correct")
    path = student / "progress.json"
    path.write_text("\ufeff" + path.read_text("utf-8"), "utf-8")
    assert load_progress()["exercises"] == {"05.mask": "correct"}


WRITER = """
import sys, time
from course import record
while time.time() < float(sys.argv[2]):
    pass
for number in range(40):
    record("exercises", f"05.{sys.argv[1]}{number}", "correct")
"""


def test_two_kernels_that_write_at_the_same_time_lose_nothing(student: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "notebooks"), str(ROOT)]),
    }
    start = str(time.time() + 2)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, name, start],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    assert [writer.communicate()[0] for writer in writers] == ["", ""]
    found = load_progress()["exercises"]
    assert found.keys() == {f"05.{name}{number}" for name in "ab" for number in range(40)}
