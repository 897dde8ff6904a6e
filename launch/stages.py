"""The stages of ``run.py test`` and ``run.py check``, and how they are run."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from launch.console import say

STRICT = ("00", "01", "04")  # notebooks whose outputs are all text and integers: all are compared
NBVAL = [
    "--nbval-current-env",
    "--nbval-sanitize-with=tests/notebooks/nbval_sanitize.cfg",
    "--nbval-cell-timeout=120",
]
AS_STORED = {"MSM4SR_STATIC": "1", "MSM4SR_DEVICE": "cpu", "PYTHONHASHSEED": "0"}
AGAIN = "again"
TWO_THREADS = "two threads"
OTHER_CPU = "other CPU"  # the numerical libraries take the code paths of an old x86 processor
VARIANTS: dict[str, dict[str, str]] = {
    "": {},
    AGAIN: {},
    TWO_THREADS: {"OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"},
    OTHER_CPU: {
        "NUMBA_CPU_NAME": "generic",
        "OPENBLAS_CORETYPE": "Prescott",
        "ATEN_CPU_CAPABILITY": "default",
    },
}
TRAINING = ("06", "07", "08")  # the notebooks that train most, where the order of sums can matter


class Stage(NamedTuple):
    """One stage: its name, the arguments of ``python -m``, variables to add."""

    name: str
    command: list[str]
    variables: dict[str, str]


def static_stages() -> list[Stage]:
    """Return the checks that run nothing of ours."""
    return [
        Stage("format", ["ruff", "format", "--check", "."], {}),
        Stage("lint", ["ruff", "check", "."], {}),
        Stage("types", ["mypy"], {}),
        Stage("spelling", ["codespell_lib", "."], {}),
    ]


def unit_stage(marks: str, extra: list[str]) -> Stage:
    """Return the unit tests and doctests that the pytest expression ``marks`` selects."""
    workers = ["-n", "2", "--dist", "worksteal", "-p", "no:nbval"]  # two processes of one thread
    return Stage("unit tests", ["pytest", "-q", *workers, "-m", marks, *extra], {})


def notebook_stages(folder: Path, variant: str = "", numbers: tuple[str, ...] = ()) -> list[Stage]:
    """Return the notebooks under nbval: all outputs of some, checkpoint cells of the others.

    ``variant`` is a key of ``VARIANTS``; with ``numbers`` only these notebooks are run.
    """
    variables = {**AS_STORED, **VARIANTS[variant]}
    suffix = f", {variant}" if variant else ""
    strict: list[str] = []
    lax: list[str] = []
    for notebook in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        if not numbers or notebook.name.startswith(numbers):
            chosen = strict if notebook.name.startswith(STRICT) else lax
            chosen.append(f"{folder.name}/{notebook.name}")
    return [
        Stage(f"notebooks, {name}{suffix}", ["pytest", "-q", option, *NBVAL, *chosen], variables)
        for name, option, chosen in (("strict", "--nbval", strict), ("lax", "--nbval-lax", lax))
        if chosen
    ]


def run_stages(python: Path, root: Path, stages: list[Stage], environment: dict[str, str]) -> int:
    """Run every stage, whatever came before, and end with a table; 1 if any failed."""
    results = []
    for stage in stages:
        say(f"\n=== {stage.name}: {' '.join(stage.command)}")
        started = time.perf_counter()
        command = [str(python), "-m", *stage.command]
        code = subprocess.call(command, cwd=root, env={**environment, **stage.variables})
        results.append((stage.name, code, time.perf_counter() - started))
    say(f"\n{'stage':<30} {'result':<8} seconds")
    for name, code, seconds in results:
        say(f"{name:<30} {'FAILED' if code else 'ok':<8} {seconds:7.1f}")
    say(f"{'all':<39} {sum(seconds for _, _, seconds in results):7.1f}")
    return int(any(code for _, code, _ in results))
