"""Break the method's code in named ways, one at a time, and see which test notices.

::

    python -m tests.mutate                    # all of them, about an hour on one core
    python -m tests.mutate mixup fast/losses  # some modules
    python -m tests.mutate --jobs 2 --write   # two at once; then write docs/mutations.md, where
                                              # modules that were not asked for keep their rows

Each breakage replaces one piece of source text in a temporary copy of the package; tests run on
that copy until the first failure. Exit status 1 if a breakage goes unnoticed, or if a test fails on
the unbroken copy. The working tree is never touched.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"

# Imported once, for the forks in which the tests run.
import huggingface_hub  # noqa: F401
import hypothesis.strategies  # noqa: F401
import pandas  # noqa: F401
import pytest
import scipy.sparse  # noqa: F401
import torch  # noqa: F401

from tests.mutations import BROKEN, MUTATIONS, ROOT, Mutation

TABLE = ROOT / "docs" / "mutations.md"
NOT_TRIED = "not tried yet on this code"
TOOLS = (
    "We do not use a general tool for mutation testing. cosmic-ray 8.7 makes 1,600 mutants of",
    "seven plain modules and needs 16 s of processor time for each, 7 hours in all. In a sample of",
    "15, three survived, and all three were equivalent (`!= 0` became `> 0`). mutmut 3.8 skips",
    "decorated functions, and the losses are decorated.",
)
SECONDS = 900  # a breakage that makes a test hang is noticed too


# Tests beside those of the module itself: the quickest first.
EVERYWHERE = ["fast/test_plain_equals_fast", "method/test_invariants", "method/test_reference"]
EVERYWHERE += ["method/test_presets", "method/test_training", "method/test_objectives"]
# Modules that other files test as well.
TESTS = {
    "similarity": ["method/test_similarity", "method/test_presets"],
    "scoring": ["method/test_scoring", "fast/test_fast_scoring"],
    "feature_table": ["method/test_scoring", "method/test_encoder"],
    "whitening": ["method/test_whitening", "method/test_initialize"],
    "training_run": ["method/test_training_run", "method/test_training"],
    "fast/objectives": ["fast/test_fast_objectives", "method/test_objectives"],
    "fast/sequences": ["fast/test_fast_sequences", "method/test_sequences"],
    "settings": ["method/test_settings", "method/test_config"],
    "baselines/ensemble": ["baselines/test_ensemble", "pipeline/test_pipeline_ensemble"],
    "baselines/selection": ["baselines/test_selection", "pipeline/test_pipeline_ensemble"],
    "baselines/simple": ["baselines/test_simple"],
    "pipeline/ensemble": ["pipeline/test_pipeline_ensemble"],
}


def files_for(module: str) -> list[str]:
    """Return the tests that should notice a breakage of ``module``, the quickest first."""
    name = module.removeprefix("fast/")
    near = f"fast/test_fast_{name}" if name != module else f"method/test_{module}"
    names = dict.fromkeys([*TESTS.get(module, [near]), *EVERYWHERE])
    return [f"tests/{name}.py" for name in names]


def copy_project(folder: Path, mutation: Mutation | None = None) -> None:
    """Copy what the tests need; break it."""
    unneeded = shutil.ignore_patterns("__pycache__", "*.png", "*.svg")
    for name in ("msm4sr_lite", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=unneeded)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("data_samples", "docs", "notebooks"):
        (folder / name).symlink_to(ROOT / name)
    if mutation:
        path = folder / mutation.path
        broken = mutation.apply(path.read_text(encoding="utf-8"))
        path.write_text(broken, encoding="utf-8", newline="\n")


def run_tests(folder: Path, files: list[str], report: Path) -> None:
    """Run the tests of a copy, in a process of its own; write what pytest says to ``report``."""
    os.chdir(folder)
    sys.path[:0] = [str(folder), str(folder / "notebooks"), str(folder / "tests")]
    with report.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        options = ["-x", "-q", "-rfE", "--tb=no", "-m", "not slow", "-p", "no:cacheprovider"]
        code = pytest.main([*options, "-p", "jaxtyping", *files])
        sys.stdout.flush()
    os._exit(code)


def first_failure(
    files: list[str], mutation: Mutation | None = None, seconds: float | None = SECONDS
) -> str:
    """Run tests on a (broken) copy; return the name of the first that fails, or nothing."""
    with tempfile.TemporaryDirectory(prefix="mutate") as name:
        folder, report = Path(name), Path(name) / "report.txt"
        copy_project(folder, mutation)
        # A fork has torch, pandas and pytest in memory already, which saves most of the time.
        process = multiprocessing.get_context("fork").Process(
            target=run_tests, args=(folder, files, report)
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            return f"none within {seconds} s"
        said = report.read_text(encoding="utf-8")
    if process.exitcode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) tests/(\S+)", said, flags=re.MULTILINE)
    if not found:
        raise RuntimeError(f"pytest did not run: {said}")
    return found.group(1).replace(".py::", ".")


def as_table(caught: dict[Mutation, str | None]) -> str:
    """Return the result as the page ``docs/mutations.md``."""
    unnoticed = sum(test == "" for test in caught.values())
    tried = sum(test is not None for test in caught.values())
    lines = [
        "# What the tests notice",
        "",
        "`python -m tests.mutate --write` makes this page; do not edit it. The command breaks the",
        "code of the method in named ways, one at a time, in a temporary copy. Each row names a",
        "breakage and the first test that fails on it. If you change one of these modules, add",
        "breakages of your change to `tests/mutations.py`.",
        "",
        *TOOLS,
        "",
        f"{len(caught)} breakages, {tried} tried on this code, {unnoticed or 'none'} unnoticed.",
        "",
        "| module | what is broken | first test that fails |",
        "|---|---|---|",
    ]
    lines += [f"| {m.module} | {m.name} | {_cell(test)} |" for m, test in caught.items()]
    return "\n".join(lines) + "\n"


def _cell(test: str | None) -> str:
    if test is None:
        return NOT_TRIED
    return f"`{test}`" if test else "**none**"


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
    if failed := first_failure(files, seconds=None):
        print(f"the unbroken code fails {failed}; repair that first")
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
        whole = {m: caught.get(m, known.get((m.module, m.name))) for m in MUTATIONS}
        TABLE.write_text(as_table(whole), encoding="utf-8", newline="\n")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    raise SystemExit(main())
