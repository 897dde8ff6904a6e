"""M²SE, the Multimodal Mixup Sequence Encoder.

::

    slots (items, slots, D) -> SlotAttention -> (items, D) -> ExpertAdapter -> z (items, d)
    z of a sequence (batch, time, d) -> CausalTransformer -> h (batch, time, d)

Text and image have a slot attention and an adapter each; the Transformer is shared.
"""

from dataclasses import replace
from functools import partial
from typing import TypeAlias, cast

import torch
import torch.nn.functional as F
from huggingface_hub import PyTorchModelHubMixin
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from msm4sr_lite.config import ModelConfig
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.similarity import cosine_scores, normalize

NORM_EPS = 1e-12
TOGETHER = 2**10  # items pooled at once: more would need new memory, which the system fills with 0
ON_GPU = 16  # times as many, since every call takes its time, however little there is to do
# All but cuDNN's, which prepares itself anew for every length and number of sequences.
ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
Modalities: TypeAlias = dict[str, Tensor]


class Dropout(nn.Dropout):
    """``nn.Dropout``, quicker on a CPU, where PyTorch's coin tosses are slow."""

    def forward(self, x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """In training set a share p of all numbers to 0 and divide the others by 1 - p."""
        if not self.training or not 0 < self.p < 1 or x.device.type != "cpu":
            return super().forward(x)
        return x * torch.rand(x.shape).ge_(self.p).div_(1 - self.p).to(x.dtype)


class AttentionPooling(nn.Module):
    """Pool an item's slots into one vector.

    energy_s = w2 . (W1 x_s + b1) + b2 for each real slot s, alpha = softmax over the real slots,
    e = sum_s alpha_s x_s. There is no non-linearity between the two maps.

    Input: ``slots (items, slots, D)`` and ``valid (items, slots)``, True where a slot is real.
    Output: the pooled ``(items, D)``, zero for items without a slot, and alpha ``(items, slots)``.

    Parameters
    ----------
    feature_dim, hidden_dim
        D and the width between the two maps.
    mask_padding
        False lets empty slots, all zeros, take their share of alpha, as the released code does:
        an item's vector then shrinks with the number of slots that other items have.
    """

    def __init__(self, feature_dim: int, hidden_dim: int, mask_padding: bool = True) -> None:
        super().__init__()
        self.mask_padding = mask_padding
        self.inner = nn.Linear(feature_dim, hidden_dim)
        self.outer = nn.Linear(hidden_dim, 1)

    def forward(
        self, slots: Float[Tensor, "items slots feature"], valid: Bool[Tensor, "items slots"]
    ) -> tuple[Float[Tensor, "items feature"], Float[Tensor, "items slots"]]:
        """Return the pooled vectors and the weights."""
        energy = self.energies(slots)
        if not self.mask_padding:
            valid = torch.ones_like(valid)
        # A finite floor keeps items without any slot free of NaN; their weights become zero below.
        energy = energy.masked_fill(~valid, torch.finfo(energy.dtype).min)
        weights = energy.softmax(dim=-1) * valid
        return torch.einsum("is,isf->if", weights, slots), weights

    def energies(self, slots: Float[Tensor, "items slots feature"]) -> Float[Tensor, "items slots"]:
        """Return w2 . (W1 x + b1) + b2 for every slot x."""
        if not self.training:
            return self.outer(self.inner(slots)).squeeze(-1)
        # In training the two maps are one, (w2 W1) . x + ...: hidden_dim times less to compute.
        folded = (self.outer.weight @ self.inner.weight).squeeze(0)
        return slots @ folded + self.outer(self.inner.bias)


class MeanPooling(nn.Module):
    """The plain mean of an item's real slots; same input and output as ``SlotAttention``."""

    def forward(
        self, slots: Float[Tensor, "items slots feature"], valid: Bool[Tensor, "items slots"]
    ) -> tuple[Float[Tensor, "items feature"], Float[Tensor, "items slots"]]:
        """Return the pooled vectors and the weights."""
        weights = valid / valid.sum(dim=1, keepdim=True).clamp_min(1)
        return torch.einsum("is,isf->if", weights, slots), weights


class MoEAdaptor(nn.Module):
    """Mixture of experts from the width of BERT to the width of the model.

    Expert k: Linear(D -> d), dropout, layer norm. Gate: softmax(x W_g) over all experts, W_g
    starting at zero, so every expert counts alike at first. z = sum_k gate_k expert_k(x).

    Input ``(items, D)``, output ``(items, d)``.
    """

    def __init__(self, feature_dim: int, dim: int, experts: int, dropout: float) -> None:
        super().__init__()
        self.experts, self.dim = experts, dim
        self.project = nn.Linear(feature_dim, experts * dim)  # all experts in one matrix product
        self.dropout = Dropout(dropout)
        self.scale = nn.Parameter(torch.ones(experts, dim))
        self.shift = nn.Parameter(torch.zeros(experts, dim))
        self.gate = nn.Linear(feature_dim, experts, bias=False)
        nn.init.normal_(self.project.weight, std=0.02)
        nn.init.zeros_(self.gate.weight)

    def forward(self, x: Float[Tensor, "items feature"]) -> Float[Tensor, "items dim"]:
        """Return the gated sum of the experts."""
        outputs = self.dropout(self.project(x)).unflatten(-1, (self.experts, self.dim))
        outputs = F.layer_norm(outputs, (self.dim,), eps=NORM_EPS) * self.scale + self.shift
        gate = self.gate(x).softmax(dim=-1)
        return torch.einsum("ie,ied->id", gate, outputs)


class Block(nn.Module):
    """One Transformer layer: causal self-attention and feed-forward, with residuals and norms."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.attention_dropout = config.heads, config.attention_dropout
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.out = nn.Linear(config.dim, config.dim)
        self.norm_attention = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.up = nn.Linear(config.dim, config.ffn_dim)
        self.down = nn.Linear(config.ffn_dim, config.dim)
        self.norm_ffn = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.dropout = Dropout(config.hidden_dropout)

    @sdpa_kernel(ATTENTION)
    def forward(
        self, x: Float[Tensor, "batch time dim"], at: Int[Tensor, "batch wanted"] | None = None
    ) -> Float[Tensor, "batch wanted dim"]:
        """Return the next layer's hidden states, all of them or those at the places ``at``."""
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        past = None
        if at is not None:
            past = (torch.arange(x.shape[1], device=at.device) <= at.unsqueeze(2)).unsqueeze(1)
            rows = torch.arange(len(x), device=at.device).unsqueeze(1)
            x, query = x[rows, at], query[rows, at]
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value)
        )
        dropout = self.attention_dropout * self.training
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=past, is_causal=past is None, dropout_p=dropout
        )
        attended = self.out(attended.transpose(1, 2).flatten(2))
        x = self.norm_attention(x + self.dropout(attended))
        return self.norm_ffn(x + self.dropout(self.down(F.gelu(self.up(x)))))


