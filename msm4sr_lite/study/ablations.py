"""Variants of M²SE: one component removed, or one setting changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.study.data import StudyData
from msm4sr_lite.study.feature_variants import FewerKeywords, RawClip, TfidfBesideBert, TfidfTexts
from msm4sr_lite.study.models import ModelSpec
from msm4sr_lite.study.trainers import ModelTrainer, Settings

MAIN = ModelTrainer(pretrains=True)


@dataclass(frozen=True)
class OtherFeatures:
    """Train a model on other features; ``table(data)`` makes them once for all seeds."""

    model: ModelTrainer
    table: Callable[[StudyData], FeatureTable]
    tables: dict[str, FeatureTable] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Make the features, train, return the scorer."""
        key = " ".join(data.fingerprints)
        if key not in self.tables:
            self.tables[key] = self.table(data)
        return self.model(replace(data, table=self.tables[key]), settings, seed, states)


def changed(**settings: Any) -> ModelSpec:
    """Return the main model with settings changed; ``__`` in a name stands for a full stop."""
    changes = {name.replace("__", "."): value for name, value in settings.items()}
    return _trained(ModelTrainer(settings=changes, pretrains=True))


def _trained(fit: Callable[..., Scorer], *needs: str) -> ModelSpec:
    return ModelSpec([{}], fit, is_trained=True, needs=needs)


def is_main(spec: ModelSpec, data: StudyData, settings: Settings) -> bool:
    """Return whether a variant with these settings is equal to the main model.

    An example is *no ids* if the chosen settings have none.
    """
    fit = spec.fit
    if not isinstance(fit, ModelTrainer) or replace(fit, settings={}) != MAIN:
        return False
    return fit.config(data, settings) == MAIN.config(data, settings)


def ablations(clip: str = "", *, claims_only: bool = False) -> dict[str, ModelSpec]:
    """Return all variants by name.

    Parameters
    ----------
    clip
        CLIP-like model for the variant with its raw embeddings; empty: without this variant.
    claims_only
        Return only the main model and the variants without a component that the paper adds.
    """
    found = {
        "msm4sr": _trained(MAIN),
        "no pre-training": _trained(ModelTrainer()),
        "no fine-tuning": _trained(ModelTrainer(pretrains=True, finetunes=False)),
        "no mixup": changed(pretrain__mixup_max=0.0),
        "no CMCL": changed(pretrain__cmcl_weight=0.0),
    }
    if clip:
        found["raw CLIP embeddings"] = _trained(OtherFeatures(MAIN, RawClip(clip)))
    if claims_only:
        return found
    found |= {
        "no NIP": changed(pretrain__nip_weight=0.0, pretrain__cmcl_weight=1.0),
        "no images": changed(model__modalities="text"),
        "no text": changed(model__modalities="image"),
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
        "TF-IDF instead of BERT": _trained(OtherFeatures(MAIN, TfidfTexts()), "sklearn"),
        "TF-IDF beside BERT": _trained(OtherFeatures(MAIN, TfidfBesideBert()), "sklearn"),
    }
    for label, values, *settings in (
        ("p_max", (0.25, 1.0), "pretrain__mixup_max"),
        ("lambda", (0.1, 1.0), "pretrain__cmcl_weight"),
        ("experts", (1, 4, 16), "model__experts"),
        ("targets per sequence", (1, 3), "pretrain__targets_per_sequence"),
        ("tau", (0.03, 0.2), "pretrain__temperature", "finetune__temperature"),
    ):
        found |= {f"{label} = {v:g}": changed(**dict.fromkeys(settings, v)) for v in values}
    fewer = {f"N = {n}": OtherFeatures(MAIN, FewerKeywords(n)) for n in (1, 2, 3)}
    return found | {name: _trained(fit) for name, fit in fewer.items()}
