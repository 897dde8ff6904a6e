"""Settings of a study: what is compared, how long models are trained, and with which seeds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from msm4sr_lite.config import (
    STEPS_PER_EPOCH,
    DataConfig,
    FinetuneConfig,
    PretrainConfig,
    UserError,
    fitting_batch,
)
from msm4sr_lite.settings import Settings, setting


@dataclass(frozen=True, kw_only=True)
class TrainingBudget(Settings):
    """Training budget, the same for all models."""

    batch_size: int = setting(
        0,
        f"training targets in one step; 0: {STEPS_PER_EPOCH} steps or more in an epoch",
        "ours",
        ">= 0",
    )
    pretrain_epochs: int = setting(80, "maximum number of epochs of pre-training", "ours", ">= 0")
    finetune_epochs: int = setting(
        60, "maximum number of epochs of every other training", "ours", ">= 0"
    )
    patience: int = setting(
        15, "epochs without a better validation Recall@20 before the stop", "ours", ">= 0"
    )

    def for_targets(self, targets: int) -> TrainingBudget:
        """Return the budget with a batch size chosen for this number of training targets."""
        return replace(self, batch_size=self.batch_size or fitting_batch(targets))

    def settings(self) -> dict[str, Any]:
        """Return the budget as settings of a configuration, ``section.name -> value``."""
        found: dict[str, Any] = {}
        for stage in ("pretrain", "finetune"):
            found[f"{stage}.batch_size"] = self.batch_size
            found[f"{stage}.epochs"] = getattr(self, f"{stage}_epochs")
            found[f"{stage}.patience"] = self.patience
        return found


@dataclass(frozen=True, kw_only=True)
class TransferConfig(Settings):
    """Learning curve of transfer; the same settings for all starting points.

    Attributes
    ----------
    seeds
        Number of seeds; each decides pre-training, the drawn users and fine-tuning.
    shares
        Shares of the target's users. A share of fewer users than ``fewest`` is skipped.
    rates, rates_large
        Learning rates of fine-tuning for small shares and for shares from ``large`` on. If there
        are several, the validation interactions choose.
    """

    seeds: int = 3
    shares: tuple[float, ...] = (0.01, 0.05, 0.2, 1.0)
    fewest: int = setting(10, "smallest number of users of a share", "ours", ">= 1")
    large: float = setting(0.2, "shares from here on are large", "ours", ">= 0")
    rates: tuple[float, ...] = (3e-4, 1e-3)
    rates_large: tuple[float, ...] = (1e-3,)
    batch_size: int = setting(
        64, "training targets in one step; 256 in pre-training on the sources", "ours", ">= 1"
    )
    finetune_epochs: int = setting(60, "maximum number of epochs of fine-tuning", "ours", ">= 0")
    steps: int = setting(800, "maximum number of steps of fine-tuning, about", "ours", ">= 1")
    patience: int = setting(
        10, "epochs without a better validation Recall@20 before the stop", "ours", ">= 0"
    )
    pretrain_epochs: int = setting(60, "maximum number of epochs of pre-training", "ours", ">= 0")

    def finetuning(self, targets: int, share: float) -> list[FinetuneConfig]:
        """Return the settings to try when a share of the users is trained on.

        ``targets`` is the number of training targets of all users.
        """
        seen = max(1.0, share * targets)
        epochs = int(min(self.finetune_epochs, max(2, self.steps * self.batch_size // seen)))
        rates = self.rates if share < self.large else self.rates_large
        base = FinetuneConfig(epochs=epochs, batch_size=self.batch_size, patience=self.patience)
        return [replace(base, lr=rate) for rate in rates]

    def starts(self, share: float) -> tuple[str, ...]:
        """Return the starting points that are compared at a share of the users."""
        both = ("pretrained", "scratch")
        return (*both, "pretrained_on_target") if share < self.large else both

    def pretraining(self) -> PretrainConfig:
        """Return the settings of pre-training on the sources."""
        return PretrainConfig(batch_size=256, epochs=self.pretrain_epochs, patience=self.patience)


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """Settings of ``run_study``.

    Attributes
    ----------
    data
        Filters and split.
    budget
        Training budget of every part but ``transfer``.
    transfer
        Training budget and protocol of ``transfer``; its ``seeds`` are set from ``n_seeds``.
    n_seeds
        Number of test seeds: 1, 2, ... Seed 0 is used to choose the settings.
    jobs
        Trainings at the same time, one process with one thread each.
    models
        Names of models, or of variants in ``ablations``; empty: all that can run.
    quick
        Mark the result as one of a short run with settings that were not tuned.
    configs
        File with chosen settings; None: ``configs.json`` of the study folder.
    sources, target
        Part ``transfer``: domains of the dataset, or folders of other datasets, to pre-train on,
        and the domain to use the model in (empty: the whole dataset).
    clip
        CLIP-like model for the ablation with its raw embeddings; empty: without this ablation.
    unknown_items
        Whether interactions of items that are not listed are an error or dropped, in datasets
        that the study opens itself.
    device
        ``"cpu"`` or ``"cuda"``.
    """

    data: DataConfig = field(default_factory=DataConfig)
    budget: TrainingBudget = field(default_factory=TrainingBudget)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    n_seeds: int = 3
    jobs: int = 1
    models: tuple[str, ...] = ()
    quick: bool = False
    configs: Path | None = None
    sources: tuple[str, ...] = ()
    target: str = ""
    clip: str = ""
    unknown_items: Literal["error", "drop"] = "error"
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, value in (("seeds", self.n_seeds), ("jobs", self.jobs)):
            if value < 1:
                raise UserError(f"{name} must be at least 1; got {value}")

    @property
    def seeds(self) -> list[int]:
        """Test seeds."""
        return list(range(1, 1 + self.n_seeds))


QUICK = StudyConfig(
    quick=True,
    n_seeds=1,
    budget=TrainingBudget(pretrain_epochs=10, finetune_epochs=10),
    transfer=TransferConfig(seeds=1, shares=(0.05, 1.0), finetune_epochs=2, pretrain_epochs=1),
)
