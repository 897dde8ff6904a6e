"""The table of what students returned: whose files, which numbers, harmless text, exit codes."""

from __future__ import annotations

import csv
import json
import re
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
from course.notebooks import build_environment
from course.verdicts import Marked

from msm4sr_lite.config import UserError

VERDICTS = {
    "04_mixup.ipynb": {"04.share": ("✓", "correct: yes"), "04.repair": ("✗", "not yet: no")},
    "again.ipynb": {"04.share": ("✗", "not yet: no"), "04.repair": ("○", "not attempted: no")},
    "my_m2se.py": {"01.ranks": ("✓", "correct: yes"), "04.repair": ("✓", "correct: yes")},
}
PROGRESS = {
    "exercises": {"04.share": "correct"},
    "predictions": {
        "04.a": {"said": 1, "result": "2", "score": "wrong"},
        "04.b": {"said": 1, "result": "1", "score": "right"},
        "04.c": {"said": 1},
        "05.a": {"said": 1, "result": "1", "score": "right"},
    },
    "scores": {
        "my M²SE": {"ndcg": 0.123456, "low": 0.1, "high": 0.2},
        "note": "=1+1",
        "more": [1, 2],
    },
}


def mark(path: Path) -> Marked:
    """Give the verdicts above; the content of the file says what else happened."""
    if path.name not in VERDICTS:
        raise UserError(f"{path}: not a notebook that Jupyter has saved")
    text = path.read_text("utf-8")
    return Marked(
        VERDICTS[path.name], text == "endless", "its code ended the kernel" * (text == "dies")
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "mark_file", mark)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_one_table_for_a_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "ann/work/04_mixup.ipynb": "",
        "ann/work/my_m2se.py": "",
        "ann/work/progress.json": json.dumps(PROGRESS),
        "bob/04_mixup.ipynb": "endless",
        "cem/again.ipynb": "dies",
        "cem/broken.ipynb": "",
        "dee/04_mixup.ipynb": "",
        "dee/again.ipynb": "",
        "dee/progress.json": "[",
    }
    assert marking.main([str(write(tmp_path, files))]) == 2  # one file is no notebook
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.splitlines()
    assert [re.sub(" {2,}", "|", line) for line in lines] == [
        "student|file|correct|wrong|not attempted|predictions|right|time limit|scores|remark",
        "ann|work/04_mixup.ipynb|1|1|0|2|1|kept",
        "ann|work/my_m2se.py|2|0|0|0|0|kept",
        "ann|all|3|0|0|3|2|my M²SE: 0.1235; note: =1+1; more: [1, 2]",
        "bob|04_mixup.ipynb|1|1|0|0|0|reached",
        "bob|all|1|1|0|0|0",
        "cem|again.ipynb|0|1|1|0|0|kept|its code ended the kernel",
        "cem|broken.ipynb|not marked: not a notebook that Jupyter has saved",
        "cem|all|0|1|1|0|0",
        "dee|04_mixup.ipynb|1|1|0|0|0|kept",
        "dee|again.ipynb|0|1|1|0|0|kept",
        "dee|all|1|1|0|0|0|progress.json cannot be read",
    ]
    place = lines[0].index("time limit")
    assert [line[place:].split(" ")[0] for line in lines[1:6]] == [
        "kept",
        "kept",
        "",
        "reached",
        "",
    ]
    assert {line[place - 3] for line in lines[1:]} == {"1", "0", "2", " "}  # numbers end there


def test_spreadsheets_take_nothing_for_a_formula(tmp_path: Path) -> None:
    names = ["=cmd|'x'!A1", "+1", "-1", "@x", " =1", "\uff1d1", "a,b", 'say "x"', "plain"]
    files = {f"{name}/04_mixup.ipynb": "" for name in names}
    folder = write(tmp_path / "class", files)
    (folder / "plain" / "progress.json").write_text(
        json.dumps({"scores": {"\n-1": "a\r\n=2", "b": 1.5}}), encoding="utf-8"
    )
    table = tmp_path / "table.csv"
    assert marking.main([str(folder), "--csv", str(table)]) == 0
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(marking.COLUMNS)
    cells = [cell for row in rows for cell in row.values()]
    assert [cell for cell in cells if cell.strip()[:1] in tuple("=+-@\uff1d")] == []
    assert {row["student"].removeprefix("'") for row in rows} == set(names)
    (plain,) = (row for row in rows if row["student"] == "plain" and row["file"] == "all")
    assert plain["scores"].endswith("-1: a =2; b: 1.5")
    assert (plain["correct"], plain["wrong"]) == ("1", "1")


