"""M²SE, the Multimodal Mixup Sequence Encoder.

::

    slots (items, slots, D) -> AttentionPooling -> (items, D) -> MoEAdaptor -> z (items, d)
    z of a sequence (batch, time, d) -> CausalTransformer -> h (batch, time, d)

Each modality has its own pooling and adaptor. Both share the Transformer.
"""

from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from huggingface_hub import PyTorchModelHubMixin
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from msm4sr_lite.config import ModelConfig
from msm4sr_lite.fast import has_fast_form
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.similarity import cosine_scores, normalize
from msm4sr_lite.whitening import Projector, Whitening

BOTH = ("text", "image")
NORM_EPS = 1e-12
TAGS = ["sequential-recommendation", "multimodal"]  # for the hub
ItemSlots: TypeAlias = Float[Tensor, "items slots feature"]
Valid: TypeAlias = Bool[Tensor, "items slots"]
States: TypeAlias = Float[Tensor, "batch time dim"]
Modalities: TypeAlias = dict[str, Tensor]  # a tensor for "text" and one for "image"
Pooled: TypeAlias = tuple[Float[Tensor, "items feature"], Float[Tensor, "items slots"]]


class AttentionPooling(nn.Module):
    """Pool the slots of an item (embeddings of its sentences or images) into one embedding.

    energy_s = w2 . (W1 x_s + b1) + b2 for each real slot s, alpha = softmax over the real slots,
    e = sum_s alpha_s x_s. Source: notes and released code; no non-linearity between the two maps.

    Input: ``slots (items, slots, D)`` and ``valid (items, slots)``, True where a slot is real.
    Output: the pooled ``(items, D)``, zero for items without slots, and alpha ``(items, slots)``.

    Parameters
    ----------
    feature_dim, hidden_dim
        D and the width between the two maps.
    mask_padding
        Whether empty slots get no attention weight. The released code weights them too (False), so
        the norm of an item's embedding depends on how many slots other items have.
    """

    def __init__(self, feature_dim: int, hidden_dim: int, mask_padding: bool = True) -> None:
        super().__init__()
        self.mask_padding = mask_padding
        self.inner = nn.Linear(feature_dim, hidden_dim)
        self.outer = nn.Linear(hidden_dim, 1)

    def forward(self, slots: ItemSlots, valid: Valid) -> Pooled:
        """Return the pooled embeddings and the attention weights."""
        return self.pool(self.outer(self.inner(slots)).squeeze(-1), slots, valid)

    def pool(self, energy: Float[Tensor, "items slots"], slots: Tensor, valid: Tensor) -> Pooled:
        """Turn energies into attention weights and average the slots."""
        if not self.mask_padding:
            valid = torch.ones_like(valid)
        # A finite minimum keeps items without slots free of NaN; their weights become zero below.
        energy = energy.masked_fill(~valid, torch.finfo(energy.dtype).min)
        alpha = energy.softmax(dim=-1) * valid
        return torch.einsum("is,isf->if", alpha, slots), alpha


class MeanPooling(nn.Module):
    """Average an item's real slots; inputs and outputs as in ``AttentionPooling``. Source: ours."""

    def forward(self, slots: ItemSlots, valid: Valid) -> Pooled:
        """Return the pooled embeddings and the weights."""
        weights = valid / valid.sum(dim=1, keepdim=True).clamp_min(1)
        return torch.einsum("is,isf->if", weights, slots), weights


