"""The encoder that notebook 05 builds, and plausible mistakes in it; the exercises are in nb05."""

# mypy: disable-error-code="operator"

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course.attempts import WithGradients, differentiate, make_module, vary
from course.exercises.nb03 import AttentionPooling, MoEAdaptor


def causal_mask(time: int) -> Tensor:
    """Return who may look at whom: [k, j] is True where position k may look at j.

    A position sees itself and what came before it. Result: shape (time, time), bool.
    """
    return torch.ones(time, time, dtype=torch.bool).tril()


def causal_attention(
    query: Tensor, key: Tensor, value: Tensor, dropout: float = 0.0
) -> Tensor:  # fmt: skip
    """Return what each position reads from itself and earlier positions.

    query, key, value: shape (..., time, dim). The score of two positions is the dot
    product of query and key, divided by the square root of dim. The weights are the
    softmax of a position's scores over the positions that it may look at, then
    F.dropout(weights, dropout). Result: weighted sums of the values, same shape.
    """
    scores = query @ key.transpose(-1, -2) / key.shape[-1] ** 0.5
    scores = scores.masked_fill(~causal_mask(key.shape[-2]), -torch.inf)
    return F.dropout(scores.softmax(dim=-1), dropout) @ value


class Block(nn.Module):
    """A Transformer block: causal self-attention, then a feed-forward network."""

    def __init__(self, dim: int, heads: int, ffn_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)  # queries, keys and values
        self.out = nn.Linear(dim, dim)
        self.norm_attention = nn.LayerNorm(dim, eps=1e-12)
        self.up = nn.Linear(dim, ffn_dim)
        self.down = nn.Linear(ffn_dim, dim)
        self.norm_ffn = nn.LayerNorm(dim, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the next hidden states, shape (batch, time, dim) like x.

        The last axis of qkv(x) holds queries, keys and values, each with its heads one
        after the other. Bring them to shape (batch, heads, time, dim // heads), use
        causal_attention (its dropout is self.dropout.p in training, else 0), join the
        heads and apply out. Then x = norm_attention(x + dropout(of this)). The
        feed-forward network is down(gelu(up(x))); the result is norm_ffn(x +
        dropout(of this)).
        """
        batch, time, dim = x.shape
        qkv = self.qkv(x).view(batch, time, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (batch, heads, time, dim)
        dropout = self.dropout.p if self.training else 0.0
        read = causal_attention(query, key, value, dropout)
        read = self.out(read.transpose(1, 2).reshape(batch, time, dim))
        x = self.norm_attention(x + self.dropout(read))
        return self.norm_ffn(x + self.dropout(self.down(F.gelu(self.up(x)))))


class CausalTransformer(nn.Module):
    """The sequence encoder that both modalities share."""

    def __init__(
        self, dim: int, layers: int, heads: int, ffn_dim: int, max_len: int,
        dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.position = nn.Embedding(max_len, dim)
        self.norm = nn.LayerNorm(dim, eps=1e-12)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(dim, heads, ffn_dim, dropout) for _ in range(layers)
        )  # fmt: skip
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the hidden states of the last block, shape (batch, time, dim) like x.

        Add the embedding of each position (the first is position 0) to x. Then norm,
        dropout, and the blocks one after the other.
        """
        x = self.dropout(self.norm(x + self.position.weight[: x.shape[1]]))
        for block in self.blocks:
            x = block(x)
        return x


class M2SE(nn.Module):
    """M²SE: pooling and adaptor for each modality, one shared Transformer."""

    def __init__(
        self, feature_dim: int, dim: int = 64, layers: int = 2, heads: int = 2,
        ffn_dim: int = 256, max_len: int = 50, experts: int = 8, pooling_dim: int = 64,
        dropout: float = 0.2, n_items: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pool, self.adapt = nn.ModuleDict(), nn.ModuleDict()
        for modality in ("text", "image"):
            self.pool[modality] = AttentionPooling(feature_dim, pooling_dim)
            self.adapt[modality] = MoEAdaptor(feature_dim, dim, experts, dropout)
        sizes = dim, layers, heads, ffn_dim, max_len
        self.transformer = CausalTransformer(*sizes, dropout)
        self.ids = None  # pre-training needs none, so that the model fits any dataset
        if n_items:
            self.ids = nn.Embedding(n_items + 1, dim, padding_idx=0)
            nn.init.normal_(self.ids.weight[1:], std=0.02)

    def embed(self, features: dict, items: Tensor) -> dict[str, Tensor]:
        """Return the text and image embeddings of items: {"text": z_t, "image": z_v}.

        features["text"] and features["image"] are pairs (slots, valid) with the entry i
        for item i: shapes (items, slots, D) and (items, slots). items: integers of any
        shape; z_t and z_v have the same shape and an axis of width d. An item with one
        modality uses its embedding for both. If there are ID embeddings (self.ids is
        not None), add the item's to z_t and z_v.
        """
        distinct, row = items.unique(return_inverse=True)  # each item is embedded once
        z, has = {}, {}
        for modality, (slots, valid) in features.items():
            pooled, _ = self.pool[modality](slots[distinct], valid[distinct])
            z[modality] = self.adapt[modality](pooled)
            has[modality] = valid[distinct].any(dim=1, keepdim=True)
        text = torch.where(has["text"] | ~has["image"], z["text"], z["image"])
        image = torch.where(has["image"] | ~has["text"], z["image"], z["text"])
        if self.ids is not None:
            text, image = text + self.ids(distinct), image + self.ids(distinct)
        return {"text": text[row], "image": image[row]}

    def forward(self, z: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the hidden states {"text": h_t, "image": h_v} of sequences.

        z: the embeddings of the items, {"text": z_t, "image": z_v}, each of shape
        (batch, time, d). Both go through the same Transformer.
        """
        text, image = self.transformer(z["text"]), self.transformer(z["image"])
        return {"text": text, "image": image}


# ------------------------------------------------------------------ how attempts are used

M2SE_SIZES = (3, 4, 1, 2, 8, 8, 2, 3, 0.5)


def random_features(n_items: int, dim: int = 3) -> dict[str, tuple[Tensor, Tensor]]:
    """Return features of items with 0 to 2 slots; item 2 has no image, item 3 no text."""
    generator, features = torch.Generator().manual_seed(1), {}
    for modality, without in (("text", 3), ("image", 2)):
        valid = torch.rand(n_items + 1, 2, generator=generator) < 0.7
        valid[:, 0] = True
        valid[[0, without]] = False
        slots = torch.randn(n_items + 1, 2, dim, generator=generator) * valid.unsqueeze(-1)
        features[modality] = (slots, valid)
    return features


def use_m2se(kind: type, items: Tensor, n_items: int) -> WithGradients:
    """Embed items and encode them, with and without ID embeddings."""

    def run(model: nn.Module) -> list[Tensor]:
        z = model.embed(random_features(5), items)
        h = model(z)
        return [z["text"], z["image"], h["text"], h["image"]]

    return differentiate(run, make_module(kind, (*M2SE_SIZES, n_items)).eval())


# ------------------------------------------------------------------ mistakes


def attend(scale=True, mask=None, dim=-1, after=False):
    """Return attention with another scale, mask or softmax."""

    def attention(query, key, value, dropout=0.0):
        scores = query @ key.transpose(-1, -2) / (key.shape[-1] ** 0.5 if scale else 1)
        allowed = causal_mask(key.shape[-2]) if mask is None else mask(key.shape[-2])
        if after:
            return scores.softmax(dim=dim) * allowed @ value
        return scores.masked_fill(~allowed, -1e9).softmax(dim=dim) @ value

    return attention


def make_block(activation=F.gelu, residual=1, post_norm=True, heads=None, join=True):
    """Return a block with something else in its place."""

    def forward(self, x):
        batch, time, dim = x.shape
        split = (batch, time, 3, heads or self.heads, dim // (heads or self.heads))
        read = causal_attention(*self.qkv(x).view(split).permute(2, 0, 3, 1, 4))
        read = self.out((read.transpose(1, 2) if join else read).reshape(batch, time, dim))
        if post_norm:
            x = self.norm_attention(residual * x + read)
            return self.norm_ffn(residual * x + self.down(activation(self.up(x))))
        x = x + self.norm_attention(read)
        return x + self.norm_ffn(self.down(activation(self.up(x))))

    return vary(Block, forward=forward)


def make_transformer(positions=lambda weight, time: weight[:time], norm=True, blocks=None):
    """Return a Transformer with other positions, without norm or with fewer blocks."""

    def forward(self, x):
        x = x + positions(self.position.weight, x.shape[1])
        x = self.norm(x) if norm else x
        for block in self.blocks[:blocks]:
            x = block(x)
        return x

    return vary(CausalTransformer, forward=forward)


def embed_without_ids(self, features, items):
    """Embed items from their content alone."""
    ids, self.ids = self.ids, None
    z = M2SE.embed(self, features, items)
    self.ids = ids
    return z


def embed_without_substitute(self, features, items):
    """Embed items so that one modality never stands in for the other."""
    distinct, row = items.unique(return_inverse=True)
    z = {}
    for modality, (slots, valid) in features.items():
        pooled, _ = self.pool[modality](slots[distinct], valid[distinct])
        z[modality] = self.adapt[modality](pooled)
        if self.ids is not None:
            z[modality] = z[modality] + self.ids(distinct)
    return {modality: of_items[row] for modality, of_items in z.items()}


def embed_text_twice(self, features, items):
    """Embed the texts as if they were the images too."""
    return M2SE.embed(self, {"text": features["text"], "image": features["text"]}, items)


def encode_joined(self, z):
    """Encode both modalities as one long sequence."""
    joined = torch.cat([z["text"], z["image"]], dim=1)
    text, image = self.transformer(joined).chunk(2, dim=1)
    return {"text": text, "image": image}
