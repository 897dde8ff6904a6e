"""How long everything that learns may learn in a study: the same for all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from msm4sr_lite.config import STEPS_PER_EPOCH, fitting_batch


def _knob(default: int, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long everything that learns may learn."""

    batch_size: int = _knob(
        0, f"training targets in one step; 0: {STEPS_PER_EPOCH} steps an epoch or more"
    )
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


QUICK = Budget(pretrain_epochs=10, finetune_epochs=10)