class MoEAdaptor(nn.Module):
    """Map item features from BERT's width D to the model's width d by a mixture of experts (MoE).

    z = sum_k gate_k LayerNorm(dropout(W_k x + b_k)) with gate = softmax(x W_g) over all experts.
    W_g starts at zero, so that all experts start with equal weight. Source: released code.

    Input ``(items, D)``, output ``(items, d)``.
    """

    def __init__(self, feature_dim: int, dim: int, experts: int, dropout: float) -> None:
        super().__init__()
        self.experts, self.dim = experts, dim
        self.project = nn.Linear(feature_dim, experts * dim)  # all W_k in one matrix
        self.dropout = nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.ones(experts, dim))
        self.shift = nn.Parameter(torch.zeros(experts, dim))
        self.gate = nn.Linear(feature_dim, experts, bias=False)
        nn.init.normal_(self.project.weight, std=0.02)
        nn.init.zeros_(self.gate.weight)

    def forward(self, x: Float[Tensor, "items feature"]) -> Float[Tensor, "items dim"]:
        """Return the gated sum of the experts."""
        return self.mix(self.dropout(self.project(x)), self.gate(x).softmax(dim=-1))

    def mix(self, outputs: Tensor, gate: Tensor) -> Tensor:
        """Normalize the outputs of the experts and add them up, weighted by the gate."""
        outputs = outputs.unflatten(-1, (self.experts, self.dim))  # (items, experts, dim)
        outputs = F.layer_norm(outputs, (self.dim,), eps=NORM_EPS) * self.scale + self.shift
        return torch.einsum("ie,ied->id", gate, outputs)


class Block(nn.Module):
    """A Transformer layer: causal self-attention and feed-forward, each with residual and norm.

    Input and output ``(batch, time, d)``. Source: released code (post-norm, GELU).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.attention_dropout = config.heads, config.attention_dropout
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.out = nn.Linear(config.dim, config.dim)
        self.norm_attention = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.up = nn.Linear(config.dim, config.ffn_dim)
        self.down = nn.Linear(config.ffn_dim, config.dim)
        self.norm_ffn = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.dropout = nn.Dropout(config.hidden_dropout)

    def attend(self, x: States) -> States:
        """Return what each position reads from itself and earlier positions."""
        # Each (batch, heads, time, dim).
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.attention_dropout * self.training
        seen = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        return self.out(seen.transpose(1, 2).flatten(2))

    def forward(self, x: States) -> States:
        """Return the next layer's hidden states."""
        x = self.norm_attention(x + self.dropout(self.attend(x)))
        return self.norm_ffn(x + self.dropout(self.down(F.gelu(self.up(x)))))


class CausalTransformer(nn.Module):
    """The sequence encoder that both modalities share. Source: released code (SASRec).

    Input: item embeddings ``(batch, time, d)``, left-aligned. Output: hidden states of the same
    shape; the state at position k has seen positions 0..k and nothing else. Padding is to the right
    of all real items, so the causal mask alone hides it from them.
    """

    def __init__(self, config: ModelConfig, block: type[Block] = Block) -> None:
        super().__init__()
        self.position = nn.Embedding(config.max_len, config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.dropout = nn.Dropout(config.hidden_dropout)
        self.blocks = nn.ModuleList(block(config) for _ in range(config.layers))
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x: States) -> States:
        """Return the hidden states of the last layer."""
        x = self.dropout(self.norm(x + self.position.weight[: x.shape[1]]))
        for block in self.blocks:
            x = block(x)
        return x


