"""Settings of the method, and the error a user sees.

Every setting is a field of a frozen dataclass and carries its meaning, its unit and where its
value comes from:

========  ==================================================================================
source    meaning
========  ==================================================================================
abstract  stated in the abstract of the paper (arXiv 2303.11879)
notes     reported by independent reading notes of the paper
code      the value in the code that the authors released
ours      the paper and the released code are silent or broken here: our choice
========  ==================================================================================

The command line is generated from these fields, so a setting exists in exactly one place.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

# OpenAI's CLIP with the smallest ViT, at the hub revision that carries safetensors weights.
DEFAULT_CLIP = "openai/clip-vit-base-patch32@d15b5f29721ca72dac15f8526b284be910de18be"
DEFAULT_TEXT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


STEPS_PER_EPOCH = 40  # with many fewer, models of small datasets stop before they have learnt


class UserError(ValueError):
    """A mistake the user can mend: one line with what was wanted, what came and the mend."""


def _setting(default: Any, meaning: str, source: str) -> Any:
    return field(default=default, metadata={"meaning": meaning, "source": source})


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which interactions are used, and which are held out."""

    min_user_interactions: int = _setting(5, "drop users with fewer interactions", "code")
    min_item_interactions: int = _setting(0, "drop items with fewer interactions", "code")
    deduplicate: bool = _setting(
        True, "keep only the last of a user's interactions with the same item", "code"
    )
    split: Literal["leave_one_out", "time"] = _setting(
        "leave_one_out", "hold out each user's last interactions, or all after a date", "code"
    )
    n_test: int = _setting(
        1, "split=leave_one_out: each user's most recent interactions held out for testing", "code"
    )
    test_share: float = _setting(
        0.1,
        "split=time: share of the most recent interactions for testing, as many for validation",
        "ours",
    )

    def __post_init__(self) -> None:
        if self.n_test < 1:
            raise UserError(f"n_test must be at least 1; got {self.n_test}")
        if self.split == "leave_one_out" and self.min_user_interactions < self.n_test + 2:
            raise UserError(
                f"min_user_interactions must be at least {self.n_test + 2} (one interaction to"
                f" train on, one to validate, {self.n_test} to test);"
                f" got {self.min_user_interactions}"
            )
        if not 0 < self.test_share < 0.5:
            raise UserError(f"test_share must be above 0 and below 0.5; got {self.test_share}")


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """How words and pictures become vectors."""

    n_keywords: int = _setting(15, "number of keywords for one image (N)", "code")
    max_sentences: int = _setting(10, "number of sentences kept of an item's text", "code")
    max_images: int = _setting(10, "number of images kept of an item", "code")
    prompt: str = _setting(
        "a photo of a {}", "sentence in which CLIP sees each word; several: separate by |", "ours"
    )
    threshold: float = _setting(-1.0, "words with a lower cosine are left out, but one", "ours")
    diversity: float = _setting(0.0, "0 to below 1: avoid words alike; 0 takes the N best", "ours")
    pooling: Literal["auto", "mean", "cls"] = _setting(
        "auto", "sentence vector: mean of the tokens, the first, or as the model asks", "ours"
    )
    image_slots: Literal["images", "keywords"] = _setting(
        "images", "one slot per image (its N keywords together), or one per keyword", "ours"
    )

    def __post_init__(self) -> None:
        if not all("{}" in template for template in self.prompt.split("|")):
            raise UserError(f"prompt must contain {{}} where the word goes; got {self.prompt!r}")
        if not -1 <= self.threshold <= 1:
            raise UserError(f"threshold is a cosine, from -1 to 1; got {self.threshold}")
        if not 0 <= self.diversity < 1:
            raise UserError(f"diversity must be from 0 to below 1; got {self.diversity}")
        for name in ("n_keywords", "max_sentences", "max_images"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1; got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The encoder M²SE."""

    feature_dim: int = _setting(768, "D, width of the BERT vectors (set from the features)", "code")
    n_items: int = _setting(0, "items with an id vector (set from the shop)", "code")
    dim: int = _setting(64, "d, width of the model", "code")
    layers: int = _setting(2, "Transformer layers", "code")
    heads: int = _setting(2, "attention heads", "code")
    ffn_dim: int = _setting(256, "width of the feed-forward layers", "code")
    max_len: int = _setting(50, "L, longest sequence in items", "code")
    experts: int = _setting(8, "E, experts in each adapter", "code")
    item_pooling: Literal["attention", "mean"] = _setting(
        "attention", "from an item's slots to one vector", "notes"
    )
    pooling_dim: int = _setting(64, "hidden width of the slot attention", "code")
    train_pooling: bool = _setting(True, "train the slot attention", "notes")
    mask_padding: bool = _setting(True, "empty slots get no weight", "notes")
    modalities: Literal["both", "text", "image"] = _setting("both", "modalities in use", "abstract")
    projections: bool = _setting(False, "project both states for both losses", "code")
    hidden_dropout: float = _setting(0.2, "dropout on hidden states, probability", "code")
    attention_dropout: float = _setting(0.2, "dropout on attention weights, probability", "code")
    adaptor_dropout: float = _setting(0.2, "dropout inside the experts, probability", "code")
    feature_dropout: float = _setting(0.0, "dropout on pooled slots, probability", "ours")

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise UserError(
                f"dim must be a multiple of heads; got dim={self.dim}, heads={self.heads}"
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What both training stages share. The defaults are those of fine-tuning."""

    lr: float = _setting(1e-4, "Adam's learning rate", "code")
    weight_decay: float = _setting(1e-3, "Adam's weight decay", "code")
    batch_size: int = _setting(
        1024, "training targets in one step, of all processes together", "code"
    )
    prefix_augmentation: bool = _setting(
        False, "one training row per prefix; off: one pass with the loss over all positions", "ours"
    )
    epochs: int = _setting(300, "passes over the training sequences, at most", "code")
    patience: int = _setting(20, "epochs without a better validation Recall@20", "code")
    clip_norm: float = _setting(5.0, "gradients are scaled down to this L2 norm", "code")
    temperature: float = _setting(0.07, "tau, divides every cosine", "code")
    targets_per_sequence: int = _setting(0, "targets kept of a sequence; 0: all of them", "ours")
    valid_users: int = _setting(0, "customers drawn for validation; 0: all of them", "ours")
    precision: Literal["float32", "bfloat16"] = _setting(
        "float32", "of the encoder's matrix products; losses are always float32", "ours"
    )

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise UserError(f"temperature must be positive; got {self.temperature}")
        if self.batch_size < 1:
            raise UserError(f"batch_size must be at least 1; got {self.batch_size}")
        for name in ("valid_users", "targets_per_sequence", "n_negatives"):
            if getattr(self, name, 0) < 0:
                raise UserError(f"{name} must be 0 (all) or more; got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(TrainConfig):
    """Contrastive pre-training."""

    lr: float = _setting(1e-3, "Adam's learning rate", "code")
    weight_decay: float = _setting(0.0, "Adam's weight decay", "code")
    nip_weight: float = _setting(1.0, "weight of next item prediction (NIP)", "code")
    cmcl_weight: float = _setting(0.01, "lambda, weight of cross-modality contrast (CMCL)", "code")
    mixup_max: float = _setting(0.5, "p is drawn from U(0, mixup_max); 0: no mixup", "notes")
    mixup_draw: Literal["uniform", "fixed"] = _setting(
        "uniform", "draw p, or use mixup_max", "notes"
    )
    mixup_per: Literal["batch", "sequence"] = _setting("batch", "one p for each of these", "code")
    drop_max: float = _setting(0.2, "share of dropped items, from U(0, drop_max)", "code")
    drop_per: Literal["batch", "sequence"] = _setting(
        "batch", "one share for each of these", "code"
    )
    drop_keeps: Literal["first", "last"] = _setting(
        "first", "the item that is never dropped", "ours"
    )
    same_target: Literal["exclude", "zero_logit"] = _setting(
        "exclude", "rows with the same target", "ours"
    )
    nip_same_user: Literal["keep", "exclude"] = _setting(
        "keep", "NIP: a customer's other targets", "ours"
    )
    cmcl_same_user: Literal["keep", "exclude"] = _setting(
        "exclude", "CMCL: a customer's other prefixes", "ours"
    )
    cmcl_form: Literal["symmetric", "rowwise"] = _setting("symmetric", "anchors of CMCL", "ours")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.drop_keeps == "last" and not self.prefix_augmentation:
            raise UserError(
                "drop_keeps=last needs prefix_augmentation: with the loss over all positions, an early target"
                " could be predicted from its own future"
            )


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(TrainConfig):
    """Fine-tuning on the shop, with item ids."""

    use_ids: bool = _setting(True, "add a learnt vector per item id", "code")
    pad_class: bool = _setting(False, "padding is one more class", "ours")
    candidates: Literal["all", "seen"] = _setting(
        "all", "the next item is told from all items, or from those bought in training", "code"
    )
    n_negatives: int = _setting(
        0, "items drawn to stand for all in a step; 0: all, exactly", "ours"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_negatives and self.pad_class:
            raise UserError("n_negatives and pad_class exclude each other: padding is never drawn")


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of one run."""

    data: DataConfig = field(default_factory=DataConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)


PRESETS = {
    # The method as its abstract and the reading notes describe it; where they are silent, the
    # released code's values; where that code is broken, our repair.
    "paper": Config(),
    # Chosen on sample shops of other seeds (docs/results.md). One expert without dropout inside but
    # much of it on the features describes items that it has not seen; and in fine-tuning these are
    # no wrong answers, and what is special about a product is learnt by its id.
    "tuned": Config(
        model=ModelConfig(experts=1, adaptor_dropout=0.0, feature_dropout=0.5),
        pretrain=PretrainConfig(lr=2e-3),
        finetune=FinetuneConfig(lr=1e-3, candidates="seen"),
    ),
    # The released code with its defects, to study what they cost.
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


def as_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as plain nested dictionaries, ready for JSON."""
    return dataclasses.asdict(config)


def fitting_batch(targets: int) -> int:
    """Return the largest power of two that leaves an epoch ``STEPS_PER_EPOCH`` steps, from 64 to 512.

    >>> [fitting_batch(targets) for targets in (900, 5_800, 12_000, 1_000_000)]
    [64, 128, 256, 512]
    """
    return max(64, min(512, 2 ** (max(1, targets // STEPS_PER_EPOCH).bit_length() - 1)))
