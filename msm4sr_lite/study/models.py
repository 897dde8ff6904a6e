"""The baselines and models that a study compares, with a grid of settings for each.

A grid has at most four points, and all trained models have the same training budget. Only
validation interactions decide which point is used.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import torch
from filelock import FileLock

from msm4sr_lite import training
from msm4sr_lite.baselines import BaselineData, SASRec, SummedFeatures, fit_baseline
from msm4sr_lite.baselines.simple import ItemKNN, Probabilities, ScoreEnsemble
from msm4sr_lite.config import Config, DataConfig, as_dict, with_settings
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.sentences import item_texts
from msm4sr_lite.initialize import fit_to_features, new_model, transfer
from msm4sr_lite.pipeline import stages
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.fingerprint import fingerprint

Settings: TypeAlias = dict[str, Any]


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


def grid(**values: list[Any]) -> list[Settings]:
    """Return every combination of the values; ``__`` in a name stands for a full stop.

    >>> grid(finetune__lr=[0.001], decay=[0.5, 0.8])
    [{'finetune.lr': 0.001, 'decay': 0.5}, {'finetune.lr': 0.001, 'decay': 0.8}]
    """
    names = [name.replace("__", ".") for name in values]
    return [dict(zip(names, point, strict=True)) for point in product(*values.values())]


ONE = [Settings()]
RULES = grid(decay=[0, 0.5, 0.8, 0.95])
DECAYS = grid(decay=[0.5, 0.8, 0.95, 1.0])
ENSEMBLE = grid(decay=[0.5, 0.9], weight=[0.5, 1.0])
CONTENT = grid(finetune__lr=[1e-3, 3e-4], finetune__use_ids=[True, False])
IDS = grid(finetune__lr=[1e-3, 3e-4], model__hidden_dropout=[0.2, 0.5])


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
        """Train and return the scorer; pre-trained models are kept in the folder ``states``."""
        config = self.config(data, settings)
        options: dict[str, Any] = {"seed": seed, "device": data.device}
        if self.pretrains:
            first = data.source if self.on_source and data.source else data
            net = pretrained(first, config, states, **options)
        if self.finetunes:
            torch.manual_seed(seed)
            has_ids = config.finetune.use_ids and config.finetune.epochs  # untrained ones are noise
            ids = data.sequences.n_items if has_ids else 0
            inputs = config, data.table, data.sequences, ids, self.build
            net = transfer(net, ids) if self.pretrains else new_model(*inputs)
            training.finetune(net, data.table, data.sequences, config.finetune, **options)
        return ModelScorer(net, data.table, data.device)


@dataclass(frozen=True)
class EnsembleSpec(ModelSpec):
    """Score ensemble of ItemKNN and a model; the model is trained once for all weights."""

    trained: dict[str, Scorer] = field(default_factory=dict, repr=False, compare=False)

    def fit(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Train the model if necessary, fit ItemKNN, and return their ensemble."""
        config = self.config(data, settings)
        made_from = fingerprint([as_dict(config), seed, data.made_from])
        if made_from not in self.trained:
            self.trained.clear()  # memory for one model is enough
            self.trained[made_from] = super().fit(data, settings, seed, states)
        found = Probabilities(self.trained[made_from], config.finetune.temperature)
        return ScoreEnsemble(ItemKNN(data.sequences, settings["decay"]), found, settings["weight"])


def pretrained(
    data: stages.TrainingData, config: Config, states: Path, *, seed: int, device: str
) -> M2SE:
    """Return a pre-trained model; it is loaded from the folder ``states`` if it is there.

    If several processes need the same model, one trains it and the others wait.
    """
    settings = as_dict(config.model), as_dict(config.pretrain), config.features.whitening
    folder = states / fingerprint([*settings, seed, stages.describe_training_data(data)])
    states.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "config.json").is_file():
            torch.manual_seed(seed)
            inputs = data.table, data.sequences
            net = new_model(config, *inputs)
            training.pretrain(net, *inputs, config.pretrain, seed=seed, device=device)
            save_checkpoint(net.cpu(), folder, data.sequences.items, {"seed": seed})
        return load_checkpoint(folder)[0]


