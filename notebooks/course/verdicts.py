"""Run a returned notebook anew, or a returned ``my_m2se.py``: a verdict on every exercise.

What a file was called, which kernel it names and what outputs it holds makes no difference. A cell
that fails stops no other cell, and one that never ends is interrupted. The code runs in a kernel of
its own, in a folder that is deleted afterwards, and without the student's ``progress.json``.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib
import json
import logging
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from course.checks import Exercise, find_exercise
from course.notebooks import CELL_SECONDS, build_environment
from course.session import ROOT
from course.spine import FILE, answer_names, put_part
from msm4sr_lite.config import UserError
from msm4sr_lite.printable import one_line, reason_of

_PLACE = (
    "import os\nos.environ['MSM4SR_STATIC'] = ''\nopen({!r}, 'w', encoding='utf-8').write({!r})"
)
NOTEBOOK_SECONDS = 900  # all cells together

_CHECK = re.compile(r"""\bcheck\(\s*["']((\d\d)\.\w+)["']""")
_VERDICT = re.compile(r"([✓✗○]) (\d\d\.\w+), ([a-z ]+): (.*?)(?: Stuck\? hint\(.*)?", re.DOTALL)


class Marked(NamedTuple):
    """What marking a file has found.

    Attributes
    ----------
    verdicts
        For each exercise its sign and the verdict.
    reached
        Whether a cell, or all cells together, reached the time limit and were stopped.
    remark
        What else a teacher should know, such as that the code ended its kernel; "" if nothing.
    """

    verdicts: dict[str, tuple[str, str]]
    reached: bool
    remark: str


class _Client(NotebookClient):  # type: ignore[misc, unused-ignore]
    """Without what cells print: one that never ends could print more than fits into memory."""

    def output(self, outs: list[NotebookNode], msg: Any, *place: Any) -> NotebookNode | None:
        if msg["msg_type"] == "stream" or len(outs) >= 1000:
            return None
        return super().output(outs, msg, *place)


def mark_file(path: Path) -> Marked:
    """Mark a returned file: ``my_m2se.py``, or a notebook under any name.

    Parameters
    ----------
    path
        The file. Its code is run in a new kernel.

    Raises
    ------
    UserError
        If it is no notebook, or has no exercise of the course in it.
    """
    if path.suffix == ".py":
        cells, found = read_model(path)
    else:
        cells = read_code(path)
        missing = "✗", "no verdict: no cell that checks it has run"
        found = {exercise.name: missing for exercise in find_exercises(path, cells)}
    reached, remark = run_cells(cells)
    for cell in cells:
        verdicts = verdicts_of(cell)
        found.update((name, verdict) for name, verdict in verdicts.items() if name in found)
    return Marked(found, reached, remark)


def read_model(path: Path) -> tuple[list[NotebookNode], dict[str, tuple[str, str]]]:
    """Return cells that check the parts of a ``my_m2se.py``, and a verdict on all before that."""
    try:
        others = text = path.read_text("utf-8-sig")
        nodes = ast.parse(text).body
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise UserError(f"{path}: cannot be read ({one_line(reason_of(error))})") from None
    written = {one.name for one in nodes if isinstance(one, (ast.FunctionDef, ast.ClassDef))}
    parts = {part: name for part, name in answer_names().items() if name in written}
    checks = [f'from course import check\ncheck("{part}", {name})' for part, name in parts.items()]
    found = {
        part: ("✗", "no verdict: its check has not run") if part in parts else ("○", "not in it")
        for part in answer_names()
    }
    for part in parts:  # each finds the course's parts there, and what else the student wrote
        others = put_part(others, part, find_exercise(part).solution_code())
    place = _PLACE.format(FILE, others)
    return [new_code_cell(code) for code in (place, text, *checks)], found


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


def run_cells(cells: list[NotebookNode]) -> tuple[bool, str]:
    """Fill in the outputs of cells, as far as the kernel comes.

    Returns
    -------
    reached, remark
        As in :class:`Marked`.
    """
    end = time.monotonic() + NOTEBOOK_SECONDS
    stopped: dict[str, Any] = {"ename": "TimeoutError", "evalue": "took too long", "traceback": []}
    replies: list[Any] = []
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)  # a failing cell has its own verdict
    with tempfile.TemporaryDirectory("", "marking-", ignore_cleanup_errors=True) as folder:
        client = _Client(
            new_notebook(cells=cells),
            timeout_func=lambda cell: int(max(1, min(CELL_SECONDS, end - time.monotonic()))),
            interrupt_on_timeout=True,
            error_on_timeout=stopped,
            on_cell_error=lambda execute_reply, **cell: replies.append(execute_reply["content"]),
            allow_errors=True,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            store_widget_state=False,
        )
        died = not _run(client, build_environment() | {"MSM4SR_WORK": folder})
    # Not a TimeoutError that the student's code has raised: that one has come from the kernel.
    reached = any(reply["traceback"] is stopped["traceback"] for reply in replies)
    return reached, "its code ended the kernel" if died else ""


def _run(client: NotebookClient, variables: dict[str, str]) -> bool:
    """Run all cells; whether the kernel lived to the end. Ctrl-C ends the kernel, too."""
    # A kernel's own complaints, such as of a closed sys.stdout, are not for the teacher. In another
    # thread, nbclient leaves Ctrl-C to this one.
    quiet: dict[str, Any] = {"env": variables, "stderr": subprocess.DEVNULL}
    with ThreadPoolExecutor(1) as pool, contextlib.suppress(DeadKernelError):  # os._exit()
        job = pool.submit(asyncio.run, client.async_execute(**quiet))
        try:
            job.result()
            return True
        except KeyboardInterrupt:
            while not job.done():  # the kernel may just be starting
                provisioner = getattr(client.km, "provisioner", None)
                if process := getattr(provisioner, "process", None):
                    process.kill()
                time.sleep(0.1)
            raise
    return False


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
