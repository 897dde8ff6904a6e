"""How a study fits baselines, trained models and ensembles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import torch
from filelock import FileLock

from msm4sr_lite import training
from msm4sr_lite.baselines import BaselineData, fit_baseline
from msm4sr_lite.baselines.ensemble import Probabilities, ScoreEnsemble
from msm4sr_lite.baselines.selection import choose_weights, validation_cases
from msm4sr_lite.baselines.simple import Settings, grid
from msm4sr_lite.config import Config, DataConfig, as_dict, with_settings
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.sentences import item_texts
from msm4sr_lite.initialize import fit_to_features, new_model, transfer
from msm4sr_lite.pipeline import stages
from msm4sr_lite.pipeline.ensemble import fit_ensemble
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.fingerprint import fingerprint

ONE = [Settings()]
CONTENT = grid(finetune__lr=[1e-3, 3e-4], finetune__use_ids=[True, False])


@dataclass(frozen=True)
class StudyData(stages.TrainingData):
    """The data of all models of a study: the same split and the same features.

    Attributes
    ----------
    dataset
        The dataset, with the texts of items and the oracles of a simulated dataset.
    device
        ``cpu`` or ``cuda``.
    source
        Other data that models can be pre-trained on.
    """

    dataset: Dataset
    device: str = "cpu"
    source: stages.TrainingData | None = None

    @cached_property
    def made_from(self) -> list[dict[str, Any]]:
        """Fingerprints of the sequences and features, on which all results depend."""
        return [stages.describe_training_data(one) for one in (self, self.source) if one]

    @cached_property
    def baseline_data(self) -> BaselineData:
        """The data that baselines are fitted on."""
        texts = item_texts(self.dataset.items, self.sequences.items)
        return BaselineData(self.sequences, self.table, texts)


def prepare(
    dataset: Dataset, table: FeatureTable, config: DataConfig, device: str = "cpu"
) -> StudyData:
    """Filter and split a dataset, and put its features into the order of the items."""
    found = stages.prepare_training_data(dataset, table, config)
    return StudyData(found.sequences, found.table, dataset, device)


@dataclass(frozen=True)
class BaselineSpec:
    """A baseline of ``BASELINES``, which needs no training.

    Attributes
    ----------
    name
        Name in ``BASELINES``.
    grid
        The settings to choose from.
    needs
        Requirements: ``text``, ``image`` or ``sklearn``.
    """

    is_trained: ClassVar[bool] = False

    name: str
    grid: list[Settings] = field(default_factory=lambda: ONE, repr=False)
    needs: tuple[str, ...] = ()

    def fit(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Fit and return the scorer."""
        return fit_baseline(self.name, data.baseline_data, **settings)


