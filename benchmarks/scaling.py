"""Measure how a pre-training step grows with catalogue, sequence length and batch.

::

    python -m benchmarks.scaling catalogue --values 20000 200000
    python -m benchmarks.scaling length --values 8 18 40
    python -m benchmarks.scaling batch --values 256 1024 4096
    python -m benchmarks.scaling targets_per_sequence --values 0 1 4

For ``catalogue`` the number of items grows, but all interactions are with the same 10,000 items.
Batches then have equally many distinct items, and only the cost of the catalogue itself grows.
``memory`` is the growth of the process during its steps, in MB.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import synthetic
from benchmarks.measure import Row, peak_memory, report, side_by_side
from benchmarks.training import Steps, library
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE

SEEN = 10_000  # items with interactions


def steps_for(axis: str, value: int, args: argparse.Namespace) -> Steps:
    """Make a dataset and a model of the given size."""
    items = value if axis == "catalogue" else SEEN
    length = float(value) if axis == "length" else args.mean_length
    targets = value if axis == "batch" else args.targets
    sequences = synthetic.sequences(args.users, SEEN, length)
    spread = np.arange(SEEN + 1) * (items // SEEN)  # seen items are spread over the table
    names = ["", *(f"i{item}" for item in range(1, items + 1))]
    sequences = replace(sequences, items=names, interactions=spread[sequences.interactions])
    table = synthetic.table(items, args.text_slots, args.image_slots, args.width)
    torch.manual_seed(0)
    model = M2SE(ModelConfig(feature_dim=args.width))
    most = value if axis == "targets_per_sequence" else 0
    return Steps(library("pretrain", table), model, sequences, targets, targets_per_sequence=most)


def measure(args: argparse.Namespace) -> list[Row]:
    """Return one row per value, all measured in turn."""
    works: dict[str, Any] = {str(v): steps_for(args.axis, v, args) for v in args.values}
    for work in works.values():
        work()
    before = peak_memory()
    seconds = side_by_side(works, args.repeats)
    rows: list[Row] = []
    for name, work in works.items():
        targets = sum(work.targets) / len(work.targets)
        rows.append(
            {
                args.axis: int(name),
                "targets": round(targets),
                "unique": round(sum(work.unique) / len(work.unique)),
                "seconds": seconds[name],
                "targets/s": targets / seconds[name],
                "growth": seconds[name] / seconds[next(iter(works))],
                "memory": round(peak_memory() - before),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("axis", choices=("catalogue", "length", "batch", "targets_per_sequence"))
    parser.add_argument("--values", type=int, nargs="+", required=True)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--mean-length", type=float, default=18.0)
    parser.add_argument("--targets", type=int, default=1024)
    parser.add_argument("--text-slots", type=int, default=2)
    parser.add_argument("--image-slots", type=int, default=1)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    args = parser.parse_args()
    torch.set_num_threads(1)
    report(measure(args), args.out)


if __name__ == "__main__":
    main()
