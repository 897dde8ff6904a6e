"""Settings of a study: data, models, training budget and seeds."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import BATCH, MANY, STEPS, DataConfig
from msm4sr_lite.presets import STEPS_PER_EPOCH, fitting_batch
from msm4sr_lite.settings import Settings, UserError, in_one_line, setting

STEP = f"training targets in one step; 0: {STEPS_PER_EPOCH} steps or more in an epoch"
PRETRAINING = "maximum number of epochs of pre-training; 0: skip it"
TRAINING = "maximum number of epochs of every other training"
PATIENCE = "epochs to wait for a better validation Recall@20"


@dataclass(frozen=True, kw_only=True)
class TrainingBudget(Settings):
    """The training budget, which is the same for all models."""

    batch_size: int = setting(0, STEP, "ours", f">= 0 and {BATCH}")
    pretrain_epochs: int = setting(80, PRETRAINING, "ours", STEPS)
    finetune_epochs: int = setting(60, TRAINING, "ours", MANY)  # 0: untrained baselines
    patience: int = setting(15, PATIENCE, "ours", STEPS)

    def for_targets(self, targets: int) -> "TrainingBudget":
        """Return the budget with a batch size chosen for this number of training targets."""
        return replace(self, batch_size=self.batch_size or fitting_batch(targets))

    def settings(self) -> dict[str, Any]:
        """Return the budget as settings of a configuration, ``section.name -> value``."""
        return {
            "pretrain.batch_size": self.batch_size,
            "pretrain.epochs": self.pretrain_epochs,
            "pretrain.patience": self.patience,
            "finetune.batch_size": self.batch_size,
            "finetune.epochs": self.finetune_epochs,
            "finetune.patience": self.patience,
        }


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Settings):
    """Settings of ``run_study``.

    Attributes
    ----------
    data
        Filters and split.
    budget
        Training budget of all models.
    n_seeds
        Number of test seeds: 1, 2, ... Seed 0 is used to choose the settings.
    jobs
        Number of trainings at the same time, each in a process with one thread.
    models
        Names of models, or of variants in ``ablations``; empty: all that can run.
    quick
        Mark the result as that of a short study with settings that were not tuned.
    configs
        File with chosen settings; None: ``configs.json`` of the study folder.
    sources, target
        Part ``transfer``: domains of the dataset, or folders of other datasets, to pre-train on,
        and the domain to evaluate the model in (empty: the whole dataset).
    unknown_items
        Whether interactions with unlisted items are an error or dropped, in the datasets that the
        study opens itself.
    columns
        Renames of the columns of the dataset; see ``Dataset.from_folder``.
    device
        ``"cpu"`` or ``"cuda"``.
    """

    data: DataConfig = field(default_factory=DataConfig)
    budget: TrainingBudget = field(default_factory=TrainingBudget)
    n_seeds: int = setting(3, "number of test seeds", "ours", ARGUMENTS["n_seeds"].limits)
    jobs: int = setting(1, "number of trainings at the same time", "ours", ARGUMENTS["jobs"].limits)
    models: tuple[str, ...] = ()
    quick: bool = setting(False, "mark the result as that of a short study", "ours")
    configs: Path | None = None
    sources: tuple[str, ...] = ()
    target: str = setting("", "domain to evaluate the model in; empty: all", "ours")
    unknown_items: Literal["error", "drop"] = setting(
        "error", "what to do with interactions of unlisted items", "ours"
    )
    columns: dict[str, str] = field(default_factory=dict)
    device: Literal["cpu", "cuda"] = setting("cpu", "device to compute on", "ours")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("models", "sources"):
            value = getattr(self, name)
            if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
                raise UserError(f"{name} must be a list of names; got {in_one_line(value)}")
            object.__setattr__(self, name, tuple(value))
        self.data.require_effect()

    @property
    def seeds(self) -> list[int]:
        """Test seeds."""
        return list(range(1, 1 + self.n_seeds))


SHORT = TrainingBudget(pretrain_epochs=10, finetune_epochs=10)
QUICK = StudyConfig(quick=True, n_seeds=1, budget=SHORT)
