"""The stored notebooks are those of their masters, up to date, clean and readable.

That their cells run and that their outputs come out again is nbval's part.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from course import dependencies, rules
from course.costs import find_excess
from course.lab import make_blank
from course.masters import read_master, same_source
from course.notebooks import execute_notebook, find_masters, stored_path
from course.session import ROOT

MASTERS = find_masters(ROOT)
STORED = sorted((ROOT / "notebooks").glob("*.ipynb"))
by_name = pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)


def test_every_notebook_has_a_master_and_every_master_a_notebook() -> None:
    if not MASTERS and not STORED:
        pytest.skip("no notebook has been written yet")
    assert [stored_path(master) for master in MASTERS] == STORED


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


@by_name
def test_generated_is_committed(path: Path) -> None:
    assert same_source(read_master(path.parent / "src" / f"{path.stem}.py"), read(path)), (
        f"build it again in notebooks/: python -m course.notebooks build {path.stem[:2]}"
    )


@by_name
def test_outputs_are_from_this_library_and_these_data(path: Path) -> None:
    made_from = read(path).metadata.msm4sr.made_from
    assert "msm4sr_lite/config.py" in made_from
    assert dependencies.find_changes(made_from) == [], (
        f"build it again in notebooks/: python -m course.notebooks build {path.stem[:2]}"
    )


@by_name
@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_rules_are_kept(path: Path, rule: Callable[..., list[str]]) -> None:
    assert rule(read(path)) == []


def test_nearly_all_texts_are_compared() -> None:
    not_compared, cells = rules.count_not_compared(map(read, STORED))
    assert not_compared <= 0.15 * cells


@by_name
def test_a_notebook_states_its_minutes(path: Path) -> None:
    """Of reading, which a rule checks, and of computing, which a slow test checks."""
    times = r"\d+ minutes of reading[^|]*, (about|under) (a minute|\d+ seconds) of computing"
    assert re.search(times, read(path).cells[0].source)


@by_name
def test_a_notebook_is_small(path: Path) -> None:
    assert path.stat().st_size <= rules.NOTEBOOK_LIMIT


@pytest.mark.slow
@by_name
def test_the_student_copy_runs_to_its_end_in_the_time_and_memory_stated(path: Path) -> None:
    copy = make_blank(read(path))
    costs = execute_notebook(copy, path.parent)
    assert find_excess(copy, costs) == []
