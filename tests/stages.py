"""The stages of ``run.py test`` and ``run.py check``: ``stages.py check|test|all [PYTEST ...]``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
# What each command leaves out.
MARKS = {"check": "not slow and not browser and not thorough", "test": "not slow", "all": ""}
TRAINING = ("06", "07", "08")  # the notebooks that train most, where the order of sums can matter
NBVAL = [
    "--nbval-current-env",
    "--nbval-sanitize-with=tests/notebooks/nbval_sanitize.cfg",
    "--nbval-cell-timeout=120",
]
AS_STORED = {"MSM4SR_STATIC": "1", "MSM4SR_DEVICE": "cpu", "PYTHONHASHSEED": "0"}
TWO_THREADS = {"OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}
# The numerical libraries take the code paths of an old x86 processor.
OTHER_CPU = {
    "NUMBA_CPU_NAME": "generic",
    "OPENBLAS_CORETYPE": "Prescott",
    "ATEN_CPU_CAPABILITY": "default",
}


class Stage(NamedTuple):
    """One stage: its name, the arguments of ``python -m``, variables to add."""

    name: str
    command: list[str]
    variables: dict[str, str]


WORKERS = ["-n", "2", "--dist", "worksteal", "-p", "no:nbval"]  # two processes of one thread
STATIC = [
    Stage("format", ["ruff", "format", "--check", "."], {}),
    Stage("lint", ["ruff", "check", "."], {}),
    Stage("types", ["mypy"], {}),
    Stage("spelling", ["codespell_lib", "."], {}),
]
# Damaged inputs and stopped commands; how many of them each command tries.
CASES = {"test": 750, "all": 4000}
# Warnings fail the build, whose command is that of ``run.py docs``. Only the site's own tests see
# what was built. Those in a browser are skipped where no Chromium is installed.
SITE = [
    Stage("site", ["sphinx", "-W", "-q", "--keep-going", "-b", "html", "docs", "build/site"], {}),
    Stage("tests of the site", ["pytest", "-q", "-rs", *WORKERS, "tests/site"], {}),
]


def notebook_stages(
    folder: Path,
    variant: str = "",
    variables: Mapping[str, str] = MappingProxyType({}),
    numbers: tuple[str, ...] = ("",),
) -> list[Stage]:
    """Return the stage that runs notebooks under nbval, or none if there are none.

    All texts are compared, except those of cells tagged nbval-ignore-output, which say why not.

    Parameters
    ----------
    folder
        Where the notebooks are.
    variant
        Name of the way in which they are run, and ...
    variables
        ... the environment variables of this way.
    numbers
        Beginnings of the names of the notebooks to run; all by default.
    """
    found = sorted(path.name for path in folder.glob("[0-9][0-9]_*.ipynb"))
    found = [name for name in found if name.startswith(numbers)]
    if not found:
        return []
    files = [f"{folder.name}/{name}" for name in found]
    command = ["pytest", "-q", "--nbval", *NBVAL, *files]
    return [Stage(f"notebooks{variant and ', '}{variant}", command, {**AS_STORED, **variables})]


def stages_of(command: str, extra: list[str]) -> list[Stage]:
    """Return the stages of a command, a key of ``MARKS``; ``extra`` goes to the unit tests."""
    unit = ["pytest", "-q", *WORKERS, "-m", MARKS[command], *extra]
    stages = [*STATIC, Stage("unit tests", unit, {})]
    notebooks = ROOT / "notebooks"
    if command != "check":
        if sys.platform == "linux":  # the harness forks, and uses files that only Linux has
            stages += [Stage("robustness", ["tests.robustness", "--n", str(CASES[command])], {})]
        stages += [*SITE, *notebook_stages(notebooks)]
    if command == "all":
        stages += notebook_stages(notebooks, "again")
        stages += notebook_stages(notebooks, "two threads", TWO_THREADS, TRAINING)
        if platform.machine() in ("x86_64", "AMD64"):
            stages += notebook_stages(notebooks, "other CPU", OTHER_CPU)
    return stages


def run_stages(stages: list[Stage], folder: Path = ROOT) -> int:
    """Run every stage, whatever came before, and end with a table; 1 if any failed."""
    results = []
    for stage in stages:
        print(f"\n=== {stage.name}: {' '.join(stage.command)}", flush=True)
        started = time.perf_counter()
        command = [sys.executable, "-m", *stage.command]
        code = subprocess.call(command, cwd=folder, env={**os.environ, **stage.variables})
        results.append((stage.name, code, time.perf_counter() - started))
    print(f"\n{'stage':<30} {'result':<8} seconds")
    for name, code, seconds in results:
        print(f"{name:<30} {'FAILED' if code else 'ok':<8} {seconds:7.1f}")
    print(f"{'all':<39} {sum(seconds for _, _, seconds in results):7.1f}", flush=True)
    return int(any(code for _, code, _ in results))


if __name__ == "__main__":
    sys.exit(run_stages(stages_of(sys.argv[1], sys.argv[2:])))
