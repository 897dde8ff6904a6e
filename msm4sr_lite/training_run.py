"""The reports of a training (``Record``), and its state for resuming it (``Run``, ``State``)."""

import copy
import math
import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.fast.distributed import mean_over_processes


@dataclass(frozen=True)
class Record:
    """Report of one step or, if ``recall`` is set, of one epoch.

    Attributes
    ----------
    step, epoch
        Counted from 1.
    loss
        Total loss in nats; for an epoch its mean over targets.
    parts
        Unweighted parts of the loss by name, in nats; for an epoch their means over targets.
    targets
        Number of training targets in this step (for an epoch, in the epoch).
    seconds
        Seconds since training began.
    recall
        Validation Recall@20; None for a step.
    best
        Whether this epoch is the best so far.
    """

    step: int
    epoch: int
    loss: float
    parts: dict[str, float] = field(default_factory=dict)
    targets: int = 0
    seconds: float = 0.0
    recall: float | None = None
    best: bool = False


class State(Protocol):
    """Storage for the state of a training, such as ``store.training_files.StateFile``."""

    def restore(self, run: "Run") -> None:
        """Set ``run`` to the saved state, if there is one."""

    def keep(self, run: "Run") -> None:
        """Save ``run`` if enough time has passed since it was last saved."""


@dataclass
class Run:
    """State of a training: weights, optimizer and counters.

    Batches and random numbers depend only on the seed and these counters.
    """

    model: M2SE
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]
    epoch: int = 0  # finished epochs
    done: int = 0  # steps since the last finished epoch
    step: int = 0
    waited: int = 0  # epochs without a better recall
    recall: float = -1.0
    seconds: float = 0.0
    total: float = 0.0  # loss of this epoch, summed over targets
    seen: int = 0  # targets of this epoch
    parts: dict[str, float] = field(default_factory=dict)  # parts of the loss, summed like total
    start: float = 0.0  # clock time at which the seconds began

    def start_clock(self) -> None:
        """Start the clock, so that ``seconds`` continues from its current value."""
        self.start = time.perf_counter() - self.seconds

    def end_step(
        self, loss: Tensor, parts: dict[str, Tensor], n_targets: int, clip_norm: float
    ) -> "Record":
        """Clip the gradient, update the weights, and count the step.

        Raises
        ------
        UserError
            If loss or gradient are not finite; the weights then stay those of the previous step.
        """
        weights = self.optimizer.param_groups[0]["params"]
        norm = nn.utils.clip_grad_norm_(weights, clip_norm or math.inf)
        values = mean_over_processes(torch.stack([loss, *parts.values(), norm]).detach())
        total, *each, length = values.tolist()  # one wait for the device
        named = dict(zip(parts, each, strict=True))
        if not np.isfinite([total, *each, length]).all():
            raise UserError(
                f"training stopped at step {self.step + 1}: the loss is not finite ({named},"
                f" gradient {length}) with learning rate {self.optimizer.param_groups[0]['lr']};"
                f" lower the learning rate or raise the temperature"
            )
        self.optimizer.step()
        self.step, self.done = self.step + 1, self.done + 1
        self.total, self.seen = self.total + total * n_targets, self.seen + n_targets
        for name, part in named.items():
            self.parts[name] = self.parts.get(name, 0.0) + part * n_targets
        return Record(self.step, self.epoch + 1, total, named, n_targets, self._clock())

    def end_epoch(self, recall: float) -> "Record":
        """Keep the weights if they are the best so far (or as good), and begin a new epoch.

        Raises
        ------
        UserError
            If a weight is not finite; the best weights so far are kept.
        """
        mean, seen = self.total / self.seen, self.seen
        parts = {name: part / seen for name, part in self.parts.items()}
        self.epoch, self.done, self.total, self.seen = self.epoch + 1, 0, 0.0, 0
        self.parts = {}
        # Without validation (NaN) every epoch counts as the best: the last weights are kept.
        improved = not recall < self.recall
        self.waited = 0 if improved else self.waited + 1
        if improved:
            for name, weight in self.model.state_dict().items():
                if not weight.isfinite().all():
                    raise UserError(
                        f"training stopped after epoch {self.epoch}: {name} is not finite with"
                        f" learning rate {self.optimizer.param_groups[0]['lr']}; lower it"
                    )
            self.recall, self.best = recall, copy.deepcopy(self.model.state_dict())
        return Record(self.step, self.epoch, mean, parts, seen, self._clock(), recall, improved)

    def _clock(self) -> float:
        self.seconds = time.perf_counter() - self.start
        return self.seconds
