"""Run the stored notebooks unattended: ``python -m msm4sr_lite.course.run_all NOTEBOOKS OUT``.

``OUT`` receives an executed copy and an HTML page of each and ``index.html``. Which outputs may
differ from the stored ones is not judged here: nbval does that.
"""

from __future__ import annotations

import argparse
import html
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from msm4sr_lite.config import UserError
from msm4sr_lite.course import rules
from msm4sr_lite.course.handout import page
from msm4sr_lite.course.notebooks import execute
from msm4sr_lite.writing.files import write_text

_INDEX = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The course, executed</title>
<style>
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: auto; padding: 2rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ border-bottom: 1px solid #767676; padding: .3rem .6rem; text-align: left }}
tr > :nth-child(2) {{ text-align: right; font-variant-numeric: tabular-nums }}
</style>
<h1>The course, executed</h1>
<table>
<tr><th scope="col">notebook</th><th scope="col">seconds</th><th scope="col">result</th></tr>
{rows}
</table>
</html>
"""


@dataclass(frozen=True)
class Result:
    """How one notebook went: its name without ending, seconds, and its error if it failed."""

    name: str
    seconds: float
    error: str = ""


def run(path: Path, out: Path) -> Result:
    """Execute one notebook and write its copy and its page, also when a cell fails."""
    start = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    error = ""
    try:
        execute(notebook, path.parent.resolve())
        rules.clean(notebook)
    except UserError as failure:
        error = str(failure)
    write_text(out / path.name, nbformat.writes(notebook, version=4) + "\n")
    write_text(out / f"{path.stem}.html", page(notebook, path.stem))
    return Result(path.stem, time.perf_counter() - start, error)


def index(results: Sequence[Result]) -> str:
    """Return the page that leads to the others."""
    rows = "\n".join(
        f'<tr><td><a href="{result.name}.html">{result.name}</a></td>'
        f"<td>{result.seconds:.1f}</td>"
        f"<td>{html.escape(_last_line(result.error)) or 'ok'}</td></tr>"
        for result in results
    )
    return _INDEX.format(rows=rows)


def _last_line(error: str) -> str:
    return error.strip().rpartition("\n")[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all notebooks, one after the other; 1 if any failed, 2 if there is none."""
    parser = argparse.ArgumentParser(prog="python -m msm4sr_lite.course.run_all")
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
        result = run(path, options.out)
        results.append(result)
        print(f"{result.seconds:7.1f} s  {'FAILED' if result.error else 'ok'}", flush=True)
    write_text(options.out / "index.html", index(results))
    failed = [result for result in results if result.error]
    for result in failed:
        print(f"\n{result.name} failed: {result.error}", file=sys.stderr)
    if failed:
        print(f"\n{len(failed)} of {len(paths)} notebooks failed.", file=sys.stderr)
    print(f"{sum(result.seconds for result in results):.0f} s in all; see {options.out}/index.html")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
