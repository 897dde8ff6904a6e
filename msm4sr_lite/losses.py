"""The two contrastive losses of pre-training and the ranking loss of fine-tuning.

All are pure functions in log-sum-exp form, computed in float32 whatever the encoder's precision:
with a temperature of 0.07 a sum of exponentials would lose its small terms. ``blocked`` marks the
pairs that are no negatives (True = left out), so nothing is ever subtracted from a sum.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from msm4sr_lite.encoder import cosine_scores

EXCLUDED = -torch.inf  # the logit of a pair that is no negative: e^-inf = 0


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
    sequence: Float[Tensor, "*states rows dim"],
    target: Float[Tensor, "rows dim"],
    blocked: Bool[Tensor, "rows rows"],
    *,
    temperature: float,
    blocked_logit: float = EXCLUDED,
) -> Float[Tensor, ""]:
    """NIP: the sequence should be closer to its next item than to the other rows' next items.

    mean_i [ log( exp(h_i.g_i / tau) + sum_{j not blocked} exp(h_i.g_j / tau) ) - h_i.g_i / tau ]
    with unit vectors h (sequence) and g (target item).

    Parameters
    ----------
    sequence
        One row per prediction, any length: rows are normalised here. With a leading axis several
        states share one target; their positives are added, and so are their negatives.
    target
        The next item of each row.
    blocked
        True where row j's target is no negative for row i. The diagonal is the positive.
    temperature
        tau, positive.
    blocked_logit
        Logit of blocked pairs. The released code uses 0, so that each still adds e^0.

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
    with torch.autocast(target.device.type, enabled=False):
        states = sequence.unsqueeze(0) if sequence.ndim == 2 else sequence
        logits = torch.stack([cosine_scores(state, target) / temperature for state in states])
        positive = logits.diagonal(dim1=1, dim2=2)
        negative = torch.stack([_only_negatives(one, blocked, blocked_logit) for one in logits])
        everything = torch.cat([positive.unsqueeze(2), negative], dim=2)
        return (everything.logsumexp(dim=(0, 2)) - positive.logsumexp(dim=0)).mean()


def cross_modal_loss(
    text: Float[Tensor, "rows dim"],
    image: Float[Tensor, "rows dim"],
    blocked: Bool[Tensor, "rows rows"],
    *,
    temperature: float,
    blocked_logit: float = EXCLUDED,
    form: Literal["symmetric", "rowwise"] = "symmetric",
) -> Float[Tensor, ""]:
    """CMCL: the two views of one sequence attract, views of other sequences repel.

    For the text view t_i the positive is v_i; negatives are the image views v_j and the text
    views t_j of all rows j that are not blocked. The image view is treated alike, and the two
    directions are averaged. ``rowwise`` is the released code's form: the image direction, too,
    takes its cross-modal negatives t_i.v_j from the text view.

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
        across = cosine_scores(text, image) / temperature
        positive = across.diagonal()
        loss = torch.zeros_like(positive)
        for view, cross in (
            (text, across),
            (image, across.T if form == "symmetric" else across),
        ):
            within = cosine_scores(view, view) / temperature
            parts = [_only_negatives(part, blocked, blocked_logit) for part in (cross, within)]
            everything = torch.cat([positive.unsqueeze(1), *parts], dim=1)
            loss = loss + (everything.logsumexp(dim=1) - positive) / 2
        return loss.mean()


def ranking_loss(
    scores: Float[Tensor, "rows items"], target: Int[Tensor, " rows"], *, temperature: float
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the next item over the catalogue; ``target`` names a column."""
    with torch.autocast(scores.device.type, enabled=False):
        return F.cross_entropy(scores.float() / temperature, target)


def _only_negatives(
    logits: Float[Tensor, "rows rows"], blocked: Bool[Tensor, "rows rows"], blocked_logit: float
) -> Float[Tensor, "rows rows"]:
    """Take out the diagonal, which is no negative, and give blocked pairs their logit."""
    diagonal = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    return logits.masked_fill(blocked, blocked_logit).masked_fill(diagonal, EXCLUDED)
