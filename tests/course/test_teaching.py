"""The page for teachers: its times and predictions are those of the notebooks."""

from __future__ import annotations

import importlib
import re

from course import spine
from course.session import ROOT

PAGE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
MASTERS = sorted((ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.py"))


def test_the_times_are_those_of_the_notebooks() -> None:
    rows = []
    for master in MASTERS:
        number = master.name[:2]
        (minutes,) = re.findall(r"^# +minutes: (\d+)$", master.read_text("utf-8"), re.M)
        exercises = len(importlib.import_module(f"course.exercises.nb{number}").EXERCISES)
        total = int(minutes) + 5 * exercises
        rows.append(f"| {number} | {minutes} | {exercises} | {total} |")
    assert re.findall(r"^\| \d\d \|.*", PAGE, re.M) == rows


def test_each_prediction_has_a_typical_answer() -> None:
    asked = [
        name
        for master in MASTERS
        for name in re.findall(r"\bpredict\(\s*\"(\d\d\.\w+)\"", master.read_text("utf-8"))
    ]
    assert re.findall(r"^\| `(\d\d\.\w+)` \|", PAGE, re.M) == asked


def test_the_rubric_names_parts_of_the_model() -> None:
    rubric = PAGE.partition("## What understanding looks like")[2].partition("\n## ")[0]
    named = re.findall(r"`([A-Za-z]\w+)`", "".join(re.findall(r"^\|([^|]+)\|", rubric, re.M)))
    assert set(named) <= set(spine.answer_names().values())
    numbers = re.findall(r"^\| (\d\d): ", rubric, re.M)
    assert set(numbers) == {part[:2] for part in spine.PARTS}
