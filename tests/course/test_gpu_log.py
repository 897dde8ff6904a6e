"""The stored log of a GPU is that of the performance page; a GPU is measured in the same way."""

from __future__ import annotations

import re
from typing import Any

import matplotlib.pyplot as plt
import pytest
from course.gpu_log import LOG, draw_gpu_log, measure_gpu, read_gpu_log
from course.session import ROOT

ROW = re.compile(
    r"^\| (pre-training|fine-tuning), ([\d,]+) \| ([\d.]+) \| ([\d,]+) \| ([\d.]+) GB"
    r" \| ([\d.]+) \|$",
    re.M,
)


def test_the_log_and_the_table_of_the_performance_page_agree() -> None:
    page = (ROOT / "docs" / "performance.md").read_text("utf-8")
    stages = {"pre-training": "pretrain", "fine-tuning": "finetune"}
    table = {stage: [] for stage in stages.values()}  # type: dict[str, list[tuple[float, ...]]]
    for stage, *numbers in ROW.findall(page):
        table[stages[stage]].append(tuple(float(one.replace(",", "")) for one in numbers))
    for stage, rows in table.items():
        about, found = read_gpu_log(stage)
        keys = ("targets", "float32", "targets/s", "peak GB", "bfloat16")
        assert rows == [tuple(row[key] for key in keys) for row in found]
        assert len(rows) == 3
    caption = page.partition("`python -m benchmarks.gpu --out gpu.json`, wall")[2][:400]
    for fact in ("NVIDIA H200", "torch 2.11.0", "2026-11-27", "20,000"):
        assert fact in caption
        assert fact in about
    assert '"width": 768' in LOG.read_text("utf-8")


def test_the_speed_of_a_row_is_its_targets_by_its_seconds() -> None:
    for stage in ("pretrain", "finetune"):
        for row in read_gpu_log(stage)[1]:
            assert row["targets"] / row["float32"] == pytest.approx(row["targets/s"], rel=0.03)


def test_the_figure_says_what_it_shows() -> None:
    figure, alt = draw_gpu_log("A log", [{"targets": 100, "float32": 0.5, "bfloat16": 0.25,
                                          "peak GB": 1.25}])  # fmt: skip
    plt.close(figure)
    assert alt == (
        "A log. Pre-training, 100 targets: 200 a second in float32, 400 in bfloat16, 1.2 GB."
    )


def test_a_gpu_is_measured_by_the_benchmark_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def training(stage: str, precision: str, targets: int, args: Any) -> dict[str, Any]:
        calls.append((stage, precision, targets, args.device, args.quick))
        return {"targets": targets + 1, "seconds a step": len(calls) / 10, "peak MB": 512.0}

    monkeypatch.setattr("benchmarks.gpu.training", training)
    about, rows = measure_gpu("cpu", quick=True)
    assert calls == [("pretrain", one, 128, "cpu", True) for one in ("float32", "bfloat16")]
    assert rows == [{"targets": 129, "peak GB": 0.5, "float32": 0.1, "bfloat16": 0.2}]
    assert about.startswith("Measured now: cpu, torch ")
    assert len(measure_gpu("cpu")[1]) == 3
