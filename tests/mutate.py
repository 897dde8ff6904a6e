"""Break the code in named ways, one at a time, and see which test notices.

::

    python -m tests.mutate                 # all of them, about ten minutes on one core
    python -m tests.mutate mixup losses    # some modules
    python -m tests.mutate --jobs 2 --write   # two at once; then write docs/mutations.md, where
                                           # modules that were not asked for keep their rows

Each breakage replaces one piece of source text in a temporary copy of the package; the quick tests
run on that copy until the first failure. Exit status 1 if a breakage goes unnoticed, or if a test
fails on the unbroken copy. The working tree is never touched.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutations import BROKEN, MUTATIONS, ROOT, Mutation

TABLE = ROOT / "docs" / "mutations.md"
OWN_TESTS = {  # of what is in a folder; the others are in one file, named like the folder
    "study/baselines": "evaluation",
    "study/cold_start": "cold_start",
    "study/protocol": "protocol",
    "study/transfer": "transfer",
    "study/transfer_curve": "transfer",
    "study/whole_dataset": "whole_shop",
}
SECONDS = 300  # a breakage that makes a test hang is noticed too


def files_for(module: str) -> list[str]:
    """Return the tests that should notice a breakage of ``module``, the quickest first."""
    if "/" in module:
        return [f"tests/test_{OWN_TESTS.get(module, module.partition('/')[0])}.py"]
    names = [module, "invariants", "reference", "presets", "objectives", "planted"]
    return [f"tests/test_{name}.py" for name in dict.fromkeys(names)]


def copy_project(folder: Path, mutation: Mutation | None = None) -> None:
    """Copy what the tests need; break it."""
    unneeded = shutil.ignore_patterns("__pycache__", "*.png", "*.svg")
    for name in ("msm4sr_lite", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=unneeded)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("data_samples", "docs"):
        (folder / name).symlink_to(ROOT / name)
    if mutation:
        path = folder / mutation.path
        broken = mutation.apply(path.read_text(encoding="utf-8"))
        path.write_text(broken, encoding="utf-8", newline="\n")


def first_failure(files: list[str], mutation: Mutation | None = None) -> str:
    """Run tests on a (broken) copy; return the name of the first that fails, or nothing."""
    with tempfile.TemporaryDirectory(prefix="mutate") as folder:
        copy_project(Path(folder), mutation)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=no", *files]
        command += ["-p", "no:cacheprovider", "-p", "jaxtyping"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        # The plugins of the whole suite take longer to import than most breakages to be noticed.
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        try:
            result = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                timeout=SECONDS,
                capture_output=True,
                text=True,
            )
        except subprocess.TimeoutExpired:
            return f"none within {SECONDS} s"
    if result.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) tests/(\S+)", result.stdout, flags=re.MULTILINE)
    if not found:
        raise RuntimeError(f"pytest did not run: {result.stdout}{result.stderr}")
    return found.group(1).replace(".py::", ".")


def as_table(caught: dict[Mutation, str]) -> str:
    """Return the result as the page ``docs/mutations.md``."""
    unnoticed = sum(not test for test in caught.values())
    lines = [
        "# What the tests notice",
        "",
        "Made by `python -m tests.mutate --write`; do not edit. Each row is one breakage of the",
        "code in a temporary copy, and the first test that fails on it. A test suite is worth what",
        "it notices, so a change of these modules brings rows of its own in `tests/mutations.py`.",
        "",
        f"{len(caught)} breakages, {unnoticed or 'none'} unnoticed.",
        "",
        "| module | what is broken | first test that fails |",
        "|---|---|---|",
    ]
    lines += [
        f"| {m.module} | {m.name} | {f'`{test}`' if test else '**none**'} |"
        for m, test in caught.items()
    ]
    return "\n".join(lines) + "\n"


def written(page: str) -> dict[tuple[str, str], str]:
    """Return what docs/mutations.md says of each breakage."""
    rows = re.findall(r"^\| ([\w/]+) \| (.+?) \| `(.+)` \|$", page, flags=re.MULTILINE)
    return {(module, name): test for module, name, test in rows}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("modules", nargs="*", help=f"some of {', '.join(BROKEN)}; default: all")
    parser.add_argument("--jobs", type=int, default=1, help="breakages tested at once")
    parser.add_argument("--write", action="store_true", help="write docs/mutations.md")
    args = parser.parse_args()
    chosen = [m for m in MUTATIONS if m.module in (args.modules or BROKEN)]
    files = list(dict.fromkeys(file for m in chosen for file in files_for(m.module)))
    if failed := first_failure(files):
        print(f"the unbroken code fails {failed}; mend that first")
        return 1
    caught: dict[Mutation, str] = {}
    with ThreadPoolExecutor(args.jobs) as pool:
        results = pool.map(lambda m: first_failure(files_for(m.module), m), chosen)
        for mutation, test in zip(chosen, results, strict=True):
            caught[mutation] = test
            print(f"{mutation.module:<18} {mutation.name:<66} {test or 'UNNOTICED'}", flush=True)
    unnoticed = [m for m, test in caught.items() if not test]
    print(f"{len(caught)} breakages, {len(unnoticed)} unnoticed")
    if args.write:
        known = written(TABLE.read_text(encoding="utf-8")) if args.modules else {}
        whole = {m: caught.get(m, known.get((m.module, m.name), "")) for m in MUTATIONS}
        TABLE.write_text(as_table(whole), encoding="utf-8", newline="\n")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    raise SystemExit(main())