class M2SE(nn.Module, PyTorchModelHubMixin, library_name="msm4sr_lite", tags=TAGS):
    """The whole model: pooling and adaptor for each modality, one Transformer, ID embeddings.

    Modules that exist once per modality are in dictionaries with the keys ``text`` and ``image``,
    or with one of these keys if the configuration uses a single modality.

    Parameters
    ----------
    config
        Sizes and dropout rates. With ``n_items = 0`` the model has no ID embeddings. It then fits
        any dataset, as pre-training requires.
    """

    def __init__(self, config: ModelConfig) -> None:  # the hub mixin reads this annotation
        super().__init__()
        c = self.config = config
        self.modalities: tuple[str, ...] = (c.modalities,) if c.modalities in BOTH else BOTH
        self.pool, self.whiten, self.adapt = (nn.ModuleDict() for _ in range(3))
        width = c.whitened_dim or c.feature_dim
        adaptors = {"moe": (MoEAdaptor, c.experts), "linear": (Projector, 1), "mlp": (Projector, 2)}
        kind, size = adaptors[c.adaptor]
        for modality in self.modalities:
            sizes = c.feature_dim, c.pooling_dim, c.mask_padding
            attention = c.item_pooling == "attention"
            self.pool[modality] = AttentionPooling(*sizes) if attention else MeanPooling()
            whitened = Whitening(c.feature_dim, width) if c.whitened_dim else nn.Identity()
            self.whiten[modality] = whitened
            self.adapt[modality] = kind(width, c.dim, size, c.adaptor_dropout)
        self.pool.requires_grad_(c.train_pooling)
        self.feature_dropout = nn.Dropout(c.feature_dropout)
        self.transformer = CausalTransformer(config)
        projected = self.modalities if c.projections else ()
        self.project = nn.ModuleDict({modality: nn.Linear(c.dim, c.dim) for modality in projected})
        self.ids: nn.Embedding | None = None
        if c.n_items:
            self.ids = nn.Embedding(c.n_items + 1, c.dim, padding_idx=0)
            nn.init.normal_(self.ids.weight[1:], std=0.02)  # row 0, padding, stays zero

    @classmethod
    def _load_as_safetensor(cls, model: Any, model_file: str, map_location: str, _: bool) -> Any:
        """Load weights from the hub; by default, the mixin would accept a file without them."""
        return super()._load_as_safetensor(model, model_file, map_location, strict=True)

    @has_fast_form
    def embed_modality(self, modality: str, slots: Slots, items: Int[Tensor, " items"]) -> Tensor:
        """Return z of items ``(items, d)`` from the slots of one modality alone."""
        pooled, _ = self.pool[modality](*slots.gather(items))
        return self.adapt[modality](self.feature_dropout(self.whiten[modality](pooled)))

    def item_embeddings(self, table: FeatureTable, items: Int[Tensor, " items"]) -> Modalities:
        """Return z_t and z_v of items from their slots, each ``(items, d)``.

        An item with one modality uses its embedding for both, so that mixup and scoring never meet
        an empty embedding. Source: ours; the released code requires both modalities.
        """
        z = {m: self.embed_modality(m, getattr(table, m), items) for m in self.modalities}
        if len(z) == 2:
            has_text = table.text.counts[items, None] > 0
            has_image = table.image.counts[items, None] > 0
            text, image = z["text"], z["image"]
            z["text"] = torch.where(has_text | ~has_image, text, image)
            z["image"] = torch.where(has_image | ~has_text, image, text)
        return z

    def with_ids(self, z: Modalities, items: Int[Tensor, " items"]) -> Modalities:
        """Add the learned ID embeddings to every modality; a model without them returns z."""
        if self.ids is None:
            return z
        ids = self.ids(items)
        return {modality: embeddings + ids for modality, embeddings in z.items()}

    def encode(self, z: Modalities) -> Modalities:
        """Run all modalities ``(batch, time, d)`` through the Transformer in one call: h_t, h_v."""
        h = self.transformer(torch.cat([z[modality] for modality in self.modalities]))
        return dict(zip(self.modalities, h.chunk(len(self.modalities)), strict=True))


def match_scores(h: Modalities, z: Modalities) -> Float[Tensor, "rows items"]:
    """Return cos(h_t, z_t) + cos(h_v, z_v) for every item, between -2 and 2."""
    return torch.stack([cosine_scores(h[modality], z[modality]) for modality in h]).sum(dim=0)


def concat_normalized(modalities: Modalities) -> Tensor:
    """Concatenate the normalized embeddings of all modalities: dot products are sums of cosines."""
    return torch.cat([normalize(embeddings) for embeddings in modalities.values()], dim=-1)


def gather_rows(modalities: Modalities, rows: Tensor) -> Modalities:
    """Return the given rows of every modality, in the shape of ``rows``."""
    return {modality: F.embedding(rows, values) for modality, values in modalities.items()}
