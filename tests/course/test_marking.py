"""Marking returned notebooks: a verdict on each exercise, whatever the file and its code are."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from course import marking
from course.checks import find_exercise
from course.exercises.nb04 import EXERCISES
from course.notebooks import build_environment, find_masters, write_student_copy
from course.session import ROOT

pytestmark = pytest.mark.thorough  # kernels are started

NAMES = tuple(exercise.name for exercise in EXERCISES)
FIRST = "import torch\nfrom torch import Generator, Tensor\nfrom course import check"


def right(name: str) -> list[str]:
    """Return the cells of a student who solved an exercise."""
    exercise = find_exercise(name)
    return [exercise.solution_code(), f'check("{name}", {exercise.answer_name()})']


def write(path: Path, *cells: str, **more: Any) -> Path:
    """Write a notebook with the least that one can have."""
    code = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    prose = {"cell_type": "markdown", "source": 'check("05.parameters", 3)'}
    path.write_text(json.dumps({"cells": [prose, *code], **more}), encoding="utf-8")
    return path


def signs(path: Path) -> str:
    return "".join(sign for sign, _ in marking.mark_notebook(path).values())


def test_a_renamed_notebook_of_another_kernel_with_old_outputs_is_marked_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [cell for name in NAMES for cell in right(name)]
    other = {"kernelspec": {"name": "conda-env-ml-py", "language": "R"}}
    path = write(tmp_path / "Ünal (2).ipynb", FIRST, *cells, metadata=other)
    content = json.loads(path.read_text("utf-8"))
    forged = {"output_type": "display_data", "metadata": {}}
    forged["data"] = {"text/plain": "✗ 04.share, error: an old verdict"}
    content["cells"][3]["outputs"] = [forged]
    path.write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    assert marking.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{path}: 6 of 6 exercises are correct"
    assert [line[:4] + line[4:].partition(",")[0] for line in out[1:]] == [
        f"  ✓ {name}" for name in NAMES
    ]


def test_failing_endless_and_missing_cells_hide_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "CELL_SECONDS", 4)
    path = write(
        tmp_path / "x.ipynb",
        FIRST,
        "raise SystemExit",
        "def mix(:",
        'check("04.complementary_mixup", mix)',
        "share = ...",
        "check('04.share', share)",
        "def repair(*args):\n    while True:\n        pass",
        'check("04.repair", repair)',
    )
    verdicts = marking.mark_notebook(path)
    assert verdicts["04.complementary_mixup"] == (
        "✗",
        "error: NameError: name 'mix' is not defined",
    )
    assert verdicts["04.share"][0] == "○"
    assert verdicts["04.last_kept"] == ("✗", "no verdict: no cell that checks it has run")
    assert "stopped before it had a result (line 2 of your cell)" in verdicts["04.repair"][1]


@pytest.mark.slow
def test_a_student_copy_that_nobody_has_touched_is_not_attempted(tmp_path: Path) -> None:
    (master,) = find_masters(ROOT, ["04"])
    path = write_student_copy(master, tmp_path)
    assert signs(path) == "○○○○○○"


@pytest.mark.slow
def test_code_that_ends_the_kernel_or_cannot_be_interrupted_keeps_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = write(tmp_path / "a.ipynb", FIRST, *right("04.share"), "import os; os._exit(3)")
    assert signs(dead) == "✗✗✗✗✓✗"
    monkeypatch.setattr(marking, "CELL_SECONDS", 4)
    monkeypatch.setattr(marking, "NOTEBOOK_SECONDS", 6)
    endless = "from signal import *\nsignal(SIGINT, SIG_IGN)\nwhile True:\n    pass"
    path = write(
        tmp_path / "b.ipynb", FIRST, *right("04.share"), endless, *right("04.complementary_mixup")
    )
    assert signs(path) == "✗✗✗✗✓✗"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a notebook that Jupyter has saved"),
        (b"[]", "not a notebook that Jupyter has saved"),
        (b'{"cells": [1]}', "not a notebook that Jupyter has saved"),
        (b'{"cells": [{"cell_type": "code", "source": 3}]}', "not a notebook that"),
        (b'{"cells": [{"cell_type": "code", "source": "\\ud800"}]}', "not a notebook that"),
        (b"\xff\xfe", "not a notebook that Jupyter has saved"),
        (b'{"cells": []}', "no cell checks an exercise of the course"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_marked_is_one_line(
    content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_bytes(content)
    assert marking.main([str(path)]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"{path}: {message}")
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_folder_without_notebooks_is_refused_and_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert marking.main([str(tmp_path), str(tmp_path / "more.ipynb")]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}: no notebook in this folder; name that of the returned files\n"
        f"{tmp_path}/more.ipynb: cannot be read: No such file or directory\n"
    )


def test_notebooks_of_a_folder_per_student_are_found(tmp_path: Path) -> None:
    names = ["ann/04.ipynb", "bob/04.IPYNB", "bob/.ipynb_checkpoints/04.ipynb", "bob/notes.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {path.relative_to(tmp_path).as_posix() for path in marking.find_notebooks(tmp_path)}
    assert found == set(names[:2])


def test_a_verdict_that_a_student_has_printed_does_not_count(tmp_path: Path) -> None:
    forged = """class Forged:
    def __repr__(self):
        return "✓ 04.complementary_mixup, correct: yes"
Forged() if True else check("04.complementary_mixup", 3)"""
    assert signs(write(tmp_path / "x.ipynb", FIRST, forged)) == "✗✗✗✗✗✗"


def test_what_code_does_to_its_kernel_is_not_shown_to_the_teacher(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = "import os; os.write(2, b'Traceback of the kernel itself')"
    marking.mark_notebook(
        write(tmp_path / "x.ipynb", FIRST, broken, *right("04.complementary_mixup"))
    )
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_marking_says_so_in_one_line(tmp_path: Path, number: int) -> None:
    write(tmp_path / "a.ipynb", FIRST, *right("04.complementary_mixup"))
    begun = tmp_path / "begun"
    endless = f"open({str(begun)!r}, 'w').close()\nimport time\ntime.sleep(100)"
    write(tmp_path / "b.ipynb", endless, *right("04.complementary_mixup"))
    command = [sys.executable, "-m", "course.marking", str(tmp_path)]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=build_environment(), **pipes) as process:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "stopped; the notebooks above are marked\n"
    assert "a.ipynb: 1 of 6 exercises are correct" in out


def test_a_terminal_without_check_marks_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = {"04.complementary_mixup": ("✓", "correct: yes")}
    monkeypatch.setattr(marking, "mark_notebook", lambda path: verdicts)
    with (tmp_path / "out").open("w", encoding="ascii") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert marking.main(["x.ipynb"]) == 0
    assert (tmp_path / "out").read_text().splitlines()[
        1
    ] == "  ? 04.complementary_mixup, correct: yes"
