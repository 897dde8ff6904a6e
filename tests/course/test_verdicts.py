"""A verdict on each exercise of a returned file, whatever the file and its code are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from course import lab, spine, verdicts
from course.checks import find_exercise
from course.exercises.nb04 import EXERCISES
from course.masters import read_master
from course.notebooks import find_masters
from course.session import ROOT

from msm4sr_lite.config import UserError

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
    return "".join(sign for sign, _ in verdicts.mark_file(path).verdicts.values())


def test_a_renamed_notebook_of_another_kernel_with_old_outputs_is_marked_anew(
    tmp_path: Path,
) -> None:
    cells = [cell for name in NAMES for cell in right(name)]
    other = {"kernelspec": {"name": "conda-env-ml-py", "language": "R"}}
    path = write(tmp_path / "Ünal (2).ipynb", FIRST, *cells, metadata=other)
    content = json.loads(path.read_text("utf-8"))
    forged = {"output_type": "display_data", "metadata": {}}
    forged["data"] = {"text/plain": "✗ 04.last_kept, error: an old verdict"}
    content["cells"][3]["outputs"] = [forged]
    path.write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    found, reached, remark = verdicts.mark_file(path)
    assert {name: sign for name, (sign, _) in found.items()} == dict.fromkeys(NAMES, "✓")
    assert (reached, remark) == (False, "")


def test_failing_endless_and_missing_cells_hide_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "CELL_SECONDS", 10)
    path = write(
        tmp_path / "x.ipynb",
        FIRST,
        "raise SystemExit",
        "def mix(:",
        'check("04.complementary_mixup", mix)',
        "drop_items = ...",
        "check('04.drop_items', drop_items)",
        "def draw_positions(*given):\n    while True:\n        pass",
        'check("04.draw_positions", draw_positions)',
    )
    found, reached, remark = verdicts.mark_file(path)
    assert (reached, remark) == (True, "")
    assert found["04.complementary_mixup"] == (
        "✗",
        "error: NameError: name 'mix' is not defined",
    )
    assert found["04.drop_items"][0] == "○"
    assert found["04.last_kept"] == ("✗", "no verdict: no cell that checks it has run")
    assert "stopped before it had a result (line 2 of your cell)" in found["04.draw_positions"][1]


@pytest.mark.slow
def test_a_student_copy_that_nobody_has_touched_is_not_attempted(tmp_path: Path) -> None:
    (master,) = find_masters(ROOT, ["04"])
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(lab.make_blank(read_master(master))), encoding="utf-8")
    assert set(signs(path)) == {"○"}


@pytest.mark.slow
def test_code_that_ends_the_kernel_or_cannot_be_interrupted_keeps_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = write(tmp_path / "a.ipynb", FIRST, *right("04.last_kept"), "import os; os._exit(3)")
    found, reached, remark = verdicts.mark_file(dead)
    assert [name for name, (sign, _) in found.items() if sign == "✓"] == ["04.last_kept"]
    assert (reached, remark) == (False, "its code ended the kernel")
    monkeypatch.setattr(verdicts, "CELL_SECONDS", 10)
    monkeypatch.setattr(verdicts, "NOTEBOOK_SECONDS", 15)
    endless = "from signal import *\nsignal(SIGINT, SIG_IGN)\nwhile True:\n    pass"
    path = write(
        tmp_path / "b.ipynb",
        FIRST,
        *right("04.last_kept"),
        endless,
        *right("04.complementary_mixup"),
    )
    assert signs(path) == "".join("✓" if name == "04.last_kept" else "✗" for name in NAMES)


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
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as error:
        verdicts.mark_file(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


def test_a_verdict_that_a_student_has_printed_does_not_count(tmp_path: Path) -> None:
    forged = """class Forged:
    def __repr__(self):
        return "✓ 04.complementary_mixup, correct: yes"
Forged() if True else check("04.complementary_mixup", 3)"""
    assert signs(write(tmp_path / "x.ipynb", FIRST, forged)) == "✗" * len(NAMES)


def test_what_code_does_to_its_kernel_is_not_shown_to_the_teacher(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = "import os; os.write(2, b'Traceback of the kernel itself')"
    verdicts.mark_file(write(tmp_path / "x.ipynb", FIRST, broken, *right("04.complementary_mixup")))
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_the_parts_of_a_students_model_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "my_m2se.py"
    path.write_text(spine.reference_source(), encoding="utf-8")
    found, reached, remark = verdicts.mark_file(path)
    assert {name: sign for name, (sign, _) in found.items()} == dict.fromkeys(spine.PARTS, "✓")
    assert (reached, remark) == (False, "")


def test_a_part_may_use_what_the_student_added_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my_m2se.py"
    code = "def triangle(n):\n    return torch.ones(n, n).tril() > 0\n\n\n"
    code += "def causal_mask(time):\n    return triangle(time)\n"
    path.write_text(f"{spine.HEADER}\n\n{code}", encoding="utf-8")
    assert verdicts.mark_file(path).verdicts["05.causal_mask"][0] == "✓"


def test_a_wrong_part_a_missing_one_and_a_file_that_is_no_python(tmp_path: Path) -> None:
    path = tmp_path / "my_m2se.py"
    path.write_text("def cosine_scores(*given):\n    return 3\n", encoding="utf-8")
    found = verdicts.mark_file(path).verdicts
    signs = {sign: [name for name, (one, _) in found.items() if one == sign] for sign in "✓✗○"}
    assert signs["✗"] == ["02.cosine_scores"]
    assert len(signs["○"]) == len(spine.PARTS) - 1
    for text in ("def x(:", "x = '\ud800'", "\0"):
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        with pytest.raises(UserError, match=r"my_m2se.py: cannot be read \(") as error:
            verdicts.mark_file(path)
        assert "\n" not in str(error.value)


def test_a_cell_that_prints_for_ever_fills_no_memory_and_an_error_is_no_time_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "CELL_SECONDS", 3)
    cells = [verdicts.new_code_cell("while True:\n    print('x' * 1000)")]
    assert verdicts.run_cells(cells) == (True, "")
    assert [output.output_type for output in cells[0].outputs] in (["error"], [])
    cells = [verdicts.new_code_cell("raise TimeoutError('took too long')")]
    assert verdicts.run_cells(cells) == (False, "")


def test_code_finds_the_course_and_leaves_no_files(tmp_path: Path) -> None:
    code = """import os, course.progress
open("left", "w").close()
os.environ["MSM4SR_STATIC"] = "0"
course.progress.record("scores", "x", 1)
raise ValueError(os.getcwd(), os.listdir())"""
    cells = [verdicts.new_code_cell(code)]
    verdicts.run_cells(cells)
    folder, names = eval(cells[0].outputs[-1].evalue)
    assert set(names) == {"left", "progress.json"}
    assert not Path(folder).exists()
