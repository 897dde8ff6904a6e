"""``python -m tests.robustness``: damage inputs, stop commands, count what comes of it."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

from tests.robustness.harness import Case, Runner, cases, run_cases, table  # noqa: E402
from tests.robustness.outcomes import FAULTS, Outcome  # noqa: E402
from tests.robustness.stop_targets import STAGES  # noqa: E402
from tests.robustness.targets import TARGETS  # noqa: E402
from tests.robustness.world import World  # noqa: E402

SHOWN = 40  # faults that are printed


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m tests.robustness", description=__doc__)
    names = [target.name for target in (*TARGETS, *STAGES)]
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"all of: {', '.join(names)}")
    parser.add_argument("--n", type=int, default=750, help="number of cases (default: 750)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all cases (default: 0)")
    parser.add_argument(
        "--case", type=int, help="run this case of one target alone; keep its files"
    )
    parser.add_argument("--jobs", type=int, default=2, help="number of processes (default: 2)")
    args = parser.parse_args()
    if unknown := [name for name in args.targets if name not in names]:
        parser.error(f"no target {unknown[0]!r}")
    return args


def one_case(args: argparse.Namespace, root: Path) -> int:
    """Run one case in this process, print all about it and keep its files."""
    import torch

    torch.set_num_threads(1)
    case = Case(args.targets[0], args.seed, args.case)
    what, outcome = Runner(World(root / "world"), root).run(case)
    text = f"{what}\n{outcome.kind}: {outcome.detail}\nfiles: {root / 'case'}"
    print(text.encode("utf-8", "backslashreplace").decode())
    return int(outcome.kind in FAULTS)


def main() -> int:
    """Run all cases; return 1 if there is a fault."""
    import torch

    torch.set_num_threads(1)
    args, start = parse(), time.perf_counter()
    if args.case is not None:
        root = Path(tempfile.mkdtemp(prefix="robustness-"))
        (root / "world").mkdir()
        return one_case(args, root)
    counts: dict[str, Counter[str]] = {}
    faults = 0
    with tempfile.TemporaryDirectory(prefix="robustness-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        (root / "world").mkdir()
        found = cases(args.n, args.seed, args.targets)
        for case, what, outcome in run_cases(World(root / "world"), root, found, args.jobs):
            counts.setdefault(case.target, Counter())[outcome.kind] += 1
            if outcome.kind in FAULTS:
                faults += 1
                show(case, what, outcome) if faults <= SHOWN else None
    seconds = time.perf_counter() - start
    print(f"\n{table(counts)}\n\n{faults} faults in {len(found)} cases; {seconds:.0f} s")
    return int(bool(faults))


def show(case: Case, what: str, outcome: Outcome) -> None:
    """Print a fault, and the command that repeats it."""
    last = (outcome.detail.strip().splitlines() or [""])[-1]
    text = f"\n{outcome.kind}: {what}\n  {last[:300]}\n  {case.words}"
    print(text.encode("utf-8", "backslashreplace").decode(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
