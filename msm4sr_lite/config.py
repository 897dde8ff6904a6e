"""Settings of the method.

Every setting is a field of a frozen dataclass. It has a meaning, a range and a default, and names
the source of the default:

========  ==================================================================================
source    meaning
========  ==================================================================================
abstract  stated in the abstract of the paper (arXiv 2303.11879)
notes     reported by independent reading notes of the paper
code      the value in the code that the authors released
ours      our choice, where the paper and the released code are silent or in error
========  ==================================================================================
"""

from dataclasses import asdict as as_dict
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from msm4sr_lite.settings import Settings, UserError, flatten, setting, with_settings

__all__ = ["UserError", "as_dict", "flatten", "with_settings"]

# OpenAI's CLIP with the smallest ViT, at the hub revision that has safetensors weights.
DEFAULT_CLIP = "openai/clip-vit-base-patch32@d15b5f29721ca72dac15f8526b284be910de18be"
_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_TEXT_ENCODER = f"{_MINILM}@c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
SHARE = ">= 0 and < 1"
# Upper limits are far above what is useful. They refuse slips, such as a learning rate of 30, and
# sizes that no machine can hold, before anything is computed.
COUNT = ">= 0 and <= 1000000000"
STEPS = ">= 0 and <= 1000000"
FEW = ">= 1 and <= 1000"
MANY = ">= 1 and <= 1000000"
WIDTH = ">= 1 and <= 65536"
RATE = ">= 1e-9 and <= 10"  # less does not change a weight of 32 bits
BATCH = "<= 131072"  # the loss compares all pairs of a batch: 64 GiB
MOST_WEIGHTS = 10**9  # without ID embeddings; Adam needs 16 bytes for each
WEIGHT = ">= 0 and <= 1000000"
# With more items, an exact softmax takes most of the time of fine-tuning.
MANY_CLASSES = 10_000
MANY_NEGATIVES = 2_048
FROM_DATA = ("model.feature_dim", "model.whitened_dim", "model.n_items")  # set by the data


@dataclass(frozen=True, kw_only=True)
class DataConfig(Settings):
    """Settings of the filters and of the split."""

    min_user_interactions: int = setting(5, "minimum interactions per kept user", "code", COUNT)
    min_item_interactions: int = setting(0, "minimum interactions per kept item", "code", COUNT)
    deduplicate: bool = setting(True, "keep only a user's last interaction with each item", "code")
    split: Literal["leave_one_out", "time", "part"] = setting(
        "leave_one_out",
        "held-out interactions: each user's last ones, all after a date, or by the column part",
        "code",
    )
    n_test: int = setting(1, "number of test interactions per user (leave_one_out)", "code", MANY)
    test_share: float = setting(
        0.1, "share of interactions in test, and in valid (split=time)", "ours", "> 0 and < 0.5"
    )
    valid_from: str = setting("", "first date of valid instead of a share (split=time)", "ours")
    test_from: str = setting("", "first date of test instead of a share (split=time)", "ours")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split == "leave_one_out" and self.min_user_interactions < self.n_test + 2:
            raise UserError(
                f"min_user_interactions must be at least {self.n_test + 2} (one interaction to"
                f" train on, one for validation, {self.n_test} for testing);"
                f" got {self.min_user_interactions}"
            )

    def require_effect(self) -> None:
        """Refuse settings of another split than the one chosen, since they have no effect."""
        for name in ("n_test", "test_share", "valid_from", "test_from"):
            value, split = getattr(self, name), "leave_one_out" if name == "n_test" else "time"
            if split != self.split and value != getattr(DataConfig, name):
                raise UserError(
                    f"data.{name}={value} has no effect with data.split={self.split}; leave it out,"
                    f" or set data.split={split}"
                )