class CausalTransformer(nn.Module):
    """The sequence encoder that both modalities share.

    Input: item vectors ``(batch, time, d)``, left-aligned. Output: hidden states of the same
    shape; the state at position k has seen positions 0..k and nothing else. Padding stands to the
    right of all real items, so the causal mask alone hides it from them.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.position = nn.Embedding(config.max_len, config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=NORM_EPS)
        self.dropout = Dropout(config.hidden_dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(
        self, x: Float[Tensor, "batch time dim"], at: Int[Tensor, "batch wanted"] | None = None
    ) -> Float[Tensor, "batch wanted dim"]:
        """Return the hidden states of the last layer, all of them or those at the places ``at``."""
        places = torch.arange(x.shape[1], device=x.device)
        x = self.dropout(self.norm(x + self.position(places)))
        for block in self.blocks[:-1]:
            x = block(x)
        return self.blocks[-1](x, at)


class M2SE(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="msm4sr_lite",
    tags=["sequential-recommendation", "multimodal"],
):
    """The whole model: per view a pooling and an adapter, one Transformer, ids when fine-tuned.

    Whatever exists once per view is a dictionary with the keys ``text`` and ``image``, or one of
    them where the configuration asks for a single view.

    Parameters
    ----------
    config
        Sizes and dropout rates. With ``n_items = 0`` the model has no id vectors and therefore
        fits any shop: so it is pre-trained.
    """

    def __init__(self, config: ModelConfig) -> None:  # the hub mixin reads this annotation
        super().__init__()
        c = self.config = config
        self.modalities: tuple[str, ...] = (
            ("text", "image") if c.modalities == "both" else (c.modalities,)
        )
        self.pool, self.adapt = nn.ModuleDict(), nn.ModuleDict()
        for modality in self.modalities:
            sizes = c.feature_dim, c.pooling_dim, c.mask_padding
            self.pool[modality] = (
                MeanPooling() if c.item_pooling == "mean" else AttentionPooling(*sizes)
            )
            self.adapt[modality] = MoEAdaptor(c.feature_dim, c.dim, c.experts, c.adaptor_dropout)
        self.pool.requires_grad_(c.train_pooling)
        self.feature_dropout = Dropout(c.feature_dropout)
        self.transformer = CausalTransformer(config)
        projected = self.modalities if c.projections else ()
        self.project = nn.ModuleDict({modality: nn.Linear(c.dim, c.dim) for modality in projected})
        self.ids: nn.Embedding | None = None
        if c.n_items:
            self.ids = nn.Embedding(c.n_items + 1, c.dim, padding_idx=0)
            nn.init.normal_(self.ids.weight[1:], std=0.02)  # a view: row 0, padding, stays zero

    def item_embeddings(self, table: FeatureTable, items: Int[Tensor, " items"]) -> Modalities:
        """Return z_t and z_v of items from their slots, each ``(items, d)``.

        An item with one modality stands in both views with the one that it has, so that mixup and
        scoring never meet an empty vector.
        """
        vectors, present = {}, {}
        for modality in self.modalities:
            slots = getattr(table, modality)
            vectors[modality] = self.adapt[modality](
                self.feature_dropout(self._pooled(modality, slots, items))
            )
            present[modality] = slots.counts[items].unsqueeze(1) > 0
        if len(self.modalities) == 1:
            return vectors
        text, image = vectors["text"], vectors["image"]
        return {
            "text": torch.where(present["text"] | ~present["image"], text, image),
            "image": torch.where(present["image"] | ~present["text"], image, text),
        }

    def _pooled(self, modality: str, slots: Slots, items: Tensor) -> Tensor:
        parts = items.split(TOGETHER * (1 if items.is_cpu else ON_GPU))
        # Of a whole catalogue the slots are gathered again for the gradients, not kept.
        again = partial(checkpoint, self._pool, use_reentrant=False, preserve_rng_state=False)
        pool = again if self.training and len(parts) > 1 else self._pool
        return torch.cat([pool(modality, slots, part) for part in parts])

    def _pool(self, modality: str, slots: Slots, items: Tensor) -> Tensor:
        return cast(Tensor, self.pool[modality](*slots.gather(items))[0])

    def with_ids(self, vectors: Modalities, items: Int[Tensor, " items"]) -> Modalities:
        """Add the learnt id vectors to every view; without ids return the vectors as they are."""
        if self.ids is None:
            return vectors
        ids = self.ids(items)
        return {modality: z + ids for modality, z in vectors.items()}

    def encode(self, sequence: Modalities, at: Tensor | None = None) -> Modalities:
        """Run all views ``(batch, time, d)`` through the Transformer in one call: h_t and h_v.

        With ``at (batch, wanted)`` only the states at these places are worked out to the end.
        """
        at = None if at is None else at.repeat(len(self.modalities), 1)
        states = self.transformer(
            torch.cat([sequence[modality] for modality in self.modalities]), at
        )
        return dict(zip(self.modalities, states.chunk(len(self.modalities)), strict=True))


def match_scores(states: Modalities, items: Modalities) -> Float[Tensor, "rows items"]:
    """Return cos(h_t, z_t) + cos(h_v, z_v) for every item, between -2 and 2."""
    return torch.stack(
        [cosine_scores(states[modality], items[modality]) for modality in states]
    ).sum(dim=0)


def concat_normalized(modalities: Modalities) -> Tensor:
    """Put the views' unit vectors side by side: a product of two such is a sum of cosines."""
    return torch.cat([normalize(vectors) for vectors in modalities.values()], dim=-1)


def gather_rows(modalities: Modalities, rows: Tensor) -> Modalities:
    """Return the given rows of every view."""
    return {modality: F.embedding(rows, values) for modality, values in modalities.items()}


def transfer(pretrained: M2SE, n_items: int) -> M2SE:
    """Return a model with fresh ids for ``n_items`` items and the weights of ``pretrained``."""
    model = M2SE(replace(pretrained.config, n_items=n_items))
    model.load_state_dict(pretrained.state_dict(), strict=False)
    return model
