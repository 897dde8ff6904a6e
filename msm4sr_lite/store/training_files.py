"""Keep the state of a training while it runs, to resume it, and a log of its epochs."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.config import STEPS_PER_EPOCH, TrainConfig, UserError, fitting_batch
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.progress import bar, say
from msm4sr_lite.store.files import write_bytes, write_text

if TYPE_CHECKING:
    from msm4sr_lite.training import Record, Run

COUNTERS = ("epoch", "done", "step", "waited", "recall", "seconds", "total", "seen")


class StateFile:
    """File with the state of a training.

    Weights, best weights and Adam's moments are tensors; the counters are JSON in the header.

    Parameters
    ----------
    path
        The file. It is always replaced as a whole. Of several processes only the first writes.
    every
        Seconds between two writes.
    """

    def __init__(self, path: Path, every: float = 120.0) -> None:
        self.path, self.every, self.kept = path, every, time.perf_counter()
        self.run: Run | None = None

    def keep(self, run: Run) -> None:
        """Write the file if ``every`` seconds have passed since the last write."""
        self.run = run
        if time.perf_counter() - self.kept >= self.every:
            self.write()

    def write(self) -> None:
        """Write the file now."""
        run = self.run
        if run is None or not is_first():
            return
        from safetensors.torch import save

        tensors = run.model.state_dict(prefix="model.")
        tensors |= {f"best.{name}": value for name, value in run.best.items()}
        for index, moments in run.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in moments.items()}
        counters = json.dumps({name: getattr(run, name) for name in COUNTERS})
        write_bytes(self.path, save(tensors, {"counters": counters}))
        self.kept = time.perf_counter()

    def restore(self, run: Run) -> None:
        """Set a training to the state in the file; without a file it starts at the beginning."""
        self.run = run
        if not self.path.is_file():
            return
        from safetensors import SafetensorError, safe_open

        parts: dict[str, dict[str, Any]] = {"model": {}, "best": {}, "adam": {}}
        try:
            with safe_open(self.path, "pt") as file:
                counters = json.loads(file.metadata()["counters"])
                for name in file.keys():  # noqa: SIM118  the file is no dictionary
                    part, rest = name.split(".", 1)
                    parts[part][rest] = file.get_tensor(name)
            run.model.load_state_dict(parts["model"])
            run.best = parts["best"]
            adam = run.optimizer.state_dict()
            for name, value in parts["adam"].items():
                index, moment = name.split(".")
                adam["state"].setdefault(int(index), {})[moment] = value
            run.optimizer.load_state_dict(adam)
            for name in COUNTERS:
                setattr(run, name, counters[name])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise UserError(
                f"{self.path}: not the state of this training ({str(error).splitlines()[0]});"
                f" delete this file to start the training again"
            ) from None


class TrainingLog:
    """Show the progress of a training and log its epochs; pass it to the training as ``callback``.

    Ctrl-C and SIGTERM take effect between two steps: the state is written, then
    ``KeyboardInterrupt`` is raised. A second Ctrl-C stops at once, in the middle of a step. The
    training can then be resumed from the last state that was written, and it continues its log.

    Parameters
    ----------
    name
        Name of the progress bar.
    config
        Settings of this training.
    targets
        Approximate number of training targets per epoch.
    path
        The log file, one JSON object per epoch; None for no file.
    state
        The file that keeps the training's state; None if nothing is kept.
    """

    def __init__(
        self,
        name: str,
        config: TrainConfig,
        targets: int,
        path: Path | None = None,
        state: StateFile | None = None,
    ) -> None:
        self.name, self.config, self.targets = name, config, targets
        self.path, self.state, self.stop_asked = path, state, False
        self.earlier = read_log(path) if path and config.epochs else []
        self.epochs: list[dict[str, Any]] = []
        self._shown: dict[str, str] = {}
        self._sums: dict[str, float] = {}  # of the parts of the loss, in this epoch
        self._seen = 0

    def __enter__(self) -> TrainingLog:
        steps, fitting = -(-self.targets // self.config.batch_size), fitting_batch(self.targets)
        if steps < STEPS_PER_EPOCH and fitting < self.config.batch_size:
            say(
                f"{self.name}: batch_size={self.config.batch_size} gives {steps} steps per epoch;"
                f" a dataset of this size may train better with batch_size={fitting}"
            )
        total = self.config.epochs * self.targets
        self._bar = bar(total=total, name=self.name, unit=" targets", unit_scale=True)
        self._handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._ask_to_stop)
        return self

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self.stop_asked = True
        signal.signal(number, self._handlers[number])  # a second one stops at once

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._bar.close()
        if isinstance(error, RuntimeError) and self.state:  # another process has ended
            self.state.write()

    def __call__(self, record: Record) -> None:
        """Show a step or an epoch; raise ``KeyboardInterrupt`` if a stop was requested."""
        if not self._shown:  # the first record: epochs before it are in the log
            self.epochs = [line for line in self.earlier if line["epoch"] < record.epoch]
            self._bar.update(sum(line["targets"] for line in self.epochs))
        self._shown["epoch"] = f"{record.epoch}/{self.config.epochs}"
        self._shown["loss"] = f"{record.loss:.3f}"
        if record.recall is None:
            self._bar.update(record.targets)
            self._seen += record.targets
            for name, part in record.parts.items():
                self._sums[name] = self._sums.get(name, 0.0) + part * record.targets
        else:
            self._end_epoch(record)
        self._bar.set_postfix(self._shown, refresh=False)
        if self.stop_asked:
            if self.state:
                self.state.write()
            raise KeyboardInterrupt

    def _end_epoch(self, record: Record) -> None:
        recall = None if record.recall != record.recall else record.recall  # NaN: no validation
        self._shown["recall"] = "–" if recall is None else f"{recall:.3f}"
        parts = {name: round(part / self._seen, 6) for name, part in self._sums.items()}
        self.epochs.append(
            {
                "epoch": record.epoch,
                "step": record.step,
                "loss": round(record.loss, 6),
                "parts": parts,
                "recall@20": None if recall is None else round(recall, 6),
                "best": record.best,
                "targets": record.targets,
                "seconds": round(record.seconds, 2),
            }
        )
        if self.path and is_first():
            write_text(self.path, "".join(json.dumps(line) + "\n" for line in self.epochs))
        self._sums, self._seen = {}, 0

    def summary(self) -> dict[str, Any]:
        """Print and return the best epoch, the number of epochs and the seconds.

        The result is empty if there was no epoch.
        """
        # A training that stopped after its last epoch, before the model was saved, adds no epoch.
        epochs = self.epochs or self.earlier
        if not epochs:
            return {}
        best = [line for line in epochs if line["best"]][-1]
        recall = best["recall@20"]
        reached = "" if recall is None else f", validation Recall@20 {recall:.4f}"
        seconds = epochs[-1]["seconds"]
        say(f"{self.name}: best epoch {best['epoch']} of {len(epochs)}{reached}, {seconds:.0f} s")
        return {"best": best, "epochs": len(epochs), "seconds": seconds}


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the epochs in a log file; an empty list if there is no file.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); delete this file") from None