@pytest.mark.parametrize("name", ["table.txt", "no/folder/in.csv/x.csv"])
def test_a_table_that_cannot_be_written_is_refused_before_the_work(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"ann/04_mixup.ipynb": "", "no/folder/in.csv": ""})
    assert marking.main([str(tmp_path / "ann"), "--csv", str(tmp_path / name)]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(str(tmp_path / name))
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_table_stays_until_something_was_marked(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("an evening's work", "utf-8")
    assert marking.main([str(tmp_path / "mistyped"), "--csv", str(table)]) == 2
    assert table.read_text("utf-8") == "an evening's work"
    write(tmp_path, {"ann/04_mixup.ipynb": ""})
    assert marking.main([str(tmp_path / "ann"), "--csv", str(table)]) == 0
    assert table.read_text("utf-8").count("\n") == 3


def test_what_belongs_to_nobody_is_left_out(tmp_path: Path) -> None:
    files = [
        "ann/04.ipynb",
        "bob/a/04.IPYNB",
        "bob/b/my_m2se.py",
        "top.ipynb",
        "ann/05_x_old.ipynb",
    ]
    others = ["bob/.ipynb_checkpoints/04.ipynb", "bob/notes.txt", "__MACOSX/bob/._04.ipynb"]
    others += ["ann/06_x.ipynb/..", "bob/other.py"]
    others += ["eve/07_x_old.ipynb", "eve/07_x_old2.ipynb"]  # replaced by eve/07_x.ipynb
    write(tmp_path, dict.fromkeys([*files, "eve/07_x.ipynb"], ""))
    write(tmp_path, {name: "" for name in others if not name.endswith("..")})
    found = {one.name: {path.name for path in one.files} for one in marking.find_students(tmp_path)}
    assert found == {
        "ann": {"04.ipynb", "05_x_old.ipynb"},
        "bob": {"04.IPYNB", "my_m2se.py"},
        "eve": {"07_x.ipynb"},
        tmp_path.name: {"top.ipynb"},
    }


def test_nothing_to_mark_is_refused_and_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"none/x.txt": "", "ann/04_mixup.ipynb": ""})
    paths = [str(tmp_path / name) for name in ("none", "missing.ipynb", "ann")]
    assert marking.main(paths) == 2
    shown = capsys.readouterr()
    assert shown.err == (
        f"{tmp_path / 'none'}: no notebook in this folder; name that of the returned files\n"
    )
    assert [line.split()[:2] for line in shown.out.splitlines()[1:]] == [
        [tmp_path.name[:36], "missing.ipynb"][-2:],
        [tmp_path.name[:36], "all"],
        ["ann", "04_mixup.ipynb"],
        ["ann", "all"],
    ]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"scores": 3}', '{"scores": [1]}', "9" * 2_000_001, "[" * 90_000]
)
def test_a_progress_file_that_is_damaged_is_named(content: str, tmp_path: Path) -> None:
    write(tmp_path, {"ann/04_mixup.ipynb": "", "ann/progress.json": content})
    (student,) = marking.find_students(tmp_path)
    assert student.remark == "progress.json cannot be read"
    assert student.predictions() == (0, 0)


def test_details_show_each_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, {"04_mixup.ipynb": ""}) / "04_mixup.ipynb"
    assert marking.main([str(path), "--details"]) == 0
    assert capsys.readouterr().out.splitlines()[2:4] == [
        "    ✓ 04.share, correct: yes",
        "    ✗ 04.repair, not yet: no",
    ]


def test_a_terminal_without_check_marks_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"ann/04_mixup.ipynb": ""})
    with (tmp_path / "out").open("w", encoding="ascii") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert marking.main([str(tmp_path), "--details"]) == 0
    assert "    ? 04.share, correct: yes" in (tmp_path / "out").read_text("ascii")


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_marking_keeps_the_lines_above_and_their_table(
    tmp_path: Path, number: int
) -> None:
    exercise = find_exercise("04.last_kept")
    begun, table = tmp_path / "begun", tmp_path / "table.csv"
    right = [exercise.solution_code(), f'check("04.last_kept", {exercise.answer_name()})']
    endless = f"open({str(begun)!r}, 'w').close()\nimport time\ntime.sleep(100)"
    for student, first in (("ann", ""), ("bob", endless)):
        cells: list[dict[str, Any]] = [
            {"cell_type": "code", "source": source}
            for source in (
                first,
                "import torch\nfrom torch import Tensor",
                "from course import check",
                *right,
            )
        ]
        write(tmp_path, {f"class/{student}/04.ipynb": json.dumps({"cells": cells})})
    command = [sys.executable, "-m", "course.marking", str(tmp_path / "class"), "--csv", str(table)]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=build_environment(), **pipes) as process:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "stopped; the lines above are complete\n"
    assert [line.split()[:4] for line in out.splitlines()[1:]] == [
        ["ann", "04.ipynb", "1", str(len(EXERCISES) - 1)],
        ["ann", "all", "1", str(len(EXERCISES) - 1)],
    ]
    assert table.read_text("utf-8").count("\n") == 3
