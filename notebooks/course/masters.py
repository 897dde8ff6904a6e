"""From a master to a notebook.

A master is a script in ``notebooks/src`` whose cells start with ``# %%`` (the "percent"
format). It becomes the reading notebook, which is then executed; :mod:`~course.lab` makes the
student's copy of it. What a master may say beyond plain cells:

* a header with ``jupyter: msm4sr:`` and facts about the notebook, such as its ``minutes``;
* a code cell tagged ``exercise`` that holds ``check("NN.name", ...)``: the starter is put before
  it, its name in place of the dots, and the folded solution after it, both from
  ``exercises/nbNN.py``;
* a markdown cell tagged ``solution``: folded for readers, left out for students;
* a markdown cell tagged ``derivation``: folded for both, its first line is what can be read
  before it is opened;
* a code cell tagged ``plot``: folded, since how a figure is drawn is not what it teaches;
* nbval's tags; ``nbval-skip`` keeps a cell also from being executed by a build (but not from a
  reader's "Run all").

Sections, ``## Title``, get numbers and the minutes that they take to read. The first cell names the
paper, unless it does so itself.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course import hosted
from course.checks import find_exercise
from course.costs import count_reading
from msm4sr_lite.config import UserError
from msm4sr_lite.printable import counted

# Tag in a master -> tags in the notebook, where Jupyter and nbval read them.
_TAGS = {
    "exercise": ("exercise",),
    "solution": ("solution",),
    "derivation": ("derivation",),
    "plot": ("hide-input",),
    "nbval-ignore-output": ("nbval-ignore-output",),
    "nbval-raises-exception": ("raises-exception",),
    "nbval-skip": ("nbval-skip", "skip-execution"),
}
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
PAPER = "https://arxiv.org/abs/2303.11879"
_PAPER_LINE = (
    "The method is MSM4SR (*Multimodal Pre-training Framework for Sequential Recommendation via"
    f" Contrastive Learning*, [arXiv 2303.11879]({PAPER}))."
)
_EXERCISE = re.compile(r'check\("(\d\d\.\w+)", \.\.\.\)')


def read_master(path: Path, address: str | None = None) -> NotebookNode:
    """Return the notebook that a master describes, without outputs.

    Parameters
    ----------
    path
        The master.
    address
        The repository's; "" for none. By default the one that ``pyproject.toml`` gives. With an
        address the notebook can be opened on hosted machines.

    Raises
    ------
    UserError
        If a tag is unknown or an exercise is not written as it must be; names the cell.
    """
    master = jupytext.read(path, fmt="py:percent")
    cells: list[NotebookNode] = []
    for number, cell in enumerate(master.cells, 1):
        tags = cell.metadata.get("tags", [])
        where = f"{path.name}, cell {number}"
        if unknown := set(tags) - set(_TAGS):
            raise UserError(f"{where}: a tag of {sorted(_TAGS)} was expected; got {unknown}")
        cells.extend(_expand(cell, tags, where))
    if cells and PAPER not in cells[0].source:
        cells[0].source += f"\n\n{_PAPER_LINE}"
    address = hosted.find_repository() if address is None else address
    if address and cells:
        cells[0].source += f"\n\n{hosted.make_line(address, f'notebooks/{path.stem}.ipynb')}"
        cells.insert(1, new_code_cell(hosted.make_colab_cell(address)))
    for cell in cells:
        tags = [stored for tag in cell.metadata.get("tags", []) for stored in _TAGS[tag]]
        cell.metadata = NotebookNode({"tags": tags} if tags else {})
        if "hide-input" in tags:  # the site reads the tag, JupyterLab this
            cell.metadata["jupyter"] = {"source_hidden": True}
    _name(cells)
    _number_sections(cells, int(path.name[:2]))  # after the names, which a new section keeps
    metadata = {"kernelspec": _KERNEL, "msm4sr": dict(master.metadata.get("msm4sr", {}))}
    return nbformat.from_dict(
        {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    )


def _expand(cell: NotebookNode, tags: list[str], where: str) -> list[NotebookNode]:
    if "exercise" in tags:
        named = _EXERCISE.fullmatch(cell.source.strip())
        if named is None:
            raise UserError(
                f'{where}: an exercise must read check("NN.name", ...); got {cell.source!r}'
            )
        exercise = find_exercise(named[1])
        test = f'check("{exercise.name}", {exercise.answer_name()})'
        return [
            new_code_cell(exercise.starter_code()),
            new_code_cell(test, metadata={"tags": ["exercise"]}),
            _folded("Solution", f"```python\n{exercise.solution_code()}\n```", "solution"),
        ]
    if "solution" in tags:
        if cell.cell_type == "code":
            raise UserError(
                f"{where}: a solution in code would never be run; register it as an exercise"
            )
        return [_folded("Answer", cell.source, "solution")]
    if "derivation" in tags:
        title, _, text = cell.source.partition("\n")
        if cell.cell_type == "code" or not (title.strip() and text.strip()):
            raise UserError(
                f"{where}: a derivation is text, with its title in the first line; got"
                f" {cell.source!r}"
            )
        return [_folded(title.strip(), text.strip(), "derivation")]
    return [cell]


def _folded(summary: str, text: str, tag: str) -> NotebookNode:
    # The empty lines make GitHub and JupyterLab read the inside as Markdown.
    source = f"<details><summary><b>{summary}</b> (click)</summary>\n\n{text}\n\n</details>"
    return new_markdown_cell(source, metadata={"tags": [tag]})


def _number_sections(cells: list[NotebookNode], chapter: int) -> None:
    """Write above each section its number, and below its title how long it takes to read."""
    sections: list[list[NotebookNode]] = [[]]  # the first is what stands before any heading
    pieces = [_split_sections(cell) for cell in cells]
    for piece in (piece for of_cell in pieces for piece in of_cell):
        if piece.cell_type == "markdown" and piece.source.startswith("## "):
            sections.append([])
        sections[-1].append(piece)
    for number, section in enumerate(sections[1:], 1):
        reading = count_reading(section)
        takes = counted(max(1, round(reading.minutes)), "minute")
        if reading.exercises:
            takes += f" and {counted(reading.exercises, 'exercise')}"
        title, _, text = section[0].source.partition("\n")
        title = f"## {chapter}.{number} {title.removeprefix('## ').strip()}"
        section[0].source = f"{title}\n\n*about {takes}*\n{text}"
    for cell, of_cell in zip(cells, pieces, strict=True):
        cell.source = "".join(piece.source for piece in of_cell).rstrip("\n")


def _split_sections(cell: NotebookNode) -> list[NotebookNode]:
    """Return a cell as pieces, each a section, outside of code fences and of what is folded."""
    parts, is_fenced = [""], cell.cell_type == "code" or cell.source.startswith("<details>")
    for line in cell.source.splitlines(keepends=True):
        if line.startswith("```"):
            is_fenced = not is_fenced
        if line.startswith("## ") and not is_fenced and parts != [""]:
            parts.append("")
        parts[-1] += line
    return [NotebookNode({**cell, "source": part}) for part in parts]


def _name(cells: list[NotebookNode]) -> None:
    """Name each cell after its content, so that an inserted cell does not rename the others."""
    seen: dict[str, int] = {}
    for cell in cells:
        content = f"{cell.cell_type}\n{cell.source}".encode()
        name = hashlib.sha256(content).hexdigest()[:12]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


def same_source(one: NotebookNode, other: NotebookNode) -> bool:
    """Whether two notebooks agree in everything but their outputs."""

    def bare(notebook: NotebookNode) -> list[tuple[str, str, str, list[str]]]:
        return [
            (cell.id, cell.cell_type, cell.source, cell.metadata.get("tags", []))
            for cell in notebook.cells
        ]

    about = [dict(notebook.metadata.get("msm4sr", {})) for notebook in (one, other)]
    for entry in about:
        entry.pop("made_from", None)
    return bare(one) == bare(other) and about[0] == about[1]
