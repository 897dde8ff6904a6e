"""Cosine similarity, the one measure by which the model compares embeddings."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def normalize(vectors: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows dim"]:
    """Return vectors of length 1 in the same directions, in float32."""
    return F.normalize(vectors.float(), dim=-1)


def cosine_scores(
    states: Float[Tensor, "rows dim"], items: Float[Tensor, "items dim"]
) -> Float[Tensor, "rows items"]:
    """Return the cosine of every state with every item, in float32 under autocast too."""
    with torch.autocast(states.device.type, enabled=False):
        return normalize(states) @ normalize(items).T
