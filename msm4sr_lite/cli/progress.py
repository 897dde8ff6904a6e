"""What a command tells while it works. It goes to stderr; stdout is for results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from msm4sr_lite.config import TrainConfig, write_text

if TYPE_CHECKING:
    from msm4sr_lite.training import Record


def say(text: str) -> None:
    """Print a line without breaking a progress bar."""
    tqdm.write(text, file=sys.stderr)


def bar(steps: Iterable[Any], name: str, unit: str) -> Iterable[Any]:
    """Return ``steps`` with a progress bar, which shows on terminals only."""
    return tqdm(steps, desc=name, unit=unit, file=sys.stderr, disable=None)


@contextmanager
def counter(total: int, name: str, unit: str) -> Iterator[Callable[[int], object]]:
    """Give a function that is told how many more are done: a bar with rate and time left.

    It shows on terminals only.
    """
    with tqdm(total=total, desc=name, unit=unit, file=sys.stderr, disable=None) as progress:
        yield progress.update


def follow(records: Iterable[Record], folder: Path, config: TrainConfig) -> dict[str, Any]:
    """Consume training records: a bar on a terminal, one JSON line per epoch in a log file.

    The log stands beside the model's folder. A training that goes on after a stop goes on in it,
    from the epoch at which its state had been kept.

    Returns
    -------
    summary
        The best epoch, the number of epochs, and the seconds.
    """
    log = folder.with_name(f"{folder.name}_log.jsonl")
    before = _read_lines(log)
    epochs: list[dict[str, Any]] = []
    with tqdm(
        total=config.epochs, desc=folder.name, unit="epoch", file=sys.stderr, disable=None
    ) as progress:
        for record in records:
            if record.recall is None:
                continue
            if not epochs:
                epochs = [line for line in before if line["epoch"] < record.epoch]
                progress.update(len(epochs))
            epochs.append(
                {
                    "epoch": record.epoch,
                    "step": record.step,
                    "loss": round(record.loss, 6),
                    "recall@20": round(record.recall, 6),
                    "best": record.best,
                    "targets": record.targets,
                    "seconds": round(record.seconds, 2),
                }
            )
            write_text(log, "".join(json.dumps(line) + "\n" for line in epochs))
            progress.set_postfix(loss=f"{record.loss:.3f}", recall=f"{record.recall:.3f}")
            progress.update()
    epochs = epochs or before  # stopped after its last epoch, before the model was written
    best = [line for line in epochs if line["best"]][-1]
    say(
        f"{folder.name}: best epoch {best['epoch']} of {len(epochs)}, validation Recall@20"
        f" {best['recall@20']:.4f}, {epochs[-1]['seconds']:.0f} s"
    )
    return {"best": best, "epochs": len(epochs), "seconds": epochs[-1]["seconds"]}


def _read_lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
