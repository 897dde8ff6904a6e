"""The times that a notebook states, and what a run took."""

from __future__ import annotations

import pytest
from course.costs import MEMORY, Costs, find_excess, reading_time
from course.session import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


@pytest.mark.parametrize(
    ("stated", "in_metadata", "problem"),
    [
        (3, 3, ""),
        (8, 8, ""),
        (2, 2, "401 words, 1 cells of code and 1 exercises take 3 to 9"),
        (9, 9, "take 3 to 9"),
        (5, 4, "the metadata say 4"),
    ],
)
def test_stated_minutes_are_enough_and_not_too_many(
    stated: int, in_metadata: int, problem: str
) -> None:
    text = f"# One two\n\n{stated} minutes of reading. " + "word " * 395
    cells = [
        new_markdown_cell(text),
        new_code_cell("check()", metadata={"tags": ["exercise"]}),
        new_markdown_cell("answer " * 1000, metadata={"tags": ["solution"]}),
    ]
    notebook = new_notebook(cells=cells, metadata={"msm4sr": {"minutes": in_metadata}})
    found = reading_time(notebook)
    assert len(found) == bool(problem)
    assert problem in "".join(found)


@pytest.mark.parametrize(("minutes", "problem"), [(45, []), (46, ["more than 45 minutes"])])
def test_no_notebook_takes_more_than_45_minutes(minutes: int, problem: list[str]) -> None:
    text = f"# One\n\n{minutes} minutes of reading. " + "word " * (200 * minutes - 5)
    metadata = {"msm4sr": {"minutes": minutes}}
    found = reading_time(new_notebook(cells=[new_markdown_cell(text)], metadata=metadata))
    assert [line.partition(": ")[2].partition(";")[0] for line in found] == problem


def costly(stated: str, **costs: float) -> list[str]:
    cells = [new_markdown_cell(f"# One\n\n5 minutes of reading, {stated} of computing")]
    cheap = Costs(together=3, longest=1, slowest="cell 1", memory=0.5, factor=1)
    return find_excess(new_notebook(cells=cells), cheap._replace(**costs))


@pytest.mark.parametrize(
    ("stated", "took", "longest", "problem"),
    [
        ("about 10 seconds", 10, 3, ""),
        ("about 10 seconds", 20, 3, ""),
        ("about 10 seconds", 21, 3, "21 here, 21 on the course's machine"),
        ("about 10 seconds", 3, 3, "3 here, 3 on the course's machine"),
        ("about a minute", 55, 30, ""),
        ("about a minute", 61, 30, "61 seconds, more than 60"),
        ("about a minute", 50, 31, "a cell took 31 seconds, more than 30"),
        ("under 30 seconds", 4, 4, ""),
        ("under 30 seconds", 31, 4, "31 here"),
    ],
)
def test_stated_seconds_are_compared_with_those_of_a_run(
    stated: str, took: float, longest: float, problem: str
) -> None:
    found = costly(stated, together=took, longest=longest)
    assert len(found) == bool(problem)
    assert problem in "".join(found)


def test_a_fast_machine_may_be_fast_and_a_slow_one_slow() -> None:
    assert not costly("about 10 seconds", together=2, factor=0.25)
    assert not costly("about 10 seconds", together=39, longest=9, factor=2)
    (found,) = costly("about 10 seconds", together=12, factor=0.25)
    assert "12 here, 48 on the course's machine" in found


def test_more_memory_than_the_readme_states_is_found() -> None:
    assert f"up to {MEMORY:g} GB of memory" in " ".join(
        (ROOT / "README.md").read_text("utf-8").split()
    )
    assert costly("under 9 seconds", memory=1.1) == ["the kernel took 1.1 GB, more than 1"]
