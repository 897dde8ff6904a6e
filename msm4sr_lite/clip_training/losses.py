"""What the trainings of small CLIPs share: a loss with several right answers, and a schedule."""

from __future__ import annotations

import math

from torch import Tensor


def cross_entropy(logits: Tensor, holds: Tensor) -> Tensor:
    """Cross-entropy of each row against equal shares for all that hold, mean over the rows."""
    target = holds.float() / holds.sum(1, keepdim=True)
    return -(target * logits.log_softmax(1)).sum(1).mean()


def rate(step: int, steps: int) -> float:
    """Share of the highest learning rate: a short rise, then half a cosine down to nearly 0."""
    done = (step + 1) / steps
    return min(done / 0.06, 0.5 + 0.5 * math.cos(math.pi * max(0.0, done - 0.06) / 0.94) + 1e-3)
