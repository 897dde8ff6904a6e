"""The state of a training in one safetensors file, so that a stopped training resumes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.config import UserError
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.store.files import write_bytes

if TYPE_CHECKING:
    from msm4sr_lite.training import Run

COUNTERS = ("epoch", "done", "step", "waited", "recall", "seconds", "total", "seen")


class StateFile:
    """Weights, best weights, Adam's moments as tensors; the counters as JSON in the header.

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
        try:
            write_bytes(self.path, save(tensors, {"counters": counters}))
        except OSError as error:
            kept = "; the state before it is kept" if self.path.is_file() else ""
            raise UserError(
                f"{self.path}: cannot be written ({error.strerror}){kept}; make room or choose"
                f" another run folder, then run again: it resumes"
            ) from None
        self.kept = time.perf_counter()

    def restore(self, run: Run) -> None:
        """Set a training to the state in the file; without a file it starts from the beginning."""
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
                f" delete it to begin again"
            ) from None