@dataclass(frozen=True)
class ModelSpec:
    """A model that is pre-trained, fine-tuned, or both.

    Attributes
    ----------
    grid, needs
        As in ``BaselineSpec``.
    preset
        ``paper``, ``authors`` or ``tuned``.
    settings
        Settings that differ from the preset, ``section.name -> value``.
    build
        The class of a model without pre-training.
    pretrains, finetunes
        Whether the model is pre-trained, and whether it is fine-tuned.
    on_source
        Whether it is pre-trained on ``data.source``.
    """

    grid: list[Settings] = field(default_factory=lambda: CONTENT, repr=False, compare=False)
    preset: str = "paper"
    settings: Settings = field(default_factory=dict)
    build: type[M2SE] = M2SE
    pretrains: bool = True
    finetunes: bool = True
    on_source: bool = False
    needs: tuple[str, ...] = ()

    @property
    def is_trained(self) -> bool:
        """Whether results depend on the seed and the training budget."""
        return self.pretrains or self.finetunes

    def config(self, data: StudyData, settings: Settings) -> Config:
        """Return the preset with the settings given; this model's own settings take precedence."""
        given = {name: value for name, value in settings.items() if "." in name}
        config = with_settings(PRESETS[self.preset], {**given, **self.settings})
        return replace(config, model=fit_to_features(config, data.table))

    def fit(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Train and return the scorer; trained models are kept in the folder ``states``."""
        config = self.config(data, settings)
        options: dict[str, Any] = {"seed": seed, "device": data.device}
        if self.pretrains:
            first = data.source if self.on_source and data.source else data
            net = pretrained(first, config, states, **options)

        def finetuned() -> M2SE:
            torch.manual_seed(seed)
            has_ids = config.finetune.use_ids and config.finetune.epochs  # untrained ones are noise
            ids = data.sequences.n_items if has_ids else 0
            inputs = config, data.table, data.sequences, ids, self.build
            model = transfer(net, ids) if self.pretrains else new_model(*inputs)
            training.finetune(model, data.table, data.sequences, config.finetune, **options)
            return model

        if self.finetunes:
            how = [self.build.__name__, self.pretrains, self.on_source, as_dict(config), seed]
            made_from = [*how, data.made_from]
            net = kept(states, made_from, data.sequences.items, finetuned, self.build)
        return ModelScorer(net, data.table, data.device)


@dataclass(frozen=True)
class EnsembleSpec(ModelSpec):
    """Score ensemble of baselines and models, with weights chosen on validation.

    Each point of a baseline's grid is a part of its own, since the best partner is not the best
    recommender. The settings are those of the trained parts.

    Attributes
    ----------
    parts
        Name -> baseline or model.
    """

    parts: dict[str, BaselineSpec | ModelSpec] = field(default_factory=dict)

    @property
    def is_trained(self) -> bool:
        """Whether a part depends on the seed and the training budget."""
        return any(part.is_trained for part in self.parts.values())

    def fit(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Fit all parts and choose their weights."""
        scorers: dict[str, Scorer] = {}
        for name, part in self.parts.items():
            for number, point in enumerate([settings] if part.is_trained else part.grid):
                scorer = part.fit(data, point, seed, states)
                if isinstance(part, ModelSpec):
                    scorer = Probabilities(scorer, part.config(data, point).finetune.temperature)
                scorers[f"{name} {number}"] = scorer
        return ScoreEnsemble(
            scorers, choose_weights(scorers, *validation_cases(data.sequences)).weights
        )


@dataclass(frozen=True)
class ProductSpec(ModelSpec):
    """A model with the ensemble that ``MSM4SR(ensemble="auto")`` makes of it."""

    def fit(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Train the model and the parts, and choose their weights."""
        model: Any = super().fit(data, settings, seed, states)
        config = self.config(data, settings)
        stage = stages.Stage(seed=seed, device=data.device)
        found = fit_ensemble(stage, data, model.model, config)
        seen = data.sequences.item_counts() > 0
        return found.scorer(model, data.table, seen, config.finetune.temperature)


def pretrained(
    data: stages.TrainingData, config: Config, states: Path, *, seed: int, device: str
) -> M2SE:
    """Return a pre-trained model, which is kept in the folder ``states``."""

    def make() -> M2SE:
        torch.manual_seed(seed)
        inputs = data.table, data.sequences
        net = new_model(config, *inputs)
        training.pretrain(net, *inputs, config.pretrain, seed=seed, device=device)
        return net

    settings = as_dict(config.model), as_dict(config.pretrain), config.features.whitening
    made_from = [*settings, seed, stages.describe_training_data(data)]
    return kept(states, made_from, data.sequences.items, make)


def kept(
    states: Path,
    made_from: Sequence[Any],
    items: list[str],
    make: Callable[[], M2SE],
    kind: type[M2SE] = M2SE,
) -> M2SE:
    """Return a trained model; it is loaded from the folder ``states`` if it is there.

    If several processes need the same model, one trains it and the others wait.
    """
    folder = states / fingerprint(made_from)
    states.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "config.json").is_file():
            save_checkpoint(make().cpu(), folder, items, {})
        return load_checkpoint(folder, kind)[0]


Spec: TypeAlias = BaselineSpec | ModelSpec
