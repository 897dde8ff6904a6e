"""What all benchmarks share: processor seconds, peak memory, the machine, files of results."""

from __future__ import annotations

import csv
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from course.machine import peak_memory as peak_gigabytes

Row = dict[str, Any]


def processor_seconds(work: Callable[[], object], repeats: int = 5, warm_up: int = 1) -> float:
    """Return the median of this process's user and system seconds, whatever else is running."""
    for _ in range(warm_up):
        work()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def side_by_side(works: dict[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Measure several pieces of work in turn, round after round: all meet the same noise."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            if turn:  # the first round warms up
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(found) for name, found in seconds.items()}


def peak_memory() -> float:
    """Return the most memory that this process has held so far, in MB."""
    return 1024 * peak_gigabytes()


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
    """Print rows as a table; write them to ``out``.json and ``out``.csv too."""
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
