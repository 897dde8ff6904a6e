"""Mark returned notebooks: run each anew and print the verdict on every exercise.

``python -m course.marking FILE ...``, where FILE is a notebook or a folder of notebooks.

What a file was called, which kernel it names and what outputs it holds makes no difference. A cell
that fails stops no other cell, and one that never ends is interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from course.checks import Exercise
from course.notebooks import CELL_SECONDS, build_environment
from course.session import ROOT
from msm4sr_lite.config import UserError
from msm4sr_lite.printable import one_line

NOTEBOOK_SECONDS = 900  # all cells together

_CHECK = re.compile(r"""\bcheck\(\s*["']((\d\d)\.\w+)["']""")
_VERDICT = re.compile(r"([✓✗○]) (\d\d\.\w+), ([a-z ]+): (.*?)(?: Stuck\? hint\(.*)?", re.DOTALL)


def mark_notebook(path: Path) -> dict[str, tuple[str, str]]:
    """Return for each exercise of a returned notebook its sign and the verdict.

    Parameters
    ----------
    path
        The notebook. Its code is run in a new kernel.

    Raises
    ------
    UserError
        If it is no notebook, or has no exercise of the course in it.
    """
    cells = read_code(path)
    exercises = find_exercises(path, cells)
    run_cells(cells)
    found = {one.name: ("✗", "no verdict: no cell that checks it has run") for one in exercises}
    for cell in cells:
        verdicts = verdicts_of(cell)
        found.update((name, verdict) for name, verdict in verdicts.items() if name in found)
    return found


def read_code(path: Path) -> list[NotebookNode]:
    """Return the code of a notebook in new cells without outputs."""
    try:  # without nbformat, which refuses cells that lack what is not needed here
        cells = json.loads(path.read_text("utf-8-sig"))["cells"]
        code = [
            new_code_cell("".join(cell["source"]))
            for cell in cells
            if cell["cell_type"] == "code"
            and "skip-execution" not in cell.get("metadata", {}).get("tags", [])
        ]
        "".join(cell.source for cell in code).encode()  # half a character reaches no kernel
        return code
    except OSError as error:
        empty = "no notebook in this folder; name that of the returned files"
        reason = empty if path.is_dir() else f"cannot be read: {error.strerror}"
        raise UserError(f"{path}: {reason}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path}: not a notebook that Jupyter has saved") from None


def find_exercises(path: Path, cells: Sequence[NotebookNode]) -> list[Exercise]:
    """Return all exercises of the notebooks of the course to which the checks in cells belong."""
    numbers = {number for cell in cells for _, number in _CHECK.findall(cell.source)}
    known = [n for n in sorted(numbers) if (ROOT / f"notebooks/course/exercises/nb{n}.py").exists()]
    if not known:
        raise UserError(f"{path}: no cell checks an exercise of the course")
    modules = [importlib.import_module(f"course.exercises.nb{number}") for number in known]
    return [exercise for module in modules for exercise in module.EXERCISES]


def run_cells(cells: list[NotebookNode]) -> None:
    """Fill in the outputs of cells, as far as the kernel comes."""
    end = time.monotonic() + NOTEBOOK_SECONDS
    stopped = {"ename": "TimeoutError", "evalue": "took too long", "traceback": []}
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)  # a failing cell has its own verdict
    client = NotebookClient(
        new_notebook(cells=cells),
        timeout_func=lambda cell: int(max(1, min(CELL_SECONDS, end - time.monotonic()))),
        interrupt_on_timeout=True,
        error_on_timeout=stopped,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT / "notebooks")}},
        store_widget_state=False,
    )
    # A kernel's own complaints, such as of a closed sys.stdout, are not for the teacher. In another
    # thread, nbclient leaves Ctrl-C to this one.
    quiet: dict[str, Any] = {"env": build_environment(), "stderr": subprocess.DEVNULL}
    with ThreadPoolExecutor(1) as pool, contextlib.suppress(DeadKernelError):  # os._exit()
        job = pool.submit(asyncio.run, client.async_execute(**quiet))
        try:
            job.result()
        except KeyboardInterrupt:
            while not job.done():  # the kernel may just be starting
                provisioner = getattr(client.km, "provisioner", None)
                if process := getattr(provisioner, "process", None):
                    process.kill()
                time.sleep(0.1)
            raise


def verdicts_of(cell: NotebookNode) -> dict[str, tuple[str, str]]:
    """Return the verdicts that a cell shows; its error, if it failed before it showed one."""
    verdicts: dict[str, tuple[str, str]] = {}
    for output in cell.outputs:
        data = output.get("data", {})
        said = _VERDICT.fullmatch(data.get("text/plain", ""))
        if said and "text/html" in data:
            verdicts[said[2]] = said[1], one_line(f"{said[3]}: {said[4]}")
        elif output.output_type == "error":
            text = one_line(f"error: {output.ename}: {output.evalue}")[:200]
            for name, _ in _CHECK.findall(cell.source):
                verdicts.setdefault(name, ("✗", text))
    return verdicts


def find_notebooks(folder: Path) -> list[Path]:
    """Return the notebooks in a folder and its sub-folders, without Jupyter's checkpoints.

    A folder without notebooks is returned itself, as is a file, so that marking it says why not.
    """
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() == ".ipynb" and ".ipynb_checkpoints" not in path.parts
    ]
    return sorted(found) or [folder]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 2 if a file could not be marked, or 130 after Ctrl-C."""
    try:
        return mark_files(arguments)
    except UserError as error:
        print(one_line(str(error)), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the notebooks above are marked", file=sys.stderr)
        return 130


def mark_files(arguments: Sequence[str] | None) -> int:
    """Mark the files and print the verdicts."""
    parser = argparse.ArgumentParser(prog="python -m course.marking")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="notebook or folder")
    given: list[Path] = parser.parse_args(arguments).files
    paths = [one for path in given for one in find_notebooks(path)]
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # not every terminal has ✓
    code = 0
    for path in paths:
        try:
            verdicts = mark_notebook(path)
        except UserError as error:
            print(one_line(str(error)), file=sys.stderr)
            code = 2
            continue
        correct = sum(sign == "✓" for sign, _ in verdicts.values())
        print(f"{one_line(str(path))}: {correct} of {len(verdicts)} exercises are correct")
        for name, (sign, message) in verdicts.items():
            print(f"  {sign} {name}, {message}", flush=True)
    return code


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):  # whatever a parent made of them
        signal.signal(stop, signal.default_int_handler)
    sys.exit(main())
