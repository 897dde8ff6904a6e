"""How much a keyword of an image counts in the embedding of its item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from msm4sr_lite.encoder import M2SE


@torch.no_grad()
def keyword_influence(model: M2SE, slots: Tensor, image: int, deletions: Tensor) -> Tensor:
    """Return how much z_v changes when one keyword of an image is deleted: 1 - cosine.

    Parameters
    ----------
    model
        Pre-trained or fine-tuned, with the image modality.
    slots
        The item's image slots, one per image, ``(images, D)``.
    image
        Which of them the keywords belong to, counted from 0.
    deletions
        Embeddings of its pseudo-sentence without each keyword, ``(keywords, D)``.

    Returns
    -------
    influence
        One number per keyword, ``(keywords,)``: 0 if nothing changes, at most 2.
    """
    count = len(deletions)
    changed = slots.float().repeat(count + 1, 1, 1)  # the last entry stays as it is
    changed[torch.arange(count), image] = deletions.float()
    valid = torch.ones(changed.shape[:2], dtype=torch.bool)
    z = model.adapt["image"](model.pool["image"](changed, valid)[0])
    return 1 - F.cosine_similarity(z[:count], z[count:], dim=1)
