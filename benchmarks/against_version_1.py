"""Compare the speed of this checkout and version 1: training steps and evaluation, in one run.

::

    python -m benchmarks.against_version_1                    # a few minutes, on an idle machine
    python -m benchmarks.against_version_1 --items 400 --users 1200 --width 384   # a small dataset

Both versions do the same work on the same generated data. Each has its own process with one thread,
and they take turns, round after round. A step covers everything from drawing the batch to the
optimizer. Evaluation includes the item embeddings, ranks and intervals. ``ratio`` is version 1's
processor seconds divided by this checkout's in the same round: median, lowest, highest. The exit
code is 1 if a median is below ``--least``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks.measure import Row, paired_ratio, report, rounds
from benchmarks.versions import NAMES, ROOT, Version, unpack_version_1

WORKS = ("pre-training", "fine-tuning, exact", "fine-tuning, sampled", "evaluation")


def measure(versions: list[Version], works: list[str], repeats: int) -> list[Row]:
    """Return one row for each piece of work."""
    rows: list[Row] = []
    for work in works:
        asked = {version.name: partial(version.ask, "seconds", work=work) for version in versions}
        seconds = rounds(asked, repeats)
        median, low, high = paired_ratio(*(seconds[name] for name in NAMES))
        medians = {name: statistics.median(seconds[name]) for name in NAMES}
        rows.append({"work": work, **medians, "ratio": median, "low": low, "high": high})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--mean-length", type=float, default=18.0)
    parser.add_argument("--text-slots", type=int, default=10)
    parser.add_argument("--image-slots", type=int, default=1)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--batch-size", type=int, default=1024, help="targets per step")
    parser.add_argument("--steps", type=int, default=2, help="training steps timed together")
    parser.add_argument("--cases", type=int, default=2048, help="test cases of the evaluation")
    parser.add_argument("--negatives", type=int, default=1000, help="sampled negatives")
    parser.add_argument("--repeats", type=int, default=15, help="number of rounds")
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--least", type=float, default=0.95, help="lowest median ratio allowed")
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    args = parser.parse_args()
    torch.set_num_threads(1)
    sizes = {name: value for name, value in vars(args).items() if isinstance(value, int | float)}
    with tempfile.TemporaryDirectory() as scratch:
        folders = unpack_version_1(Path(scratch)), ROOT
        versions = [Version(*pair) for pair in zip(NAMES, folders, strict=True)]
        for version in versions:
            version.ask("prepare", sizes=sizes, n_negatives=args.negatives)
        rows = measure(versions, args.works, args.repeats)
        for version in versions:
            version.close()
    report(rows, args.out)
    return int(any(row["ratio"] < args.least for row in rows))


if __name__ == "__main__":
    sys.exit(main())
