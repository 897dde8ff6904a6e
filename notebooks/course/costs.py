"""What a run of a notebook took, compared with the times that its first cell states."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from nbformat import NotebookNode

# Of two quiet cores: what a class waits for.
CELL_SECONDS = 30
NOTEBOOK_SECONDS = 60
MEMORY = 1.0  # GB, as the README says

# Of a reader who wants to understand, and of one who also does the exercises.
WORDS_A_MINUTE = 200
MINUTES_A_CELL = 0.5  # its code and what it shows
MINUTES_AN_EXERCISE = 6
MINUTES_A_NOTEBOOK = 45  # of reading, at most

_MINUTES = re.compile(r"\b(\d+) minutes of reading\b")
_COMPUTING = re.compile(r"\b(about|under) (a minute|\d+ seconds) of computing\b")
_WORD = re.compile(r"[^\W_]+(?:['’-]\w+)*")


def _first_cell(notebook: NotebookNode) -> str:
    return str(notebook.cells[0].source) if notebook.cells else ""


class Reading(NamedTuple):
    """What there is to read, outside folded answers and derivations."""

    words: int
    cells: int
    exercises: int

    @property
    def minutes(self) -> float:
        """Minutes for every word and every cell of code, without the exercises."""
        return self.words / WORDS_A_MINUTE + self.cells * MINUTES_A_CELL


def count_reading(cells: Iterable[NotebookNode]) -> Reading:
    """Count what there is to read in some cells."""
    counts = Reading(0, 0, 0)
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code":
            counts = counts._replace(
                cells=counts.cells + 1, exercises=counts.exercises + ("exercise" in tags)
            )
        elif not {"solution", "derivation"} & set(tags):
            counts = counts._replace(words=counts.words + len(_WORD.findall(cell.source)))
    return counts


def reading_time(notebook: NotebookNode) -> list[str]:
    """Whether the minutes that the first cell states are true.

    They suffice for every word outside folded answers and derivations and for every cell of code,
    and are no more than that and the exercises take, nor than 45. The metadata state the same. A
    notebook that states no minutes keeps the rule.
    """
    stated = _MINUTES.search(_first_cell(notebook))
    if stated is None:
        return []
    minutes = int(stated[1])
    words, cells, exercises = counts = count_reading(notebook.cells)
    least = counts.minutes
    most = least + exercises * MINUTES_AN_EXERCISE
    where, problems = f"cell 1 ({minutes} minutes of reading)", []
    if not least <= minutes <= most:
        counted = f"{words} words, {cells} cells of code and {exercises} exercises"
        problems.append(f"{where}: {counted} take {least:.0f} to {most:.0f}")
    if minutes > MINUTES_A_NOTEBOOK:
        problems.append(f"{where}: more than {MINUTES_A_NOTEBOOK} minutes; cut or split it")
    in_metadata = notebook.metadata.get("msm4sr", {}).get("minutes")
    if in_metadata != minutes:
        problems.append(f"{where}: the metadata say {in_metadata}")
    return problems


class Costs(NamedTuple):
    """What a run took.

    Attributes
    ----------
    together, longest, slowest
        Seconds of all cells, of the longest, and its name.
    memory
        GB that the kernel held at most.
    factor
        How much slower this machine is than the one on which the course's times were measured.
    """

    together: float
    longest: float
    slowest: str
    memory: float
    factor: float


def find_excess(notebook: NotebookNode, costs: Costs) -> list[str]:
    """Return where a run exceeds the seconds stated in the first cell, or the limits.

    "About" holds from a third of what is stated to twice as much, in seconds of the machine on
    which the course's times were measured. This is no rule for stored notebooks: it needs a run.
    """
    stated = _COMPUTING.search(_first_cell(notebook))
    if stated is None:
        return ["cell 1 does not say how many seconds of computing there are"]
    seconds = 60 if stated[2] == "a minute" else int(stated[2].split()[0])
    least, most = (0.0, seconds) if stated[1] == "under" else (seconds / 3, 2 * seconds)
    together, longest, _, memory, factor = costs
    problems = []
    if not least <= together / factor <= most:
        there = f"{together:.0f} here, {together / factor:.0f} on the course's machine"
        problems.append(f"cell 1 ({stated[0]}): the cells took other seconds, {there}")
    if together > NOTEBOOK_SECONDS:
        problems.append(f"the cells took {together:.0f} seconds, more than {NOTEBOOK_SECONDS}")
    if longest > CELL_SECONDS:
        problems.append(f"a cell took {longest:.0f} seconds, more than {CELL_SECONDS}")
    if memory > MEMORY:
        problems.append(f"the kernel took {memory:.1f} GB, more than {MEMORY:g}")
    return problems
