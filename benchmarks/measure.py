"""Functions that all benchmarks share: processor seconds, peak memory, machine, result files."""

from __future__ import annotations

import csv
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

Row = dict[str, Any]


def timed(work: Callable[[], object]) -> float:
    """Run ``work``; return the user and system seconds of this process alone."""
    start = time.process_time()
    work()
    return time.process_time() - start


def rounds(works: dict[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Measure several functions in turn, round after round, so that noise affects all alike.

    Each function returns its seconds. The first round is a warm-up and is not counted. Every second
    round is in reverse order.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name in list(works)[:: 1 if turn % 2 else -1]:
            found = works[name]()
            if turn:
                seconds[name].append(found)
    return seconds


def side_by_side(works: dict[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Return the median processor seconds of several functions, measured in ``rounds``."""
    found = rounds({name: partial(timed, work) for name, work in works.items()}, repeats)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def paired_ratio(
    reference: Sequence[float], seconds: Sequence[float]
) -> tuple[float, float, float]:
    """Return the speed relative to a reference: median, lowest and highest over the rounds.

    >>> paired_ratio([2.0, 3.0, 4.0], [2.0, 2.0, 2.0])
    (1.5, 1.0, 2.0)
    """
    ratios = [before / now for before, now in zip(reference, seconds, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def peak_memory() -> float:
    """Return the peak memory of this process so far, in MB."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return float(psutil.Process().memory_info().peak_wset / 2**20)
    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def machine() -> Row:
    """Describe the machine without naming it."""
    return {
        "processor": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "torch": torch.__version__,
    }


def report(rows: Sequence[Row], out: Path | None) -> None:
    """Print rows as a table, and write them to ``out``.json and ``out``.csv."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_short(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        record = {"machine": machine(), "rows": list(rows)}
        out.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        with out.with_suffix(".csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, names)
            writer.writeheader()
            writer.writerows(rows)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
