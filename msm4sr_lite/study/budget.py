"""How long everything that learns may learn in a study: the same for all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

STEPS = 40  # of an epoch: with many fewer, models of small shops stop before they have learnt


def _knob(default: int, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long everything that learns may learn."""

    batch_size: int = _knob(0, f"training targets in one step; 0: {STEPS} steps an epoch or more")
    pretrain_epochs: int = _knob(80, "passes of pre-training, at most")
    finetune_epochs: int = _knob(60, "passes of every other training, at most")
    patience: int = _knob(15, "epochs without a better validation Recall@20")

    def fitting(self, targets: int) -> Budget:
        """Return the budget for a shop with so many training targets: its batch size is chosen."""
        return replace(self, batch_size=self.batch_size or fitting_batch(targets))

    def settings(self) -> dict[str, Any]:
        """Return it as settings of a configuration, ``part.setting -> value``."""
        return {
            "pretrain.batch_size": self.batch_size,
            "pretrain.epochs": self.pretrain_epochs,
            "pretrain.patience": self.patience,
            "finetune.batch_size": self.batch_size,
            "finetune.epochs": self.finetune_epochs,
            "finetune.patience": self.patience,
        }


def fitting_batch(targets: int) -> int:
    """Return the largest power of two that leaves an epoch ``STEPS`` steps, from 64 to 512.

    >>> [fitting_batch(targets) for targets in (900, 5_800, 12_000, 1_000_000)]
    [64, 128, 256, 512]
    """
    return max(64, min(512, 2 ** (max(1, targets // STEPS).bit_length() - 1)))


QUICK = Budget(pretrain_epochs=10, finetune_epochs=10)
