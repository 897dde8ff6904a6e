"""What the small CLIPs learn from: agreement of pictures with all captions that hold for them."""

from __future__ import annotations

import math

from torch import Tensor


def soft_target_loss(logits: Tensor, holds: Tensor) -> Tensor:
    """Symmetric cross-entropy against all captions that hold, not just the picture's own.

    "a blue mug" holds for every blue mug of the batch. CLIP's usual targets, the diagonal,
    would push the other blue mugs away from it and teach the model that words are names of
    single pictures. So each row aims at all captions that hold, in equal shares, and each
    column at all pictures that its caption holds for.

    Parameters
    ----------
    logits
        ``(pictures, captions)``.
    holds
        Bool of the same shape. Captions that hold for no picture count in the rows only.
    """
    rows = cross_entropy(logits, holds)
    used = holds.any(0)
    return (rows + cross_entropy(logits[:, used].T, holds[:, used].T)) / 2


def cross_entropy(logits: Tensor, holds: Tensor) -> Tensor:
    """Cross-entropy of each row against equal shares for all that hold, mean over the rows."""
    target = holds.float() / holds.sum(1, keepdim=True)
    return -(target * logits.log_softmax(1)).sum(1).mean()


def rate(step: int, steps: int) -> float:
    """Share of the highest learning rate: a short rise, then half a cosine down to nearly 0."""
    done = (step + 1) / steps
    return min(done / 0.06, 0.5 + 0.5 * math.cos(math.pi * max(0.0, done - 0.06) / 0.94) + 1e-3)
