"""``msm4sr plot``: draw the training curves of a run folder as one image."""

import argparse
import logging
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from msm4sr_lite.cli import common
from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import check_output_file, write_bytes

STAGES = {"pretrained": "pre-training", "finetuned": "fine-tuning"}
ENDINGS = (".png", ".svg", ".pdf")
NAMES = {
    "nip_text": "NIP, text",
    "nip_image": "NIP, image",
    "cmcl": "CMCL",
    "ranking": "cross-entropy",
}


def run(args: argparse.Namespace) -> None:
    """Draw the training logs of a run folder."""
    from msm4sr_lite.store.training_files import read_log

    out = args.out or args.run_folder / "curves.png"
    check_output_file(out, ENDINGS)
    logs = {stage: read_log(args.run_folder / f"{stage}_log.jsonl") for stage in STAGES}
    logs = {stage: lines for stage, lines in logs.items() if lines}
    if not logs:
        raise UserError(f"{args.run_folder}: no training log in this folder; give a run folder")
    draw(logs, out)
    common.show(args, {"image": str(out), "stages": list(logs)}, [str(out)])


def draw(logs: dict[str, list[dict[str, Any]]], out: Path) -> None:
    """Write an image with a row per stage: losses, validation Recall@20, targets per second."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # says much about folders and fonts
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("plot needs matplotlib: pip install 'msm4sr_lite[course]'") from None
    except ValueError as error:
        raise UserError(f"matplotlib: {error}; correct MPLBACKEND or the matplotlibrc") from None

    image = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc may ask for LaTeX, which may be missing
        figure = Figure(figsize=(12, 3.4 * len(logs)), layout="constrained")
        _draw_rows(figure.subplots(len(logs), 3, squeeze=False), logs)
        figure.savefig(image, format=out.suffix[1:].lower(), dpi=120)
    write_bytes(out, image.getvalue())


def _draw_rows(rows: Any, logs: dict[str, list[dict[str, Any]]]) -> None:
    """Draw the curves of each stage in a row of axes."""
    for (left, middle, right), (stage, lines) in zip(rows, logs.items(), strict=True):
        log = pd.DataFrame(lines).set_index("epoch")
        losses = pd.DataFrame([line.get("parts") or {"loss": line["loss"]} for line in lines])
        losses.set_index(log.index).rename(columns=NAMES).plot(ax=left, marker=".", ylabel="nats")
        left.set_title(f"{STAGES[stage]}: loss")
        recall = log["recall@20"].astype(float)  # NaN without validation
        missing = "" if recall.notna().any() else ": none"
        recall.plot(ax=middle, color="black", marker=".", title=f"validation Recall@20{missing}")
        for best in log.index[log["best"] & recall.notna()][-1:]:
            middle.plot([best], [recall[best]], "D", label=f"best: epoch {best}")
            middle.legend()
        took = log["seconds"].diff().fillna(log["seconds"]).clip(lower=0.01)
        speed = log["targets"] / took
        title = "targets per second, validation included"
        speed.plot(ax=right, color="black", marker=".", title=title)
        middle.set_ylim(0)
        right.set_ylim(0)
