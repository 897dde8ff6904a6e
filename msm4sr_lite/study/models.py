"""Who takes part in a study: baselines and models, each with the same number of settings to try.

Every contender has a grid of at most four points, and the same budget of epochs where it learns.
Which point it is given is chosen on the validation purchases alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from msm4sr_lite import training
from msm4sr_lite.baselines import (
    ItemKNN,
    Probabilities,
    SASRec,
    ScoreEnsemble,
    SummedFeatures,
    fit_baseline,
)
from msm4sr_lite.config import (
    PRESETS,
    Config,
    ModelConfig,
    UserError,
    as_dict,
)
from msm4sr_lite.encoder import M2SE, transfer
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.study.data import Data, changed

Settings = dict[str, Any]


@dataclass(frozen=True)
class ModelSpec:
    """One that takes part.

    Attributes
    ----------
    grid
        The settings to choose from.
    make
        ``make(data, settings, seed, states)`` returns what can be evaluated. ``states`` is a folder
        in which models that several settings begin from are kept.
    learns
        Whether it depends on the seed.
    needs
        What the shop must have, names in ``NEEDS``.
    """

    grid: list[Settings]
    make: Callable[[Data, Settings, int, Path], Scorer]
    learns: bool = False
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """A contender's ``make`` for all that learns: pre-train, or not; then fine-tune, or not.

    Attributes
    ----------
    build
        The model of a configuration.
    settings
        In which it differs from the preset, ``part.setting -> value``.
    preset
        ``paper``, ``authors`` or ``tuned``.
    pretrains, finetunes
        Which stages it has.
    """

    build: Callable[[ModelConfig], M2SE] = M2SE
    settings: Settings = field(default_factory=dict)
    preset: str = "paper"
    pretrains: bool = False
    finetunes: bool = True

    def config(self, data: Data, settings: Settings) -> Config:
        """Return the preset with the settings given and, over them, the model's own."""
        config = changed(PRESETS[self.preset], {**settings, **self.settings})
        return replace(config, model=replace(config.model, feature_dim=data.table.width))

    def source(self, data: Data) -> Data:
        """Return what is pre-trained on."""
        return data

    def __call__(self, data: Data, settings: Settings, seed: int, states: Path) -> Scorer:
        """Train and return the scorer."""
        config, dataset = self.config(data, settings), (data.table, data.sequences)
        ids = data.sequences.n_items if config.finetune.use_ids and self.finetunes else 0
        options: dict[str, Any] = {"seed": seed, "device": data.device}
        if self.pretrains:
            model = pretrained(self.source(data), config, seed, states)
        if self.finetunes:
            torch.manual_seed(seed)
            full = replace(config.model, n_items=ids)
            model = transfer(model, ids) if self.pretrains else self.build(full)
            training.finetune(model, *dataset, config.finetune, **options)
        return ModelScorer(model, data.table, data.device)


class OnWholeDataset(Model):
    """Pre-trained on all that the shop has, fine-tuned on what is compared on."""

    def source(self, data: Data) -> Data:
        """Return the whole shop."""
        if data.whole is None:
            raise UserError("there is nothing to pre-train on besides the purchases compared on")
        return data.whole


@dataclass(frozen=True)
class WithCounts:
    """Item-to-item counts and a model added, as ``item_knn+tfidf`` adds counts and texts.

    The model is trained once for all weights of the sum.
    """

    model: Model
    trained: dict[str, Scorer] = field(default_factory=dict, repr=False, compare=False)

    def config(self, data: Data, settings: Settings) -> Config:
        """Return the model's configuration."""
        return self.model.config(data, as_settings(settings))

    def __call__(self, data: Data, settings: Settings, seed: int, states: Path) -> Scorer:
        """Train, unless that has been done, count, return both added."""
        config = self.config(data, settings)
        made_from = fingerprint([as_dict(config), seed, data.facts])
        if made_from not in self.trained:
            self.trained.clear()  # one model at a time is enough
            self.trained[made_from] = self.model(data, as_settings(settings), seed, states)
        found = Probabilities(self.trained[made_from], config.finetune.temperature)
        counts = ItemKNN(data.sequences, settings.get("decay", 0.8))
        return ScoreEnsemble(counts, found, settings.get("weight", 1.0))


def as_settings(settings: Settings) -> Settings:
    """Return those that belong to a configuration, ``part.setting``."""
    return {name: value for name, value in settings.items() if "." in name}


