"""Run the stored notebooks unattended: ``python -m course.run_all NOTEBOOKS OUT``.

``OUT`` receives an executed copy and an HTML page of each, and ``index.html``, the table of
contents. Which outputs may differ from the stored ones is not judged here: nbval does that.
"""

from __future__ import annotations

import argparse
import html
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course import rules
from course.handout import add_contents, find_sections, make_page
from course.notebooks import execute_notebook
from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import write_text

_INDEX = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The course</title>
<style>
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: auto; padding: 2rem }}
h2 {{ font-size: 1.2rem; margin: 1.6rem 0 0 }}
p {{ margin: .2rem 0 }}
.failed {{ font-weight: bold }}
</style>
<h1>The course</h1>
{entries}
</html>
"""
_ENTRY = """<h2><a href="{name}.html">{title}</a></h2>
<p>{about}</p>
<p{failed}>{summary}</p>
<details><summary>Contents</summary>
<ol>
{sections}
</ol>
</details>
"""


@dataclass(frozen=True)
class Result:
    """How one notebook went.

    Attributes
    ----------
    name
        Of the file, without its ending.
    title, about
        From its first cell: the title and the question it answers.
    minutes
        Of reading; 0 if it states none.
    seconds
        That it took.
    sections
        Place in the page and words, as HTML, of each section.
    error
        What went wrong.
    """

    name: str
    title: str
    about: str
    minutes: int
    seconds: float
    sections: list[tuple[str, str]]
    error: str = ""


def run_notebook(path: Path, out: Path, links: Sequence[tuple[str, str]] = ()) -> Result:
    """Execute one notebook and write its copy and its page, also when a cell fails.

    Parameters
    ----------
    path
        The notebook.
    out
        Folder to write to.
    links
        Address and words of each link at the head of the page.
    """
    start = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    error = ""
    try:
        execute_notebook(notebook, path.parent.resolve())
        rules.clean_outputs(notebook)
    except UserError as failure:
        error = str(failure)
    write_text(out / path.name, nbformat.writes(notebook, version=4) + "\n")
    title, about = _first_words(notebook, path.stem)
    written = make_page(notebook, title)
    within = find_sections(written)
    write_text(out / f"{path.stem}.html", add_contents(written, links, within))
    minutes = notebook.metadata.get("msm4sr", {}).get("minutes", 0)
    seconds = time.perf_counter() - start
    return Result(path.stem, title, about, minutes, seconds, within, error)


def _first_words(notebook: NotebookNode, name: str) -> tuple[str, str]:
    """Return the title of a notebook, and the first sentence below it that is in bold."""
    text = notebook.cells[0].source if notebook.cells else ""
    title = re.search(r"^# (.+)$", text, re.M)
    about = re.search(r"^\*\*(.+?)\*\*", text, re.M | re.S)
    return title[1] if title else name, " ".join(about[1].split()) if about else ""


def make_index(results: Sequence[Result]) -> str:
    """Return the page that leads to the others: the course's table of contents."""
    entries = []
    for result in results:
        summary = f"{result.minutes} minutes of reading, " if result.minutes else ""
        summary += f"{result.seconds:.0f} seconds of computing"
        if result.error:
            summary = f"failed: {html.escape(_last_line(result.error))}"
        within = [
            f'<li><a href="{result.name}.html#{at}">{words}</a></li>'
            for at, words in result.sections
        ]
        entries.append(
            _ENTRY.format(
                name=html.escape(result.name),
                title=html.escape(result.title),
                about=html.escape(result.about),
                failed=' class="failed"' if result.error else "",
                summary=summary,
                sections="\n".join(within),
            )
        )
    return _INDEX.format(entries="\n".join(entries))


def _last_line(error: str) -> str:
    return error.strip().rpartition("\n")[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all notebooks, one after the other; 1 if any failed, 2 if there is none."""
    parser = argparse.ArgumentParser(prog="python -m course.run_all")
    parser.add_argument("notebooks", type=Path, help="folder that holds NN_name.ipynb")
    parser.add_argument("out", type=Path, help="folder to write to")
    options = parser.parse_args(arguments)
    paths = sorted(options.notebooks.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        print(f"notebooks were expected in {options.notebooks}; none is there", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    results = []
    for number, path in enumerate(paths, 1):
        print(f"[{number}/{len(paths)}] {path.stem:<32}", end="", flush=True)
        links = [("index.html", "All notebooks")]
        links += [(f"{p.stem}.html", f"← {p.stem}") for p in paths[number - 2 : number - 1]]
        links += [(f"{p.stem}.html", f"{p.stem} →") for p in paths[number : number + 1]]
        result = run_notebook(path, options.out, links)
        results.append(result)
        print(f"{result.seconds:7.1f} s  {'FAILED' if result.error else 'ok'}", flush=True)
    write_text(options.out / "index.html", make_index(results))
    failed = [result for result in results if result.error]
    for result in failed:
        print(f"\n{result.name} failed: {result.error}", file=sys.stderr)
    if failed:
        print(f"\n{len(failed)} of {len(paths)} notebooks failed.", file=sys.stderr)
    print(f"{sum(result.seconds for result in results):.0f} s in all; see {options.out}/index.html")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
