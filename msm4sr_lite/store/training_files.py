"""Keep the state of a training while it runs, to resume it, and a log of its epochs."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from msm4sr_lite.config import TrainConfig, UserError
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.presets import STEPS_PER_EPOCH, fitting_batch
from msm4sr_lite.printable import counted
from msm4sr_lite.progress import bar, say
from msm4sr_lite.store.checkpoints import check_like, require_finite
from msm4sr_lite.store.checksums import reading
from msm4sr_lite.store.files import write_bytes, write_text
from msm4sr_lite.store.schemas import LogLine, parse_json

if TYPE_CHECKING:
    from msm4sr_lite.training import Record, Run

SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
REMEDY = "delete this file to start the training again"


# What is kept of a training besides tensors and the log; see ``Run``.
COUNTERS = ("epoch", "done", "step", "waited", "recall", "seconds", "total", "seen", "parts")


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
        self.log: list[dict[str, Any]] = []  # a line for each finished epoch; see TrainingLog

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
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        counters = json.dumps({name: getattr(run, name) for name in COUNTERS} | {"log": self.log})
        checksum = checksum_of(tensors, counters)
        write_bytes(self.path, save(tensors, {"counters": counters, "checksum": checksum}))
        self.kept = time.perf_counter()

    def restore(self, run: Run) -> None:
        """Set a training to the state in the file; without a file it starts at the beginning."""
        self.run = run
        if not self.path.exists():
            return
        tensors, counters = read_state(self.path)
        parts: dict[str, dict[str, Any]] = {"model": {}, "best": {}, "adam": {}}
        for name, tensor in tensors.items():
            part, rest = name.split(".", 1)
            parts[part][rest] = tensor
        adam = run.optimizer.state_dict()
        for name, value in parts["adam"].items():
            index, moment = name.split(".")
            adam["state"].setdefault(int(index), {})[moment] = value
        try:
            check_like(run.model.state_dict(), parts["model"])
            run.optimizer.load_state_dict(adam)
            for name in COUNTERS:
                setattr(run, name, counters[name])
            self.log[:] = counters["log"]
        except (ValueError, LookupError) as error:
            raise UserError(f"{self.path}: of another training ({error}); {REMEDY}") from None
        run.model.load_state_dict(parts["model"])
        run.best = parts["best"]


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the counters of a state file.

    Raises
    ------
    UserError
        If the file cannot be read or has changed since it was written.
    """
    from safetensors import safe_open

    with reading(path, REMEDY), safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        counters = metadata.get("counters", "")
        if metadata.get("checksum") != checksum_of(tensors, counters):
            raise ValueError("it has changed since it was written")
        require_finite(tensors, f"{path} ({REMEDY})")
    return tensors, json.loads(counters)


def checksum_of(tensors: Mapping[str, Tensor], counters: str) -> str:
    """Return the SHA-256 of all tensors and of the counters."""
    digest = hashlib.sha256(counters.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {[*tensor.shape]}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


class TrainingLog:
    """Show the progress of a training and log its epochs; pass it to the training as ``callback``.

    Ctrl-C, SIGTERM and SIGHUP take effect between two steps: the state is written, then
    ``KeyboardInterrupt`` is raised with the signal's number. A second Ctrl-C stops at once, in the
    middle of a step.

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
        self.path, self.state, self.stop_asked = path, state, 0
        self.epochs = state.log if state else []
        self._shown: dict[str, str] = {}

    def __enter__(self) -> TrainingLog:
        steps, fitting = -(-self.targets // self.config.batch_size), fitting_batch(self.targets)
        if self.config.epochs and steps < STEPS_PER_EPOCH and fitting < self.config.batch_size:
            say(
                f"{self.name}: batch_size={self.config.batch_size}: {counted(steps, 'step')} per"
                f" epoch; a dataset of this size may train better with batch_size={fitting}"
            )
        total = self.config.epochs * self.targets
        self._bar = bar(total=total, name=self.name, unit=" targets", unit_scale=True)
        self._handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                    self._handlers[number] = signal.signal(number, self._ask_to_stop)
        return self

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self.stop_asked = number
        signal.signal(number, self._handlers[number])  # a second one stops at once

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        try:  # a signal must not come in between: torchrun sends one when a process has ended
            if isinstance(error, RuntimeError) and self.state:
                self.state.write()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._bar.close()

    def __call__(self, record: Record) -> None:
        """Show a step or an epoch; raise ``KeyboardInterrupt`` if a stop was requested."""
        if not self._shown:  # the first record: the state held the epochs before it
            self._bar.update(sum(line["targets"] for line in self.epochs))
        self._shown["epoch"] = f"{record.epoch}/{self.config.epochs}"
        self._shown["loss"] = f"{record.loss:.3f}"
        if record.recall is None:
            self._bar.update(record.targets)
        else:
            self._end_epoch(record)
        self._bar.set_postfix(self._shown, refresh=False)
        if self.stop_asked:
            if self.state:
                self.state.write()
            raise KeyboardInterrupt(self.stop_asked)

    def _end_epoch(self, record: Record) -> None:
        recall = None if record.recall != record.recall else record.recall  # NaN: no validation
        self._shown["recall"] = "–" if recall is None else f"{recall:.3f}"
        self.epochs.append(
            {
                "epoch": record.epoch,
                "step": record.step,
                "loss": round(record.loss, 6),
                "parts": {name: round(part, 6) for name, part in record.parts.items()},
                "recall@20": None if recall is None else round(recall, 6),
                "best": record.best,
                "targets": record.targets,
                "seconds": round(record.seconds, 2),
            }
        )
        if self.path and is_first():
            write_text(self.path, "".join(json.dumps(line) + "\n" for line in self.epochs))

    def summary(self) -> dict[str, Any]:
        """Print and return the best epoch, number of epochs and seconds; nothing if no epoch."""
        if not (epochs := self.epochs):
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
    if not path.exists():
        return []
    with reading(path, "delete this file"):
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [parse_json(line, LogLine) for line in lines]
        if [line["epoch"] for line in found] != [*range(1, len(found) + 1)]:
            raise ValueError("the epochs are not numbered 1, 2, ...")
        return found
