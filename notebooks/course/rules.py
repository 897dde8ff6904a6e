"""What a stored notebook must keep to. Each rule returns its breaches, each naming a cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from course.figures import BYTE_LIMIT

LINE_LIMIT = 88  # columns of code that JupyterLab shows on a 1280-pixel screen
NOTEBOOK_LIMIT = 1_000_000  # bytes

# Of a reader who wants to understand, and of one who also does the exercises.
WORDS_A_MINUTE = 200
MINUTES_A_CELL = 0.5  # its code and what it shows
MINUTES_AN_EXERCISE = 6

# Of two quiet cores: what a class waits for.
CELL_SECONDS = 30
NOTEBOOK_SECONDS = 60
MEMORY = 1.0  # GB, as the README says

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_DATA_URI = re.compile(r"data:image/[\w+]+;base64,[A-Za-z0-9+/=]+")
_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|root|Users|tmp|usr|opt|var|mnt|private|content)/\w"
    rf"|{re.escape(str(Path(__file__).resolve().parents[2]))}"  # this checkout
    r"|\b[A-Za-z]:\\\w|site-packages"
)
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
_PROGRESS = re.compile(r"\r|\d+%\||\d+it/s|\d+it \[")
_MINUTES = re.compile(r"\b(\d+) minutes of reading\b")
_COMPUTING = re.compile(r"\b(about|under) (a minute|\d+ seconds) of computing\b")
_WORD = re.compile(r"[^\W_]+(?:['’-]\w+)*")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def clean(notebook: NotebookNode) -> None:
    """Take out of the outputs what must not be stored and need not be complained about.

    That is: widget views, metadata, the version of Python, progress bars, the number a kernel
    gave to a cell (cells are counted from 1: nbval takes a cell without a number for one that
    was never run), and all of a wanted exception but its name and message.
    """
    notebook.metadata.language_info = NotebookNode(name="python")
    count = 0
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        if cell.execution_count is not None:
            cell.execution_count = count = count + 1
        cell.outputs = [output for output in cell.outputs if not _is_progress(output)]
        for output in cell.outputs:
            if "data" in output:
                output.data.pop(_WIDGET_VIEW, None)
                output.metadata = NotebookNode()
            if "execution_count" in output:
                output.execution_count = count
            if output.output_type == "error":
                output.traceback = [f"{output.ename}: {output.evalue}"]


def _is_progress(output: NotebookNode) -> bool:
    if output.get("name") != "stderr":
        return False
    return all(_PROGRESS.search(line) for line in output.text.split("\n") if line.strip())


def _code(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            yield name_of(cell, number), cell


def name_of(cell: NotebookNode, number: int) -> str:
    """Name a cell for a message: its number and how it starts."""
    first = cell.source.strip().split("\n")[0][:40]
    return f"cell {number} ({first})"


def _output_texts(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    for where, cell in _code(notebook):
        for output in cell.outputs:
            for text in (output.get("text"), *output.get("data", {}).values()):
                if isinstance(text, str):
                    yield where, text


def headings(notebook: NotebookNode) -> list[str]:
    """One title, in the first cell; below it no level is left out."""
    levels = []
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            text = _FENCE.sub("", cell.source)
            found = re.findall(r"^(#+) ", text, re.MULTILINE)
            levels += [(len(marks), name_of(cell, number)) for marks in found]
    if not levels or levels[0][0] != 1 or not levels[0][1].startswith("cell 1 "):
        return ["cell 1: a notebook starts with its title, '# ...'"]
    return [
        f"{where}: heading of level {level} below one of level {above}"
        for (above, _), (level, where) in pairwise(levels)
        if level == 1 or level > above + 1
    ]


def code_style(notebook: NotebookNode) -> list[str]:
    """Lines fit the screen; nothing in use that breaks nbval."""
    problems = []
    for where, cell in _code(notebook):
        for line in cell.source.splitlines():
            if len(line) > LINE_LIMIT:
                problems.append(f"{where}: {len(line)} columns, more than {LINE_LIMIT}: {line}")
        if cell.source.rstrip().endswith(";"):
            problems.append(f"{where}: ends in ';', which does nothing under nbval")
        if re.search(r"\b(interact|interactive|Output)\(", cell.source):
            problems.append(f"{where}: interact and Output break nbval; use panel(...)")
    return problems


def portable(notebook: NotebookNode) -> list[str]:
    """No path of a machine and no memory address, in sources or outputs."""
    texts = [(name_of(cell, n), cell.source) for n, cell in enumerate(notebook.cells, 1)]
    problems = []
    for where, text in [*texts, *_output_texts(notebook)]:
        text = _DATA_URI.sub("", text)
        if found := _PATH.search(text) or _ADDRESS.search(text):
            problems.append(f"{where}: differs between machines: ...{found[0]}...")
    return problems


def no_trouble(notebook: NotebookNode) -> list[str]:
    """Every cell was run, no error was raised and nothing was written to stderr."""
    problems = []
    for where, cell in _code(notebook):
        tags = cell.metadata.get("tags", [])
        if cell.execution_count is None and "skip-execution" not in tags:
            problems.append(f"{where}: was not run")
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in tags:
                problems.append(f"{where}: raised {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                problems.append(f"{where}: wrote to stderr: {output.text.strip()[:200]}")
    return problems


def no_widgets(notebook: NotebookNode) -> list[str]:
    """No widget is stored: without a kernel it shows as an error."""
    problems = ["metadata.widgets is stored"] if "widgets" in notebook.metadata else []
    for where, cell in _code(notebook):
        if any(_WIDGET_VIEW in output.get("data", {}) for output in cell.outputs):
            problems.append(f"{where}: a widget view is stored")
    return problems


class _Images(HTMLParser):
    """Collects what is wrong with the pictures in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self._svg_without_name = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            source = given.get("src") or ""
            if not (given.get("alt") or "").strip():
                self.problems.append("a picture without alternative text")
            if source.startswith("data:") and len(source) * 3 // 4 > BYTE_LIMIT + 100:
                self.problems.append(f"a picture of {len(source) * 3 // 4000} kB (at most 60)")
            if source.startswith(("http", "//")):
                self.problems.append("a picture from the network")
        if tag == "svg":
            self._svg_without_name = not (given.get("aria-label") or "").strip()
        if tag == "title":
            self._svg_without_name = False

    def handle_endtag(self, tag: str) -> None:
        if tag == "svg" and self._svg_without_name:
            self.problems.append("an SVG without <title> or aria-label")


