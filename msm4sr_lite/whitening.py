"""Whitening of item features, and adaptors that start with it.

Whitening is a fixed linear map that spreads features evenly over all directions.

Embeddings of BERT lie in a narrow cone: any two have a high cosine, whatever they say (Ethayarajh,
2019). Without their mean, and with equal variance in every direction, cosines tell items apart
(Su et al., 2021).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Directions with less than this share of the largest variance are rounding errors of equal or
# constant embeddings.
RANK = 1e-6


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
        """Return the whitened features."""
        return (x - self.mean) @ self.matrix

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

    linear: z = LayerNorm(dropout(W x + b)). mlp: z = LayerNorm(dropout(W' gelu(W x + b) + b')).
    ``initialize.new_model`` sets W and b to the principal components of the items. Source: UniSRec
    (Hou et al., 2022) and WhitenRec (Zhang et al., 2024).

    Input ``(items, D)``, output ``(items, d)``.
    """

    def __init__(self, feature_dim: int, dim: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(feature_dim, dim)
        self.second = (
            nn.Sequential(nn.GELU(), nn.Linear(dim, dim)) if layers == 2 else nn.Identity()
        )
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(dim)

    def forward(self, x: Float[Tensor, "items feature"]) -> Float[Tensor, "items dim"]:
        """Return the projected features."""
        return self.norm(self.dropout(self.second(self.first(x))))
