"""``msm4sr plot``: the training curves of a run folder as one image."""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path
from typing import Any

from msm4sr_lite.cli import common
from msm4sr_lite.config import UserError

STAGES = {"pretrained": "pre-training", "finetuned": "fine-tuning"}
NAMES = {
    "nip_text": "NIP, text",
    "nip_image": "NIP, image",
    "cmcl": "CMCL",
    "ranking": "cross-entropy",
}


def run(args: argparse.Namespace) -> None:
    """Draw the training logs that are in the run folder."""
    from msm4sr_lite.store.training_files import read_log

    logs = {stage: read_log(args.run_folder / f"{stage}_log.jsonl") for stage in STAGES}
    logs = {stage: lines for stage, lines in logs.items() if lines}
    if not logs:
        raise UserError(
            f"{args.run_folder}: no training log in this folder; give the --out folder of"
            f" `msm4sr run`, `pretrain` or `finetune`"
        )
    out = args.out or args.run_folder / "curves.png"
    draw(logs, out)
    if args.json:
        common.print_json({"image": str(out), "stages": list(logs)})
    else:
        print(out)


def draw(logs: dict[str, list[dict[str, Any]]], out: Path) -> None:
    """Write a PNG with a row per stage: losses, validation Recall@20, targets per second."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("plot needs matplotlib: pip install 'msm4sr_lite[course]'") from None
    from msm4sr_lite.store.files import write_bytes

    figure = Figure(figsize=(12, 3.4 * len(logs)), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(logs), 3, squeeze=False)
    for axes, (stage, lines) in zip(rows, logs.items(), strict=True):
        epochs = [line["epoch"] for line in lines]
        for mark, name in zip("osv^", lines[0].get("parts") or ["loss"], strict=False):
            values = [line.get("parts", line)[name] for line in lines]
            axes[0].plot(epochs, values, marker=mark, markersize=3, label=NAMES.get(name, name))
        axes[0].set(title=f"{STAGES[stage]}: loss", ylabel="nats")
        axes[0].legend()
        recall = [line["recall@20"] for line in lines]
        axes[1].plot(epochs, recall, color="black")
        best = max(i for i, line in enumerate(lines) if line["best"])
        axes[1].plot(epochs[best], recall[best], "D", label=f"best: epoch {epochs[best]}")
        axes[1].set(title="validation Recall@20", ylim=(0, None))
        axes[1].legend()
        seconds = [line["seconds"] for line in lines]
        took = [after - before for before, after in zip([0.0, *seconds], seconds, strict=False)]
        speed = [line["targets"] / max(time, 0.01) for line, time in zip(lines, took, strict=True)]
        axes[2].plot(epochs, speed, color="black")
        axes[2].set(title="targets per second, validation included", ylim=(0, None))
        for axis in axes:
            axis.set_xlabel("epoch")
    image = BytesIO()
    figure.savefig(image, format="png", dpi=120)
    write_bytes(out, image.getvalue())