@dataclass(frozen=True, kw_only=True)
class FeatureConfig(Settings):
    """Settings of image keywords and of sentence embeddings."""

    n_keywords: int = setting(15, "number of keywords per image (N)", "code", FEW)
    max_sentences: int = setting(10, "number of sentences kept per item", "code", FEW)
    max_images: int = setting(10, "images kept per item; 0: none", "code", ">= 0 and <= 1000")
    prompt: str = setting(
        "a photo of a {}", "prompt for CLIP with {} for the keyword; join several by |", "ours"
    )
    threshold: float = setting(
        -1.0, "lowest cosine of a keyword; the best is always kept", "ours", ">= -1 and <= 1"
    )
    diversity: float = setting(0.0, "penalty for similar keywords; 0: N best", "ours", SHARE)
    pooling: Literal["auto", "mean", "cls"] = setting(
        "auto", "sentence embedding: mean over tokens, first token, or the model's own", "ours"
    )
    text_units: Literal["sentences", "whole"] = setting(
        "sentences", "one slot per sentence, or one for the sentences as a whole", "code"
    )
    image_slots: Literal["images", "keywords"] = setting(
        "images", "one slot per image (its N keywords as one sentence), or one per keyword", "ours"
    )
    whitening: Literal["none", "centre", "pca", "zca"] = setting(
        "none", "map of item features before the adaptor, learned from the training items", "ours"
    )
    whitening_dim: int = setting(
        0, "width after whitening=pca; 0: that of the embeddings", "ours", ">= 0 and <= 65536"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if any("{}" not in t or {*"{}"} & {*t.replace("{}", "")} for t in self.prompt.split("|")):
            raise UserError(f"prompt needs {{}} as keyword, no other brace; got {self.prompt!r}")
        if self.whitening_dim and self.whitening != "pca":
            raise UserError(
                f"whitening_dim={self.whitening_dim} has no effect with whitening={self.whitening};"
                f" set whitening=pca or whitening_dim=0"
            )

    def whitened_width(self, width: int) -> int:
        """Return the width of features of this width after whitening; 0 without whitening."""
        return 0 if self.whitening == "none" else min(self.whitening_dim or width, width)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """Settings of the encoder M²SE."""

    feature_dim: int = setting(768, "D, width of the BERT embeddings", "code", WIDTH)
    whitened_dim: int = setting(0, "width after whitening; 0: none", "ours", ">= 0 and <= 65536")
    n_items: int = setting(0, "number of items with an ID embedding", "code", COUNT)
    dim: int = setting(64, "d, width of the model", "code", ">= 1 and <= 8192")
    layers: int = setting(2, "number of Transformer layers", "code", FEW)
    heads: int = setting(2, "number of attention heads", "code", FEW)
    ffn_dim: int = setting(256, "width of the feed-forward layers", "code", WIDTH)
    max_len: int = setting(50, "L, longest sequence in items", "code", WIDTH)
    adaptor: Literal["moe", "linear", "mlp"] = setting(
        "moe", "experts, or one or two layers that start as principal components", "code"
    )
    experts: int = setting(8, "E, number of experts in each MoE adaptor", "code", FEW)
    item_pooling: Literal["attention", "mean"] = setting(
        "attention", "how an item's sentence or image embeddings are combined", "notes"
    )
    pooling_dim: int = setting(64, "hidden width of the attention pooling", "code", WIDTH)
    train_pooling: bool = setting(True, "train the attention pooling", "notes")
    mask_padding: bool = setting(True, "empty slots get no attention weight", "notes")
    modalities: Literal["auto", "both", "text", "image"] = setting(
        "auto", "modalities in use; auto: those that the features have", "abstract"
    )
    projections: bool = setting(False, "linear maps of h_t, h_v before the losses", "code")
    hidden_dropout: float = setting(0.2, "dropout of hidden states", "code", SHARE)
    attention_dropout: float = setting(0.2, "dropout of attention weights", "code", SHARE)
    adaptor_dropout: float = setting(0.2, "dropout inside the MoE adaptor", "code", SHARE)
    feature_dropout: float = setting(0.0, "dropout of pooled features", "ours", SHARE)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dim % self.heads:
            raise UserError(f"dim must be a multiple of heads; got {self.dim} and {self.heads}")
        weights = self.layers * self.dim * (4 * self.dim + 2 * self.ffn_dim)
        weights += self.dim * (self.max_len + 2 * self.experts * self.feature_dim)
        if weights > MOST_WEIGHTS:
            raise UserError(
                f"dim={self.dim}, layers={self.layers}, ffn_dim={self.ffn_dim} and"
                f" experts={self.experts} make a model of {weights / 1e9:.0f} billion weights, more"
                f" than 1 billion; lower some of them"
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Settings):
    """Settings that both training stages share, with the defaults of fine-tuning."""

    lr: float = setting(1e-4, "Adam's learning rate", "code", RATE)
    weight_decay: float = setting(1e-3, "Adam's weight decay", "code", ">= 0 and <= 10")
    batch_size: int = setting(1024, "targets per step, all processes", "code", f">= 1 and {BATCH}")
    prefix_augmentation: bool = setting(
        False, "one training row per prefix; off: one pass with the loss over all positions", "ours"
    )
    epochs: int = setting(300, "maximum number of epochs; 0: skip this stage", "code", STEPS)
    patience: int = setting(20, "epochs to wait for a better validation Recall@20", "code", STEPS)
    clip_norm: float = setting(
        5.0, "maximum L2 norm of the gradient; 0: no clipping", "code", ">= 0 and <= 1e30"
    )
    temperature: float = setting(0.07, "tau, divisor of cosines", "code", ">= 0.001 and <= 1000")
    targets_per_sequence: int = setting(0, "random targets per sequence; 0: all", "ours", STEPS)
    valid_users: int = setting(0, "random validation cases; 0: all", "ours", COUNT)
    precision: Literal["float32", "bfloat16"] = setting(
        "float32", "number format of the encoder; losses are always float32", "ours"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.targets_per_sequence and self.prefix_augmentation:
            raise UserError(
                "targets_per_sequence has no effect with prefix_augmentation=true; set"
                " targets_per_sequence=0 or prefix_augmentation=false"
            )


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(TrainConfig):
    """Settings of contrastive pre-training."""

    lr: float = setting(1e-3, "Adam's learning rate", "code", RATE)
    weight_decay: float = setting(0.0, "Adam's weight decay", "code", ">= 0 and <= 10")
    nip_weight: float = setting(1.0, "weight of next-item prediction, NIP", "code", WEIGHT)
    cmcl_weight: float = setting(0.01, "lambda, weight of CMCL", "code", WEIGHT)
    mixup_max: float = setting(
        0.5, "mixup probability p ~ U(0, mixup_max); 0: no mixup", "notes", ">= 0 and <= 1"
    )
    mixup_draw: Literal["uniform", "fixed"] = setting("uniform", "p ~ U, or p = mixup_max", "notes")
    mixup_per: Literal["batch", "sequence"] = setting("batch", "scope of one draw of p", "code")
    drop_max: float = setting(0.2, "drop probability q ~ U(0, drop_max)", "code", ">= 0 and <= 1")
    drop_per: Literal["batch", "sequence"] = setting("batch", "scope of one draw of q", "code")
    drop_keeps: Literal["first", "last"] = setting("first", "item that is never dropped", "ours")
    same_target: Literal["exclude", "zero_logit"] = setting(
        "exclude", "false negatives (rows with the same target): excluded, or logit 0", "ours"
    )
    nip_same_user: Literal["keep", "exclude"] = setting(
        "keep", "NIP: whether other targets of the same user stay negatives", "ours"
    )
    cmcl_same_user: Literal["keep", "exclude"] = setting(
        "exclude", "CMCL: whether other prefixes of the same user stay negatives", "ours"
    )
    cmcl_form: Literal["symmetric", "rowwise"] = setting(
        "symmetric", "anchor in CMCL's image direction: image, or text (rowwise)", "ours"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.drop_keeps == "last" and not self.prefix_augmentation:
            raise UserError(
                "drop_keeps=last needs prefix_augmentation=true: with the loss over all positions"
                " an early target could be predicted from its own future"
            )
        if self.epochs and not (self.nip_weight or self.cmcl_weight):
            raise UserError(
                "nip_weight and cmcl_weight are both 0, so nothing would be learned; raise one of"
                " them, or skip pre-training with epochs=0"
            )


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(TrainConfig):
    """Settings of fine-tuning on one dataset, with item IDs."""

    use_ids: bool = setting(True, "add a learned embedding per item ID", "code")
    pad_class: bool = setting(False, "whether padding is a softmax class", "ours")
    candidates: Literal["all", "seen"] = setting(
        "all", "classes of the softmax: all items, or those in the training sequences", "code"
    )
    n_negatives: int = setting(
        -1,
        f"sampled negatives per step; 0: exact softmax; -1: {MANY_NEGATIVES} for more than"
        f" {MANY_CLASSES} classes, else 0",
        "ours",
        f">= -1 and {STEPS.partition(' and ')[2]}",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_negatives > 0 and self.pad_class:
            raise UserError("n_negatives excludes pad_class; set n_negatives=0 or pad_class=false")

    def for_catalogue(self, n_items: int) -> Self:
        """Return the settings with the number of negatives for so many items: -1 is decided.

        >>> [FinetuneConfig().for_catalogue(n).n_negatives for n in (400, 1_000_000)]
        [0, 2048]
        """
        if self.n_negatives >= 0:
            return self
        sampled = n_items > MANY_CLASSES and not self.pad_class
        return replace(self, n_negatives=MANY_NEGATIVES if sampled else 0)


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """All settings of one run, in five sections."""

    data: DataConfig = field(default_factory=DataConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_modality = self.model.modalities in ("text", "image")
        if one_modality and self.pretrain.epochs and not self.pretrain.nip_weight:
            raise UserError(
                "pretrain.nip_weight is 0 and model.modalities is one modality, so nothing would be"
                " learned: CMCL compares two; raise nip_weight, or set pretrain.epochs=0"
            )
