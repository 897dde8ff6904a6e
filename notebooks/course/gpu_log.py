"""Pre-training on a GPU: the stored log of a run, or the same measured where there is a GPU."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course.session import ROOT
from course.style import BLUE, GREEN, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOG = ROOT / "docs" / "results" / "gpu.json"
SIZES = (128, 1024, 8192)  # targets a step, about


def read_gpu_log(stage: str = "pretrain") -> tuple[str, list[dict[str, float]]]:
    """Return in one line what was measured, where and when, and the rows of one stage.

    Returns
    -------
    about, rows
        A row has ``targets`` (of a step), ``float32`` and ``bfloat16`` (seconds of a step) and
        ``peak GB`` (memory of the GPU with float32).
    """
    log = json.loads(LOG.read_text("utf-8"))
    machine, data = log["machine"], log["data"]
    about = (
        f"Stored log of {log['date']}: {machine['gpu']}, torch {machine['torch']},"
        f" {data['items']:,} items, commit {log['commit']}"
    )
    return about, [row for row in log["results"] if row["what"] == stage]


def measure_gpu(device: str = "cuda", quick: bool = False) -> tuple[str, list[dict[str, float]]]:
    """Measure what the stored log holds with this library; about a minute on a GPU."""
    import torch

    from benchmarks.gpu import training

    args, rows = Namespace(device=device, quick=quick), []
    for size in SIZES[:1] if quick else SIZES:
        found = {one: training("pretrain", one, size, args) for one in ("float32", "bfloat16")}
        row: dict[str, Any] = {name: one["seconds a step"] for name, one in found.items()}
        first = found["float32"]
        rows.append({"targets": first["targets"], "peak GB": first["peak MB"] / 1024, **row})
    name = torch.cuda.get_device_name() if device == "cuda" else device
    return f"Measured now: {name}, torch {torch.__version__}", rows


def draw_gpu_log(about: str, rows: Sequence[Mapping[str, float]]) -> tuple[Figure, str]:
    """Draw targets per second and memory against the targets of a step; return figure and alt."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    targets = [row["targets"] for row in rows]
    speeds = {}
    for name, colour, marker, line in (
        ("float32", BLUE, "o", "-"),
        ("bfloat16", VERMILION, "s", "--"),
    ):
        speeds[name] = [row["targets"] / row[name] for row in rows]
        style = {"color": colour, "marker": marker, "linestyle": line}
        left.plot(targets, speeds[name], label=name, **style)
    left.set(title="Large batches use the GPU", ylabel="targets per second", yscale="log")
    right.plot(targets, [row["peak GB"] for row in rows], marker="D", color=GREEN, linestyle="-")
    right.set(title="Memory, float32", ylabel="peak in GB", ylim=(0, None))
    for axes in (left, right):
        axes.set(xlabel="targets in a step", xscale="log")
    left.legend()
    figure.suptitle(about, fontsize=10)
    each = "; ".join(
        f"{row['targets']:,.0f} targets: {a:,.0f} a second in float32, {b:,.0f} in bfloat16,"
        f" {row['peak GB']:.1f} GB"
        for row, a, b in zip(rows, speeds["float32"], speeds["bfloat16"], strict=True)
    )
    return figure, f"{about}. Pre-training, {each}."
