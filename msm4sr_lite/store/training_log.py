"""What a training tells while it runs: a progress bar, and one JSON line per epoch in a log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.config import STEPS_PER_EPOCH, TrainConfig, fitting_batch
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.progress import bar, say
from msm4sr_lite.store.files import write_text
from msm4sr_lite.store.training_state import StateFile, stoppable

if TYPE_CHECKING:
    from msm4sr_lite.sequences import Sequences
    from msm4sr_lite.training import Record


def follow(
    records: Iterable[Record],
    folder: Path,
    config: TrainConfig,
    sequences: Sequences,
    state: StateFile,
) -> dict[str, Any]:
    """Consume training records: a bar on a terminal, one JSON line per epoch in a log file.

    The log stands beside the model's folder. A training that goes on after a stop goes on in it,
    from the epoch at which its state had been kept. Ctrl-C ends the training between two steps,
    with its state kept.

    Parameters
    ----------
    records
        From ``pretrain`` or ``finetune``.
    folder
        Where the model will be.
    config
        Of this training.
    sequences
        What is trained on: their targets foretell when all epochs will be over.
    state
        Where the training's state is kept.

    Returns
    -------
    summary
        The best epoch, the number of epochs, and the seconds.
    """
    log = folder.with_name(f"{folder.name}_log.jsonl")
    before = read_log(log)
    epochs: list[dict[str, Any]] = []
    told: dict[str, str] = {}
    sums: dict[str, float] = {}  # of the parts of the loss, since the epoch or this command began
    targets, seen = sequences.training_targets(config.targets_per_sequence), 0
    steps, fitting = -(-targets // config.batch_size), fitting_batch(targets)
    if steps < STEPS_PER_EPOCH and fitting < config.batch_size:
        say(
            f"{folder.name}: few steps an epoch, {steps}; a shop of this size may learn more with a"
            f" batch size of {fitting}"
        )
    with bar(
        total=config.epochs * targets, name=folder.name, unit=" targets", unit_scale=True
    ) as progress:
        for record in stoppable(records, state):
            if not epochs and not told:
                epochs = [line for line in before if line["epoch"] < record.epoch]
                progress.update(sum(line["targets"] for line in epochs))
            told["epoch"], told["loss"] = f"{record.epoch}/{config.epochs}", f"{record.loss:.3f}"
            if record.recall is None:
                progress.update(record.targets)
                seen += record.targets
                for name, part in record.parts.items():
                    sums[name] = sums.get(name, 0.0) + part * record.targets
            else:
                told["recall"] = f"{record.recall:.3f}"
                epochs.append(
                    {
                        "epoch": record.epoch,
                        "step": record.step,
                        "loss": round(record.loss, 6),
                        "parts": {name: round(part / seen, 6) for name, part in sums.items()},
                        "recall@20": round(record.recall, 6),
                        "best": record.best,
                        "targets": record.targets,
                        "seconds": round(record.seconds, 2),
                    }
                )
                if is_first():
                    write_text(log, "".join(json.dumps(line) + "\n" for line in epochs))
                sums, seen = {}, 0
            progress.set_postfix(told, refresh=False)
    epochs = epochs or before  # stopped after its last epoch, before the model was written
    best = [line for line in epochs if line["best"]][-1]
    say(
        f"{folder.name}: best epoch {best['epoch']} of {len(epochs)}, validation Recall@20"
        f" {best['recall@20']:.4f}, {epochs[-1]['seconds']:.0f} s"
    )
    return {"best": best, "epochs": len(epochs), "seconds": epochs[-1]["seconds"]}


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the epochs that a log tells of; none if there is no log."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
