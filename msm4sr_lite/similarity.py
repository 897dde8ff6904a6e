"""Cosine similarity, which the model uses to compare embeddings."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def normalize(embeddings: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows dim"]:
    """Scale embeddings to L2 norm 1, in float32 (a zero embedding stays zero)."""
    return F.normalize(embeddings.float(), dim=-1)


def cosine_scores(
    queries: Float[Tensor, "*states rows dim"], items: Float[Tensor, "items dim"]
) -> Float[Tensor, "*states rows items"]:
    """Return the cosine of every query with every item, in float32 even under autocast."""
    with torch.autocast(queries.device.type, enabled=False):
        return normalize(queries) @ normalize(items).T
