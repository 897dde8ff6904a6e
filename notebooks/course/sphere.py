"""Alignment and uniformity of embeddings on the unit sphere.

Wang & Isola, 2020 (arXiv 2005.10242): a contrastive loss pulls pairs together (alignment) and
spreads all embeddings over the sphere (uniformity). Either alone is easy and worthless.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def alignment(a: Float[Tensor, "pairs dim"], b: Float[Tensor, "pairs dim"]) -> float:
    """Return the mean squared distance of the pairs' unit vectors: 0 (equal) to 4 (opposite).

    >>> import torch
    >>> alignment(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]]))
    2.0
    """
    return float((F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(dim=1).mean())


def uniformity(embeddings: Float[Tensor, "count dim"], sharpness: float = 2.0) -> float:
    """Return log of the mean of e^(-t d^2) over all pairs, d their distance as unit vectors.

    0 if all embeddings are equal; the more evenly they are spread, the lower; never below -4 t.

    Parameters
    ----------
    embeddings
        At least two.
    sharpness
        t.
    """
    squares = F.pdist(F.normalize(embeddings, dim=1)).square()
    return float((-sharpness * squares).logsumexp(dim=0)) - math.log(len(squares))
