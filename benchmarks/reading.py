"""Measure how long a dataset folder of many interactions takes to read, and how much memory.

    python -m benchmarks.reading                       # 10 million interactions in a csv file
    python -m benchmarks.reading --interactions 1000000 --kind parquet --dates

The script writes a synthetic dataset into a temporary folder and reads it with
`Dataset.from_folder` in a new process. The system measures its peak memory (Linux and macOS). With
`--check`, the process is `msm4sr check`, which also counts what is in the dataset.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.synthetic import interaction_arrays

BLOCK = 1_000_000
READ = "import sys; from msm4sr_lite import Dataset; print(Dataset.from_folder(sys.argv[1]))"


def generate(folder: Path, interactions: int, kind: str, dates: bool, n_items: int) -> int:
    """Write a dataset folder with about so many interactions, oldest first; return the number."""
    items, offsets = interaction_arrays(interactions // 13, n_items, 13.0)
    users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    rng = np.random.default_rng(0)
    order = rng.permutation(len(items))
    seconds = 1_500_000_000 + np.sort(rng.integers(0, 200_000_000, len(items)))
    with (folder / "items.jsonl").open("w") as stream:
        for item in range(1, n_items + 1):
            stream.write(
                json.dumps({"item_id": f"i{item:06d}", "title": f"Blue mug {item}"}) + "\n"
            )
    blocks = []
    for start in range(0, len(items), BLOCK):
        rows = order[start : start + BLOCK]
        times = seconds[start : start + BLOCK]
        block = pd.DataFrame(
            {
                "user_id": [f"u{user:07d}" for user in users[rows]],
                "item_id": [f"i{item:06d}" for item in items[rows]],
                "timestamp": np.datetime_as_string(times.astype("M8[s]")) if dates else times,
            }
        )
        if kind == "csv":
            path = folder / "interactions.csv"
            block.to_csv(path, mode="a", header=not start, index=False)
        else:
            blocks.append(block)
    if kind == "parquet":
        pd.concat(blocks).to_parquet(folder / "interactions.parquet")
    return len(items)


def measure(command: list[str]) -> dict[str, float]:
    """Run a command; return its seconds and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--kind", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--dates", action="store_true", help="dates instead of seconds since 1970")
    parser.add_argument("--check", action="store_true", help="run msm4sr check")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        made = generate(Path(scratch), args.interactions, args.kind, args.dates, args.items)
        read = ["-m", "msm4sr_lite", "check"] if args.check else ["-c", READ]
        print(json.dumps({"interactions": made, **measure([sys.executable, *read, scratch])}))


if __name__ == "__main__":
    main()