TFIDF = ("text", "sklearn")
Spec: TypeAlias = BaselineSpec | ModelSpec
MODELS: dict[str, Spec] = {
    "popularity": BaselineSpec("popularity"),
    "item_knn": BaselineSpec("item_knn", grid(decay=[0.5, 0.9], cosine=[False, True])),
    "sequential_rules": BaselineSpec("sequential_rules", RULES),
    "tfidf_knn": BaselineSpec("tfidf_knn", DECAYS, TFIDF),
    "bert_knn": BaselineSpec("bert_knn", DECAYS, ("text",)),
    "item_knn+tfidf": BaselineSpec("item_knn+tfidf", ENSEMBLE, TFIDF),
    # Not next to msm4sr_tuned: both start from the same pre-training. If neighbours are trained at
    # the same time, the second would wait for the first.
    "item_knn+msm4sr_tuned": EnsembleSpec(ENSEMBLE, "tuned"),
    "sasrec": ModelSpec(IDS, build=SASRec, pretrains=False),
    "text": ModelSpec(settings={"model.modalities": "text"}, pretrains=False, needs=("text",)),
    "image": ModelSpec(settings={"model.modalities": "image"}, pretrains=False, needs=("image",)),
    "text+image": ModelSpec(build=SummedFeatures, pretrains=False, needs=("text", "image")),
    "authors": ModelSpec(ONE, "authors"),
    "msm4sr": ModelSpec(),
    "msm4sr_tuned": ModelSpec(preset="tuned"),
}
QUICK_MODELS = ["popularity", "item_knn", "sequential_rules", "tfidf_knn", "item_knn+tfidf"]
QUICK_MODELS += ["sasrec", "text+image", "msm4sr"]

# Variants of M²SE: one component removed, or one setting changed.
MAIN = ModelSpec()


def changed(needs: tuple[str, ...] = (), **settings: Any) -> ModelSpec:
    """Return the main model with changed settings; ``__`` in a name stands for a full stop."""
    known = {k.replace("__", "."): value for k, value in settings.items()}
    return ModelSpec(settings=known, needs=needs)


BOTH = ("text", "image")  # with one modality, these variants are the main model, or know nothing


CLAIMS = ("msm4sr", "no pre-training", "no fine-tuning", "no mixup", "no CMCL")
ABLATIONS: dict[str, Spec] = {
    "msm4sr": MAIN,
    "no pre-training": ModelSpec(pretrains=False),
    "no fine-tuning": ModelSpec(finetunes=False),
    "no mixup": changed(BOTH, pretrain__mixup_max=0.0),
    "no CMCL": changed(BOTH, pretrain__cmcl_weight=0.0),
    "no NIP": changed(BOTH, pretrain__nip_weight=0.0, pretrain__cmcl_weight=1.0),
    "no images": changed(BOTH, model__modalities="text"),
    "no text": changed(BOTH, model__modalities="image"),
    "no item dropping": changed(pretrain__drop_max=0.0),
    "no ids": changed(finetune__use_ids=False),
    "with ids": changed(finetune__use_ids=True),
    "mean pooling": changed(model__item_pooling="mean"),
    "frozen pooling": changed(model__train_pooling=False),
    "unmasked pooling": changed(model__mask_padding=False),
    "candidates: seen": changed(finetune__candidates="seen"),
    "prefix augmentation": changed(
        pretrain__prefix_augmentation=True, finetune__prefix_augmentation=True
    ),
}
for label, values, *names in (
    ("p_max", (0.25, 1.0), "pretrain__mixup_max"),
    ("lambda", (0.1, 1.0), "pretrain__cmcl_weight"),
    ("experts", (1, 4, 16), "model__experts"),
    ("targets per sequence", (1, 3), "pretrain__targets_per_sequence"),
    ("tau", (0.03, 0.2), "pretrain__temperature", "finetune__temperature"),
):
    needs = BOTH if label == "p_max" else ()
    ABLATIONS |= {f"{label} = {v:g}": changed(needs, **dict.fromkeys(names, v)) for v in values}


def is_main(spec: Spec, data: StudyData, settings: Settings) -> bool:
    """Return whether a variant with these settings is equal to the main model.

    An example is *no ids*, if the chosen settings do not use ids.
    """
    if not isinstance(spec, ModelSpec) or replace(spec, settings={}, needs=()) != MAIN:
        return False
    return spec.config(data, settings) == MAIN.config(data, settings)


def missing_needs(spec: Spec, data: StudyData) -> list[str]:
    """Return the reasons why a model cannot run on a dataset; empty if it can."""
    known = {
        "text": (data.table.text.counts.any(), "the dataset has no text"),
        "image": (data.table.image.counts.any(), "the dataset has no image"),
        "sklearn": (find_spec("sklearn"), 'needs scikit-learn (pip install "msm4sr_lite[course]")'),
    }
    return [why for need, (there, why) in known.items() if need in spec.needs and not there]