def pretrained(data: Data, config: Config, seed: int, states: Path) -> M2SE:
    """Return a pre-trained model, from ``states`` if it has been made before.

    Another process that needs the same one waits until it is there.
    """
    parts = [as_dict(config.model), as_dict(config.pretrain), seed, data.facts]
    folder = states / fingerprint(parts)
    states.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if (folder / "config.json").is_file():
            return load_checkpoint(folder)[0]
        torch.manual_seed(seed)
        model = M2SE(config.model)
        options: dict[str, Any] = {"seed": seed, "device": data.device}
        training.pretrain(model, data.table, data.sequences, config.pretrain, **options)
        save_checkpoint(model.cpu(), folder, data.sequences.items, {"seed": seed})
        return model


def grid(**values: list[Any]) -> list[Settings]:
    """Return every combination; ``__`` in a name stands for a full stop.

    >>> grid(finetune__lr=[0.001], decay=[0.5, 0.8])
    [{'finetune.lr': 0.001, 'decay': 0.5}, {'finetune.lr': 0.001, 'decay': 0.8}]
    """
    names = [name.replace("__", ".") for name in values]
    return [dict(zip(names, point, strict=True)) for point in product(*values.values())]


@dataclass(frozen=True)
class Fitted:
    """The ``make`` of a baseline that learns nothing."""

    name: str

    def __call__(self, data: Data, settings: Settings, seed: int, states: Path) -> Scorer:
        """Fit and return the scorer."""
        return fit_baseline(self.name, data.baseline_data, **settings)


SUM = grid(decay=[0.5, 0.9], weight=[0.5, 1.0])
DECAYS = grid(decay=[0.5, 0.8, 0.95, 1.0])
CONTENT = grid(finetune__lr=[1e-3, 3e-4], finetune__use_ids=[True, False])
IDS = grid(finetune__lr=[1e-3, 3e-4], model__hidden_dropout=[0.2, 0.5])
BOTH = ("text", "image")
NEEDS = {
    "text": "text",
    "image": "image",
    "whole": "purchases to speak of besides those compared on",
}

MODELS: dict[str, ModelSpec] = {
    "popularity": ModelSpec([{}], Fitted("popularity")),
    "item_knn": ModelSpec(grid(decay=[0.5, 0.9], cosine=[False, True]), Fitted("item_knn")),
    "sequential_rules": ModelSpec(grid(decay=[0, 0.5, 0.8, 0.95]), Fitted("sequential_rules")),
    "tfidf_knn": ModelSpec(DECAYS, Fitted("tfidf_knn"), needs=("text",)),
    "bert_knn": ModelSpec(DECAYS, Fitted("bert_knn"), needs=("text",)),
    "item_knn+tfidf": ModelSpec(SUM, Fitted("item_knn+tfidf"), needs=("text",)),
    # Far from msm4sr_tuned: both begin from the same pre-training, and where two train at once the
    # second of two neighbours would wait for the first.
    "item_knn+msm4sr_tuned": ModelSpec(
        SUM, WithCounts(Model(preset="tuned", pretrains=True)), learns=True
    ),
    "sasrec": ModelSpec(IDS, Model(SASRec), learns=True),
    "text": ModelSpec(CONTENT, Model(settings={"model.modalities": "text"}), True, ("text",)),
    "image": ModelSpec(CONTENT, Model(settings={"model.modalities": "image"}), True, ("image",)),
    "text+image": ModelSpec(CONTENT, Model(SummedFeatures), True, BOTH),
    "authors": ModelSpec([{}], Model(preset="authors", pretrains=True), True),
    "msm4sr": ModelSpec(CONTENT, Model(pretrains=True), True),
    "msm4sr+shop": ModelSpec(CONTENT, OnWholeDataset(pretrains=True), True, ("whole",)),
    "msm4sr_tuned": ModelSpec(CONTENT, Model(preset="tuned", pretrains=True), True),
    "msm4sr_tuned+shop": ModelSpec(
        CONTENT, OnWholeDataset(preset="tuned", pretrains=True), True, ("whole",)
    ),
}


def able(data: Data, names: list[str]) -> Iterator[str]:
    """Yield the contenders for which the shop has what they need."""
    for name in names:
        if all(has(data, what) for what in MODELS[name].needs):
            yield name


def has(data: Data, what: str) -> bool:
    """Return whether the shop has something, a name in ``NEEDS``."""
    if what == "whole":
        return data.whole is not None
    return bool(getattr(data.table, what).counts.any())
