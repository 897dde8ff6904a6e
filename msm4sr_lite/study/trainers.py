"""How each compared model is fitted: baselines, models trained here, and ensembles of both.

Each is a function ``fit(data, settings, seed, states)`` that returns a ``Scorer``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from msm4sr_lite import training
from msm4sr_lite.baselines import fit_baseline
from msm4sr_lite.baselines.simple import ItemKNN, Probabilities, ScoreEnsemble
from msm4sr_lite.config import PRESETS, Config, ModelConfig, UserError, as_dict, with_settings
from msm4sr_lite.encoder import M2SE, transfer
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.study.data import StudyData
from msm4sr_lite.study.transfer import pretrained_on

Settings = dict[str, Any]


@dataclass(frozen=True)
class BaselineFitter:
    """Fit a baseline of ``BASELINES``, which needs no training."""

    name: str

    def __call__(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Fit and return the scorer."""
        return fit_baseline(self.name, data.baseline_data, **settings)


@dataclass(frozen=True)
class ModelTrainer:
    """Pre-train a model, or not; then fine-tune it, or not.

    Attributes
    ----------
    build
        Makes an untrained model of a configuration.
    settings
        Settings that differ from the preset, ``section.name -> value``.
    preset
        ``paper``, ``authors`` or ``tuned``.
    pretrains, finetunes
        The stages it has.
    """

    build: Callable[[ModelConfig], M2SE] = M2SE
    settings: Settings = field(default_factory=dict)
    preset: str = "paper"
    pretrains: bool = False
    finetunes: bool = True

    def config(self, data: StudyData, settings: Settings) -> Config:
        """Return the preset with the settings given and, over them, this trainer's settings."""
        config = with_settings(PRESETS[self.preset], {**settings, **self.settings})
        return replace(config, model=replace(config.model, feature_dim=data.table.width))

    def pretraining_data(self, data: StudyData) -> StudyData:
        """Return what is pre-trained on."""
        return data

    def __call__(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Train and return the scorer."""
        config = self.config(data, settings)
        n_items = data.sequences.n_items if config.finetune.use_ids and self.finetunes else 0
        options: dict[str, Any] = {"seed": seed, "device": data.device}
        if self.pretrains:
            model = pretrained(self.pretraining_data(data), config, seed, states)
        if self.finetunes:
            torch.manual_seed(seed)
            full = replace(config.model, n_items=n_items)
            model = transfer(model, n_items) if self.pretrains else self.build(full)
            training.finetune(model, data.table, data.sequences, config.finetune, **options)
        return ModelScorer(model, data.table, data.device)


class WholeDatasetTrainer(ModelTrainer):
    """Pre-train on the whole dataset, fine-tune on the part that is compared on."""

    def pretraining_data(self, data: StudyData) -> StudyData:
        """Return the whole dataset."""
        if data.whole is None:
            raise UserError("the dataset has no further interactions to pre-train on")
        return data.whole


@dataclass(frozen=True)
class EnsembleTrainer:
    """Score ensemble of ItemKNN and a trained model.

    The model is trained once for all weights of the ensemble.
    """

    model: ModelTrainer
    trained: dict[str, Scorer] = field(default_factory=dict, repr=False, compare=False)

    def config(self, data: StudyData, settings: Settings) -> Config:
        """Return the model's configuration."""
        return self.model.config(data, model_settings(settings))

    def __call__(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Train the model unless that is done, fit ItemKNN, return their ensemble."""
        config = self.config(data, settings)
        made_from = fingerprint([as_dict(config), seed, data.fingerprints])
        if made_from not in self.trained:
            self.trained.clear()  # memory for one model is enough
            self.trained[made_from] = self.model(data, model_settings(settings), seed, states)
        found = Probabilities(self.trained[made_from], config.finetune.temperature)
        item_knn = ItemKNN(data.sequences, settings.get("decay", 0.8))
        return ScoreEnsemble(item_knn, found, settings.get("weight", 1.0))


def model_settings(settings: Settings) -> Settings:
    """Return those that belong to a configuration, named ``section.name``."""
    return {name: value for name, value in settings.items() if "." in name}


def pretrained(data: StudyData, config: Config, seed: int, states: Path) -> M2SE:
    """Return a pre-trained model, from the folder ``states`` if it has been trained before.

    Another process that needs the same model waits until it is there.
    """
    made_from = [as_dict(config.model), as_dict(config.pretrain), seed, data.fingerprints]
    folder = states / fingerprint(made_from)
    states.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if (folder / "config.json").is_file():
            return load_checkpoint(folder)[0]
        options: dict[str, Any] = {"seed": seed, "device": data.device}
        domains = [(data.table, data.sequences)]
        model = pretrained_on(domains, config.model, config.pretrain, **options)
        save_checkpoint(model.cpu(), folder, data.sequences.items, {"seed": seed})
        return model
