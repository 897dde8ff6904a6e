"""The two contrastive losses of pre-training and the ranking loss of fine-tuning.

All are pure functions in log-sum-exp form, computed in float32 whatever the encoder's precision:
with a temperature of 0.07 a sum of exponentials would lose its small terms. ``blocked`` marks the
pairs that are no negatives (True = left out), so nothing is ever subtracted from a sum.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def blocked_pairs(
    targets: Int[Tensor, " rows"],
    users: Int[Tensor, " rows"],
    *,
    same_user: bool,
) -> Bool[Tensor, "rows rows"]:
    """Mark pairs of rows that must not be negatives of each other.

    Rows with the same target item always; with ``same_user`` also rows of one customer. The
    diagonal is marked too (each row shares its target with itself).
    """
    blocked = targets[:, None] == targets[None, :]
    if same_user:
        blocked = blocked | (users[:, None] == users[None, :])
    return blocked


def next_item_loss(
    sequence: Float[Tensor, "rows dim"],
    target: Float[Tensor, "rows dim"],
    blocked: Bool[Tensor, "rows rows"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """NIP: the sequence should be closer to its next item than to the other rows' next items.

    mean_i [ log( exp(h_i.g_i / tau) + sum_{j not blocked} exp(h_i.g_j / tau) ) - h_i.g_i / tau ]
    with unit vectors h (sequence) and g (target item).

    Parameters
    ----------
    sequence, target
        One row per prediction, any length: rows are normalised here.
    blocked
        True where row j's target is no negative for row i. The diagonal is the positive.
    temperature
        tau, positive.

    Returns
    -------
    loss
        Scalar in nats, >= 0; log(rows) if all vectors are equal and nothing else is blocked.

    Examples
    --------
    >>> same, blocked = torch.ones(4, 3), torch.eye(4, dtype=torch.bool)
    >>> round(next_item_loss(same, same, blocked, temperature=0.07).item(), 4)
    1.3863
    """
    with torch.autocast(sequence.device.type, enabled=False):
        logits = _cosines(sequence, target) / temperature
        positive = logits.diagonal()
        return (
            _logsumexp_with(positive, logits.masked_fill(blocked, -torch.inf)) - positive
        ).mean()


def cross_modal_loss(
    text: Float[Tensor, "rows dim"],
    image: Float[Tensor, "rows dim"],
    blocked: Bool[Tensor, "rows rows"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """CMCL: the two views of one sequence attract, views of other sequences repel.

    For the text view t_i the positive is v_i; negatives are the image views v_j and the text
    views t_j of all rows j that are not blocked. The image view is treated alike, and the two
    directions are averaged. (The released code anchors both directions at the text view.)

    Returns
    -------
    loss
        Scalar in nats; log(2 rows - 1) if all vectors are equal and only the diagonal is blocked.

    Examples
    --------
    >>> same, blocked = torch.ones(4, 3), torch.eye(4, dtype=torch.bool)
    >>> round(cross_modal_loss(same, same, blocked, temperature=0.07).item(), 4)
    1.9459
    """
    with torch.autocast(text.device.type, enabled=False):
        across = _cosines(text, image) / temperature
        positive = across.diagonal()
        total = torch.zeros_like(positive)
        for cross, within in ((across, _cosines(text, text)), (across.T, _cosines(image, image))):
            logits = torch.cat([cross, within / temperature], dim=1)
            logits = logits.masked_fill(blocked.repeat(1, 2), -torch.inf)
            total = total + _logsumexp_with(positive, logits) - positive
        return (total / 2).mean()


def ranking_loss(
    scores: Float[Tensor, "rows items"], target: Int[Tensor, " rows"], *, temperature: float
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the next item over the catalogue; ``target`` names a column."""
    with torch.autocast(scores.device.type, enabled=False):
        return F.cross_entropy(scores.float() / temperature, target)


def _cosines(
    a: Float[Tensor, "rows dim"], b: Float[Tensor, "cols dim"]
) -> Float[Tensor, "rows cols"]:
    return F.normalize(a.float(), dim=-1) @ F.normalize(b.float(), dim=-1).T


def _logsumexp_with(
    positive: Float[Tensor, " rows"], negatives: Float[Tensor, "rows cols"]
) -> Float[Tensor, " rows"]:
    return torch.cat([positive[:, None], negatives], dim=1).logsumexp(dim=1)
