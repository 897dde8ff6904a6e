"""The baselines and models that a study compares, with the settings that each may choose from.

Each has a grid of at most four points, and the same training budget if it is trained. Validation
interactions alone decide which point is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from msm4sr_lite.baselines.sequence_models import SASRec, SummedFeatures
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.study.data import StudyData
from msm4sr_lite.study.trainers import (
    BaselineFitter,
    EnsembleTrainer,
    ModelTrainer,
    Settings,
    WholeDatasetTrainer,
)


@dataclass(frozen=True)
class ModelSpec:
    """A baseline or model of a study.

    Attributes
    ----------
    grid
        The settings to choose from.
    fit
        ``fit(data, settings, seed, states)`` returns the scorer. ``states`` is a folder for
        pre-trained models that several settings start from.
    is_trained
        Whether it is trained, so that its results depend on the seed and the training budget.
    needs
        What it cannot run without, names in ``NEEDS``.
    """

    grid: list[Settings]
    fit: Callable[[StudyData, Settings, int, Path], Scorer]
    is_trained: bool = False
    needs: tuple[str, ...] = ()


def grid(**values: list[Any]) -> list[Settings]:
    """Return every combination; ``__`` in a name stands for a full stop.

    >>> grid(finetune__lr=[0.001], decay=[0.5, 0.8])
    [{'finetune.lr': 0.001, 'decay': 0.5}, {'finetune.lr': 0.001, 'decay': 0.8}]
    """
    names = [name.replace("__", ".") for name in values]
    return [dict(zip(names, point, strict=True)) for point in product(*values.values())]


ENSEMBLE = grid(decay=[0.5, 0.9], weight=[0.5, 1.0])
RULES = grid(decay=[0, 0.5, 0.8, 0.95])
DECAYS = grid(decay=[0.5, 0.8, 0.95, 1.0])
CONTENT = grid(finetune__lr=[1e-3, 3e-4], finetune__use_ids=[True, False])
IDS = grid(finetune__lr=[1e-3, 3e-4], model__hidden_dropout=[0.2, 0.5])
ONE = [Settings()]
NEEDS = {
    "text": "the dataset has no text",
    "image": "the dataset has no image",
    "whole": "the dataset has few further interactions to pre-train on",
    "sklearn": "needs scikit-learn (pip install 'msm4sr_lite[course]')",
}
TFIDF = ("text", "sklearn")


def _trained(
    fit: Callable[..., Scorer], points: list[Settings] = CONTENT, *needs: str
) -> ModelSpec:
    return ModelSpec(points, fit, is_trained=True, needs=needs)


WHOLE = WholeDatasetTrainer(pretrains=True)
TUNED = ModelTrainer(preset="tuned", pretrains=True)
MODELS: dict[str, ModelSpec] = {
    "popularity": ModelSpec(ONE, BaselineFitter("popularity")),
    "item_knn": ModelSpec(grid(decay=[0.5, 0.9], cosine=[False, True]), BaselineFitter("item_knn")),
    "sequential_rules": ModelSpec(RULES, BaselineFitter("sequential_rules")),
    "tfidf_knn": ModelSpec(DECAYS, BaselineFitter("tfidf_knn"), needs=TFIDF),
    "bert_knn": ModelSpec(DECAYS, BaselineFitter("bert_knn"), needs=("text",)),
    "item_knn+tfidf": ModelSpec(ENSEMBLE, BaselineFitter("item_knn+tfidf"), needs=TFIDF),
    # Far from msm4sr_tuned: both start from the same pre-training, and where two train at once the
    # second of two neighbours would wait for the first.
    "item_knn+msm4sr_tuned": _trained(EnsembleTrainer(TUNED), ENSEMBLE),
    "sasrec": _trained(ModelTrainer(SASRec), IDS),
    "text": _trained(ModelTrainer(settings={"model.modalities": "text"}), CONTENT, "text"),
    "image": _trained(ModelTrainer(settings={"model.modalities": "image"}), CONTENT, "image"),
    "text+image": _trained(ModelTrainer(SummedFeatures), CONTENT, "text", "image"),
    "authors": _trained(ModelTrainer(preset="authors", pretrains=True), ONE),
    "msm4sr": _trained(ModelTrainer(pretrains=True)),
    "msm4sr+whole": _trained(WHOLE, CONTENT, "whole"),
    "msm4sr_tuned": _trained(TUNED),
    "msm4sr_tuned+whole": _trained(replace(WHOLE, preset="tuned"), CONTENT, "whole"),
}
SIMPLE = ("popularity", "item_knn", "sequential_rules", "tfidf_knn", "item_knn+tfidf")
QUICK_MODELS = (*SIMPLE, "sasrec", "text+image", "msm4sr")


def missing_needs(spec: ModelSpec, data: StudyData) -> list[str]:
    """Return why a model cannot run on a dataset, in words; empty if it can."""
    has = {
        "text": data.table.text.counts.any(),
        "image": data.table.image.counts.any(),
        "whole": data.whole is not None,
        "sklearn": find_spec("sklearn") is not None,
    }
    return [why for need, why in NEEDS.items() if need in spec.needs and not has[need]]
