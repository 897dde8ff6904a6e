"""What a command tells while it works. It goes to stderr; stdout is for results."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm


def say(text: str) -> None:
    """Print a line without breaking a progress bar."""
    tqdm.write(text, file=sys.stderr)


def bar(steps: Iterable[Any], name: str, unit: str) -> Iterable[Any]:
    """Return ``steps`` with a progress bar, which shows on terminals only."""
    return tqdm(steps, desc=name, unit=unit, file=sys.stderr, disable=None)


def follow(records: Iterable[Any], name: str, log: Path, epochs: int) -> dict[str, Any]:
    """Consume training records: a bar on a terminal, one JSON line per epoch in ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    best: dict[str, Any] = {}
    with (
        log.open("w", encoding="utf-8", newline="\n") as stream,
        tqdm(total=epochs, desc=name, unit="epoch", file=sys.stderr, disable=None) as progress,
    ):
        for record in records:
            if record.recall is None:
                continue
            line = {
                "epoch": record.epoch,
                "step": record.step,
                "loss": round(record.loss, 6),
                "recall@20": round(record.recall, 6),
                "targets": record.targets,
                "seconds": round(record.seconds, 2),
            }
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            best = line if record.best else best
            progress.set_postfix(
                loss=f"{record.loss:.3f}",
                recall=f"{record.recall:.3f}",
                best=f"{best['recall@20']:.3f}",
            )
            progress.update()
    say(
        f"{name}: best epoch {best['epoch']} of {line['epoch']}, validation Recall@20"
        f" {best['recall@20']:.4f}, {line['seconds']:.0f} s"
    )
    return {"best": best, "epochs": line["epoch"], "seconds": line["seconds"]}
