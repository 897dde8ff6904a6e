"""Variants of M²SE that a study compares: one component removed, or one setting changed."""

from dataclasses import replace
from typing import Any

from msm4sr_lite.presets import UNISREC
from msm4sr_lite.study.specs import ModelSpec, Settings, Spec, StudyData

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
    "whitened features": changed(features__whitening="pca"),
    "whitened, linear adaptor": ModelSpec(settings=UNISREC | {"features.whitening": "pca"}),
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
