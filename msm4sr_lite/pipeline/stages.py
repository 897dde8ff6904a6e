"""Run the two training stages in a run folder, where they can be resumed, or in memory.

A stage writes its folder whole or not at all, with a record of its inputs. If the inputs have not
changed, the stage is loaded instead of trained again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from msm4sr_lite import training
from msm4sr_lite.config import (
    Config,
    DataConfig,
    FinetuneConfig,
    TrainConfig,
    UserError,
    as_dict,
)
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import build_sequences, describe_parts
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.initialize import new_model, transfer
from msm4sr_lite.printable import with_first
from msm4sr_lite.progress import say
from msm4sr_lite.sequences import Part, Sequences
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.fingerprint import fingerprint, fingerprint_sequences, fingerprint_weights
from msm4sr_lite.store.records import is_finished, read_record
from msm4sr_lite.store.run_folder import in_run_folder
from msm4sr_lite.store.training_files import StateFile, TrainingLog
from msm4sr_lite.training import Record

Callback = Callable[[Record], object]
PART_NAMES: dict[Part, str] = {"valid": "validation", "test": "test"}  # as printed


@dataclass(frozen=True)
class TrainingData:
    """The data that a model is trained on.

    Attributes
    ----------
    sequences
        The users' item sequences, and which of their interactions are held out.
    table
        Features; entry i belongs to item number i of ``sequences``.
    """

    sequences: Sequences
    table: FeatureTable


def prepare_training_data(
    dataset: Dataset, table: FeatureTable, config: DataConfig, *, hold_out: bool = True
) -> TrainingData:
    """Filter and split the interactions, and put the features into the order of the items.

    Items with neither text nor image embeddings are left out, with their interactions.
    ``hold_out`` as in ``build_sequences``.

    Raises
    ------
    UserError
        If an item of the dataset is not in the feature table, or no user is left.
    """
    if missing := sorted(set(dataset.items) - set(table.items)):
        what = f"items of {dataset.name} without features: {with_first(missing)}"
        raise UserError(f"{what}; compute keywords and features again")
    described = set(table.described())
    # Without any feature, models of item ids can still be trained.
    items = [item for item in dataset.items if item in described or not described]
    if left_out := len(dataset.items) - len(items):
        say(f"note: items without a usable text or image: {left_out}, dropped with interactions")
    sequences = build_sequences(dataset.interactions, items, config, hold_out=hold_out)
    if hold_out and config.split == "time":
        for part, name in PART_NAMES.items():
            if not len(sequences.cases(part)[0]):
                raise UserError(
                    f"split=time: no {name} case is left ({describe_parts(sequences)}); users need"
                    f" earlier interactions: lower min_user_interactions, or set other dates"
                )
    return TrainingData(sequences, table.for_items(sequences.items))


@dataclass(frozen=True)
class Stage:
    """Options of a training stage, and methods that run it.

    Attributes
    ----------
    seed
        Fixes initial weights, order of batches, augmentation and dropout.
    device
        ``cpu`` or ``cuda``.
    run_dir
        Run folder; None trains in memory, which cannot be resumed.
    callback
        Is called with the record of every step and epoch.
    record
        Further entries for the record in the model folder.
    summaries
        Filled with the best epoch, the number of epochs and the seconds of each stage.
    """

    seed: int = 0
    device: str = "cpu"
    run_dir: Path | None = None
    callback: Callback | None = None
    record: dict[str, Any] = field(default_factory=dict)
    summaries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def pretrain(self, data: TrainingData, config: Config) -> M2SE:
        """Pre-train a new model with NIP and CMCL; write ``run_dir/pretrained``."""
        made_from = {
            **describe_training_data(data),
            "model": as_dict(config.model),
            "whitening": config.features.whitening,
            "pretrain": as_dict(config.pretrain),
            "seed": self.seed,
        }
        build = partial(new_model, config, data.table, data.sequences)
        return self._run("pretrained", training.pretrain, build, data, config.pretrain, made_from)

    def finetune(self, data: TrainingData, pretrained: M2SE, config: FinetuneConfig) -> M2SE:
        """Fine-tune a copy of ``pretrained``, with item ids; write ``run_dir/finetuned``."""
        made_from = {
            **describe_training_data(data),
            "pretrained": fingerprint_weights(pretrained),
            "finetune": as_dict(config),
            "seed": self.seed,
        }
        # Without an epoch, ID embeddings would only be random numbers.
        ids = data.sequences.n_items if config.use_ids and config.epochs else 0
        build = partial(transfer, pretrained, ids)
        return self._run("finetuned", training.finetune, build, data, config, made_from)

    def from_scratch(self, data: TrainingData, config: Config, kind: type[M2SE]) -> M2SE:
        """Train a new model of this class without pre-training; write ``run_dir/finetuned``."""
        # SASRec embeds nothing but ids.
        ids = data.sequences.n_items if config.finetune.use_ids or kind is not M2SE else 0
        made_from = {
            **describe_training_data(data),
            "settings": [
                as_dict(part) for part in (config.model, config.features, config.finetune)
            ],
            "kind": kind.__name__,
            "seed": self.seed,
        }
        build = partial(new_model, config, data.table, data.sequences, ids, kind)
        run = partial(self._run, "finetuned", training.finetune, build, data, config.finetune)
        return run(made_from, kind)

    def best_epochs(self) -> dict[str, int]:
        """Return the best number of epochs of each stage that has run, as settings."""
        names = {"pretrained": "pretrain.epochs", "finetuned": "finetune.epochs"}
        return {
            names[stage]: summary["best"]["epoch"] if summary else 0
            for stage, summary in self.summaries.items()
        }

    @in_run_folder(lambda stage, *_: stage.run_dir)
    def _run(
        self,
        name: str,
        train: Callable[..., list[Record]],
        build: Callable[[], M2SE],
        data: TrainingData,
        config: TrainConfig,
        made_from: dict[str, Any],
        kind: type[M2SE] = M2SE,
    ) -> M2SE:
        folder = self.run_dir / name if self.run_dir else None
        if folder and is_finished(folder, made_from):
            model = load_checkpoint(folder, kind)[0]
            self.summaries[name] = read_record(folder).get("training", {})
            remove_states(folder)
            return model.to(self.device)
        torch.manual_seed(self.seed)
        model = build()
        state = log_file = None
        if folder:
            log_file = folder.with_name(f"{name}_log.jsonl")
            state = StateFile(folder.with_name(f"{name}.{fingerprint(made_from)}.state"))
        skipped = "" if config.epochs else "; skipped, since epochs=0"
        say(f"{name}: {describe_parts(data.sequences)}{skipped}")
        targets = data.sequences.training_targets(config.targets_per_sequence)
        with TrainingLog(name, config, targets, log_file, state) as log:

            def follow(record: Record) -> None:
                log(record)
                if self.callback:
                    self.callback(record)

            options = {"seed": self.seed, "device": self.device, "state": state}
            train(model, data.table, data.sequences, config, **options, callback=follow)
        self.summaries[name] = log.summary()
        if folder and state and is_first():
            state.write()  # if the model cannot be saved, nothing must be trained again
            record = {
                "made_from": fingerprint(made_from),
                "settings": made_from,
                "training": self.summaries[name],
                "item_counts": data.sequences.item_counts()[1:].tolist(),
                **self.record,
            }
            if "config" in record:  # the sizes of a model that was pre-trained elsewhere
                record["config"] = {**record["config"], "model": as_dict(model.config)}
            save_checkpoint(model, folder, data.sequences.items, record)
            remove_states(folder)
        return model.eval()


def remove_states(folder: Path) -> None:
    """Remove the states of a finished stage: that of its training and of abandoned ones."""
    for left in folder.parent.glob(f"{folder.name}.*.state"):
        left.unlink(missing_ok=True)


def describe_training_data(data: TrainingData) -> dict[str, Any]:
    """Return fingerprints of the sequences and features, and the text encoder of the features."""
    manifest = data.table.manifest
    return {
        "sequences": fingerprint_sequences(data.sequences),
        "features": manifest.get("content", ""),
        "text_encoder": manifest.get("text_encoder", {}),
    }
