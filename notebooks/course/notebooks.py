"""Build and check the notebooks: ``python -m course.notebooks build [NN ...]``.

========  =====================================================================================
build     execute the masters ``notebooks/src/NN_name.py`` and store ``notebooks/NN_name.ipynb``
check     prove, without running anything, that the stored notebooks are up to date
work      make the student's copies that are missing; ``--fresh`` renames those that are there
========  =====================================================================================

What is proven by what. ``check`` proves that the stored cells are those of the master, that the
outputs keep to :mod:`~course.rules`, and that no library or data file from which
the outputs were made has changed since (:mod:`~course.dependencies`). That the
code still runs, and that the text of compared cells still comes out, is proven by nbval, which
runs it. That a stored figure shows what it should, only a reader can see.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from course import dependencies, rules
from course.costs import Costs, find_excess
from course.lab import make_copies
from course.masters import read_master, same_source
from course.session import ROOT
from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import write_text

CELL_SECONDS = 120  # a cell that takes longer ends a build

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class NotebookError(UserError):
    """What is wrong with a notebook, in several lines, such as a traceback."""

    def __init__(self, message: str) -> None:
        ValueError.__init__(self, message)


def stored_path(master: Path) -> Path:
    """Return where the reading notebook of a master lies."""
    return master.parents[1] / f"{master.stem}.ipynb"


def find_masters(root: Path, numbers: Sequence[str] = ()) -> list[Path]:
    """Return the masters in ``root/notebooks/src``, all or those named by number."""
    masters = sorted((root / "notebooks" / "src").glob("[0-9][0-9]_*.py"))
    known = {path.name[:2] for path in masters}
    if missing := sorted(set(numbers) - known):
        raise UserError(f"numbers of notebooks were expected ({sorted(known)}); got {missing}")
    return [path for path in masters if not numbers or path.name[:2] in numbers]


def build_environment() -> dict[str, str]:
    """Return the environment in which outputs are made: one thread, no GPU, no live panels."""
    paths = [str(ROOT / "notebooks"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "MSM4SR_STATIC": "1",
        "MSM4SR_DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(paths),
    }


def execute_notebook(notebook: NotebookNode, folder: Path) -> Costs:
    """Fill in a notebook's outputs, running it in ``folder``.

    Raises
    ------
    UserError
        If a cell raises an error or takes too long.
    """
    cells = notebook.cells
    notebook.cells = [
        new_code_cell(dependencies.BEFORE),
        *cells,
        new_code_cell(dependencies.AFTER),
    ]
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        coalesce_streams=True,  # else one print may be cut in two, where a buffer ended
    )
    try:
        client.execute(env=build_environment())
        made_from, (memory, factor) = map(
            json.loads, notebook.cells[-1].outputs[0].text.splitlines()
        )
    except (CellExecutionError, CellTimeoutError) as error:
        raise NotebookError(_COLOUR.sub("", str(error))) from None
    finally:
        notebook.cells = cells
    notebook.metadata["msm4sr"]["made_from"] = made_from
    times = [
        (_seconds(cell), rules.cell_name(cell, number)) for number, cell in enumerate(cells, 1)
    ]
    return Costs(sum(seconds for seconds, _ in times), *max(times), memory, factor)


def _seconds(cell: NotebookNode) -> float:
    times = cell.metadata.get("execution", {})
    if "shell.execute_reply" not in times:
        return 0.0
    start, end = (times[key] for key in ("iopub.execute_input", "shell.execute_reply"))
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def build_notebook(master: Path) -> str:
    """Execute a master and store the notebook; returns one line about it.

    Raises
    ------
    UserError
        If a cell fails or the result breaks a rule. Then nothing is stored.
    """
    start = time.perf_counter()
    content = read_master(master)
    costs = execute_notebook(content, stored_path(master).parent)
    rules.clean_outputs(content)
    text = nbformat.writes(content, version=4) + "\n"
    problems = rules.find_problems(content)
    if (size := len(text.encode())) > rules.NOTEBOOK_LIMIT:
        problems.append(f"{size} bytes, more than {rules.NOTEBOOK_LIMIT}")
    if problems:
        raise NotebookError("breaks rules:\n  " + "\n  ".join(problems))
    write_text(stored_path(master), text)
    # Not a reason to store nothing: this machine may be slow, or busy.
    excess = find_excess(content, costs)
    seconds = time.perf_counter() - start
    took = f"{costs.memory:.1f} GB; longest {costs.longest:.1f} s, {costs.slowest}"
    name = stored_path(master).name
    return "\n  ".join([f"{name}: {size / 1000:.0f} kB in {seconds:.0f} s; {took}", *excess])


def find_stale(master: Path) -> list[str]:
    """Return the reasons why a stored notebook must be built again; none is best."""
    path = stored_path(master)
    if not path.exists():
        return ["was never built"]
    notebook = nbformat.read(path, as_version=4)
    reasons = [] if same_source(read_master(master), notebook) else ["is not what its master says"]
    for name in dependencies.find_changes(notebook.metadata["msm4sr"].get("made_from", {})):
        reasons.append(f"{name} has changed since the outputs were made")
    return reasons + rules.find_problems(notebook)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, or 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m course.notebooks")
    parser.add_argument("command", choices=("build", "check", "work"))
    parser.add_argument("numbers", nargs="*", metavar="NN", help="notebooks (default: all)")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--fresh", action="store_true", help="rename the copies that are there")
    options = parser.parse_intermixed_args(arguments)
    root = options.root.resolve()
    if options.fresh and not (options.command == "work" and options.numbers):
        parser.error("--fresh belongs to work and needs numbers of notebooks")
    if options.command == "work":
        try:
            for line in make_copies(root, options.numbers, fresh=options.fresh):
                print(line)
            return 0
        except UserError as error:
            print(error, file=sys.stderr)
            return 1
    try:
        masters = find_masters(root, options.numbers)
    except UserError as error:
        parser.error(str(error))
    failures = 0
    for master in masters:
        try:
            if options.command == "build":
                print(build_notebook(master), flush=True)
            elif reasons := find_stale(master):
                raise UserError("; ".join(reasons))
            else:
                print(f"{stored_path(master).name} is up to date")
        except UserError as error:
            print(f"{master.name}: {error}", file=sys.stderr)
            failures = 1
    return failures


if __name__ == "__main__":
    sys.exit(main())
