"""Whitening of item features, and adaptors that start with it.

Whitening is a fixed linear map that spreads features evenly over all directions.

Embeddings of BERT lie in a narrow cone: any two have a high cosine, whatever they say (Ethayarajh,
2019). Without their mean, and with equal variance in every direction, cosines tell items apart
(Su et al., 2021).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

# Directions with less than this share of the largest variance are rounding errors of equal or
# constant embeddings.
RANK = 1e-6
START_STD = 0.02  # of the first outputs of an adaptor, as of ID embeddings


class Whitening(nn.Module):
    """Map item features from width D to width w: (x - mean) A. Nothing in it is trained.

    Input ``(items, D)``, output ``(items, w)``. Before ``fit`` the map is the identity, cut to w.

    Parameters
    ----------
    feature_dim, dim
        D and w.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, feature_dim: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(feature_dim))
        self.register_buffer("matrix", torch.eye(feature_dim, dim))

    def forward(self, x: Float[Tensor, "items feature"]) -> Float[Tensor, "items whitened"]:
        """Return the whitened features; those of an item without any, which are 0, stay 0."""
        return (x - self.mean) @ self.matrix * x.any(dim=-1, keepdim=True)

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "items feature"], kind: str) -> None:
        """Learn mean and matrix from the features of the items that training may see.

        With the eigenvectors V of the covariance and its eigenvalues s, in descending order:
        ``centre`` A = I; ``pca`` A = V s^(-1/2), cut to the first w columns; ``zca``
        A = V s^(-1/2) V', which changes the features least. With both, the covariance of the output
        is the identity, except in directions in which all items are equal: there the output is 0.
        """
        if not len(x):
            return
        x = x.double()
        mean = x.mean(dim=0)
        self.mean.copy_(mean)
        if kind == "centre":
            return
        variances, directions = torch.linalg.eigh(torch.cov(x.T, correction=0))
        variances, directions = variances.flip(0), directions.flip(1)
        is_real = variances > max(float(variances[0]) * RANK, torch.finfo(torch.float32).tiny)
        scales = torch.where(is_real, variances.clamp_min(0), torch.inf) ** -0.5
        whitened = directions * scales
        matrix = whitened @ directions.T if kind == "zca" else whitened
        self.matrix.copy_(matrix[:, : self.matrix.shape[1]])


class Projector(nn.Module):
    """Map item features from width D to the model's width d by one linear layer, or by two.

    linear: z = dropout(W x + b). mlp: z = dropout(W' gelu(W x + b) + b'). W and b start as the
    principal components of the items. Source: UniSRec (Hou et al., 2022) and WhitenRec (Zhang et
    al., 2024).

    There is no normalization, unlike in ``MoEAdaptor``. The output starts as small as the ID
    embeddings, which can therefore correct it from the first steps on.

    Input ``(items, D)``, output ``(items, d)``.
    """

    def __init__(self, feature_dim: int, dim: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.first, self.dropout = nn.Linear(feature_dim, dim), nn.Dropout(dropout)
        self.second = nn.Linear(dim, dim) if layers == 2 else None
        if self.second:
            nn.init.normal_(self.second.weight, std=START_STD / dim**0.5)
            nn.init.zeros_(self.second.bias)

    def forward(self, x: Float[Tensor, "items feature"]) -> Float[Tensor, "items dim"]:
        """Return the projected features."""
        z = self.first(x)
        return self.dropout(self.second(F.gelu(z)) if self.second else z)

    @torch.no_grad()
    def start(self, x: Float[Tensor, "items feature"]) -> None:
        """Set the first layer to the principal components of the items' features."""
        layer = self.first
        n = min(layer.in_features, layer.out_features)  # further outputs keep random weights
        components = Whitening(layer.in_features, n)
        components.fit(x, "pca")
        layer.weight[:n] = components.matrix.T * (1 if self.second else START_STD)
        layer.bias[:n] = -layer.weight[:n] @ components.mean
