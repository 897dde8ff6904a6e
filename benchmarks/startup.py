"""Measure how long Python takes to import the package and to show the command line's help.

::

    python -m benchmarks.startup

Each is measured in wall seconds of a new process, in turn. ``python`` is an interpreter that does
nothing; the other times include its time.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Row, report, rounds

COMMANDS = {
    "python": ["-c", "pass"],
    "import msm4sr_lite": ["-c", "import msm4sr_lite"],
    "msm4sr --help": ["-m", "msm4sr_lite", "--help"],
    "msm4sr run --help": ["-m", "msm4sr_lite", "run", "--help"],
}


def wall_seconds(arguments: list[str]) -> float:
    """Return the wall seconds of a new Python process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    args = parser.parse_args()
    works = {name: lambda some=some: wall_seconds(some) for name, some in COMMANDS.items()}
    rows: list[Row] = [
        {"command": name, "seconds": statistics.median(seconds), "longest": max(seconds)}
        for name, seconds in rounds(works, args.repeats).items()
    ]
    report(rows, args.out)


if __name__ == "__main__":
    main()
