"""What a stored notebook must keep to. Each rule returns its breaches, each naming a cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from html.parser import HTMLParser
from itertools import pairwise

from nbformat import NotebookNode

from course.costs import reading_time
from course.figures import BYTE_LIMIT
from course.masters import PAPER
from course.session import ROOT

LINE_LIMIT = 88  # columns of code that JupyterLab shows on a 1280-pixel screen
NOTEBOOK_LIMIT = 1_000_000  # bytes

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_DATA_URI = re.compile(r"data:image/[\w+]+;base64,[A-Za-z0-9+/=]+")
_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|root|Users|tmp|usr|opt|var|mnt|private|content)/\w"
    rf"|{re.escape(str(ROOT))}"  # this checkout
    r"|\b[A-Za-z]:\\\w|site-packages"
)
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
_PROGRESS = re.compile(r"\r|\d+%\||\d+it/s|\d+it \[")
_REASON = re.compile(r"# Not compared: \w.{9,}")
_NOT_COMPARED = {"nbval-ignore-output", "nbval-skip"}
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def clean_outputs(notebook: NotebookNode) -> None:
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
            yield cell_name(cell, number), cell


def cell_name(cell: NotebookNode, number: int) -> str:
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
            levels += [(len(marks), cell_name(cell, number)) for marks in found]
    if not levels or levels[0][0] != 1 or not levels[0][1].startswith("cell 1 "):
        return ["cell 1: a notebook starts with its title, '# ...'"]
    return [
        f"{where}: heading of level {level} below one of level {above}"
        for (above, _), (level, where) in pairwise(levels)
        if level == 1 or level > above + 1
    ]


def paper(notebook: NotebookNode) -> list[str]:
    """Paper: named and linked in the first cell."""
    first = notebook.cells[0].source if notebook.cells else ""
    return [] if f"]({PAPER}" in first else [f"cell 1: a link to the paper is missing, {PAPER}"]


def reasons(notebook: NotebookNode) -> list[str]:
    """Cells say why their output is not compared, where it is not."""
    problems = []
    for where, cell in _code(notebook):
        is_tagged = bool(_NOT_COMPARED & set(cell.metadata.get("tags", [])))
        first = cell.source.split("\n")[0]
        if is_tagged and not _REASON.fullmatch(first):
            problems.append(f"{where}: must start with '# Not compared: <reason>'")
        if not is_tagged and first.startswith("# Not compared"):
            problems.append(f"{where}: is compared, since it has no tag nbval-ignore-output")
    return problems


def count_not_compared(notebooks: Iterable[NotebookNode]) -> tuple[int, int]:
    """Return how many cells of code have outputs that are not compared, and how many there are."""
    tags = [set(cell.metadata.get("tags", [])) for one in notebooks for _, cell in _code(one)]
    return sum(bool(_NOT_COMPARED & its) for its in tags), len(tags)


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
    texts = [(cell_name(cell, n), cell.source) for n, cell in enumerate(notebook.cells, 1)]
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
    """Collects what is wrong with the images in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self._svg_without_name = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            source = given.get("src") or ""
            if not (given.get("alt") or "").strip():
                self.problems.append("an image without alternative text")
            if source.startswith("data:") and len(source) * 3 // 4 > BYTE_LIMIT + 100:
                self.problems.append(f"an image of {len(source) * 3 // 4000} kB (at most 60)")
            if source.startswith(("http", "//")):
                self.problems.append("an image from the network")
        if tag == "svg":
            is_hidden = given.get("aria-hidden") == "true"  # from screen readers: an ornament
            self._svg_without_name = not (is_hidden or (given.get("aria-label") or "").strip())
        if tag == "title":
            self._svg_without_name = False

    def handle_endtag(self, tag: str) -> None:
        if tag == "svg" and self._svg_without_name:
            self.problems.append("an SVG without <title> or aria-label")


def images(notebook: NotebookNode) -> list[str]:
    """Every image has alternative text and at most 60 kB, and none comes from the network."""
    problems = []
    for where, cell in _code(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            if any(mime.startswith("image/") for mime in data):
                problems.append(f"{where}: a bare image has no alternative text; use show(...)")
            problems += [f"{where}: {text}" for text in _image_problems(data.get("text/html", ""))]
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            where = cell_name(cell, number)
            problems += [f"{where}: {text}" for text in _image_problems(cell.source)]
            if re.search(r"!\[\s*\]\(", cell.source):
                problems.append(f"{where}: an image without alternative text")
    return problems


def _image_problems(markup: str) -> list[str]:
    parser = _Images()
    parser.feed(markup)
    parser.close()
    return parser.problems


RULES: tuple[Callable[[NotebookNode], list[str]], ...] = (
    headings,
    paper,
    reasons,
    code_style,
    portable,
    no_trouble,
    no_widgets,
    images,
    reading_time,
)


def find_problems(notebook: NotebookNode) -> list[str]:
    """Return the breaches of all rules."""
    return [problem for rule in RULES for problem in rule(notebook)]
