"""Presets, which are complete settings, and a batch size that fits the data."""

from typing import Any

from msm4sr_lite.config import Config, FinetuneConfig, ModelConfig, PretrainConfig

# With far fewer steps per epoch, early stopping ends training on small datasets too soon.
STEPS_PER_EPOCH = 40

PRESETS = {
    # The method as its abstract and the reading notes describe it. Where they are silent, the
    # values are those of the released code. Where that code has a defect, the correction is ours.
    "paper": Config(),
    # Chosen on generated datasets of other seeds (docs/log.md). One expert, without dropout
    # inside it but with strong dropout on the features, represents unseen items better. Fine-tuning
    # leaves unseen items out of the softmax; ID embeddings learn what is specific to the others.
    "tuned": Config(
        model=ModelConfig(experts=1, adaptor_dropout=0.0, feature_dropout=0.5),
        pretrain=PretrainConfig(lr=2e-3),
        finetune=FinetuneConfig(lr=1e-3, candidates="seen"),
    ),
    # The released code with its defects, to measure how much they cost.
    "authors": Config(
        model=ModelConfig(train_pooling=False, mask_padding=False),
        pretrain=PretrainConfig(
            prefix_augmentation=True,
            drop_keeps="last",
            same_target="zero_logit",
            cmcl_same_user="keep",
            cmcl_form="rowwise",
        ),
        finetune=FinetuneConfig(prefix_augmentation=True, pad_class=True),
    ),
}

# Not a preset of the method: mean embeddings and a linear adaptor, like UniSRec.
UNISREC: dict[str, Any] = {"model.item_pooling": "mean", "model.adaptor": "linear"}

# Whether a preset adds a score ensemble to the trained model: "auto" or "none".
ENSEMBLES = {"paper": "none", "tuned": "auto", "authors": "none"}


def fitting_batch(targets: int) -> int:
    """Return the largest batch size that gives at least ``STEPS_PER_EPOCH`` steps per epoch.

    It is a power of two from 64 to 512. Small datasets get 64, even if that gives fewer steps.

    >>> [fitting_batch(targets) for targets in (900, 5_800, 12_000, 1_000_000)]
    [64, 128, 256, 512]
    """
    return max(64, min(512, 2 ** (max(1, targets // STEPS_PER_EPOCH).bit_length() - 1)))