def images(notebook: NotebookNode) -> list[str]:
    """Every picture has alternative text and at most 60 kB, and none comes from the network."""
    problems = []
    for where, cell in _code(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            if any(mime.startswith("image/") for mime in data):
                problems.append(f"{where}: a bare picture has no alternative text; use show(...)")
            problems += [f"{where}: {text}" for text in _image_problems(data.get("text/html", ""))]
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            where = name_of(cell, number)
            problems += [f"{where}: {text}" for text in _image_problems(cell.source)]
            if re.search(r"!\[\s*\]\(", cell.source):
                problems.append(f"{where}: a picture without alternative text")
    return problems


def _image_problems(markup: str) -> list[str]:
    parser = _Images()
    parser.feed(markup)
    parser.close()
    return parser.problems


def reading_time(notebook: NotebookNode) -> list[str]:
    """Whether the minutes that the first cell states are true.

    They suffice for every word outside folded answers and derivations and for every cell of code,
    and are no more than that and the exercises take. The metadata state the same. A notebook that
    states no minutes keeps the rule.
    """
    stated = _MINUTES.search(notebook.cells[0].source if notebook.cells else "")
    if stated is None:
        return []
    minutes = int(stated[1])
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    words = sum(
        len(_WORD.findall(cell.source))
        for cell, its in zip(notebook.cells, tags, strict=True)
        if cell.cell_type == "markdown" and not {"solution", "derivation"} & set(its)
    )
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    exercises = sum("exercise" in its for its in tags)
    least = words / WORDS_A_MINUTE + cells * MINUTES_A_CELL
    most = least + exercises * MINUTES_AN_EXERCISE
    counted = f"{words} words, {cells} cells of code and {exercises} exercises"
    problems = []
    if not least <= minutes <= most:
        problems.append(
            f"cell 1 ({minutes} minutes of reading): {counted} take {least:.0f} to {most:.0f}"
        )
    in_metadata = notebook.metadata.get("msm4sr", {}).get("minutes")
    if in_metadata != minutes:
        problems.append(f"cell 1 ({minutes} minutes of reading): the metadata say {in_metadata}")
    return problems


RULES: tuple[Callable[[NotebookNode], list[str]], ...] = (
    headings,
    code_style,
    portable,
    no_trouble,
    no_widgets,
    images,
    reading_time,
)


def problems(notebook: NotebookNode) -> list[str]:
    """Return the breaches of all rules."""
    return [problem for rule in RULES for problem in rule(notebook)]


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


def too_dear(notebook: NotebookNode, costs: Costs) -> list[str]:
    """Return what a run says against the seconds stated in the first cell, and against the limits.

    "About" holds from a third of what is stated to twice as much, in seconds of the machine on
    which the course's times were measured. This is no rule for stored notebooks: it needs a run.
    """
    stated = _COMPUTING.search(notebook.cells[0].source if notebook.cells else "")
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
