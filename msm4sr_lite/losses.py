"""The two contrastive losses of pre-training and the ranking loss of fine-tuning.

All are pure functions in log-sum-exp form, computed in float32 whatever the encoder's precision:
with a temperature of 0.07 a sum of exponentials would lose its small terms. ``blocked`` marks the
pairs that are no negatives (True = left out), so nothing is ever subtracted from a sum.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from msm4sr_lite.similarity import normalize

AT_ONCE = 2**25  # scores of targets and items that are held as a whole
CACHED = 2**19  # scores of rows and rows that are worked out together
ON_GPU = 2**7  # times as many, since every call takes its time, however little there is to do
EXCLUDED = -torch.inf  # the logit of a pair that is no negative: e^-inf = 0


def false_negatives(
    targets: Int[Tensor, " rows"], users: Int[Tensor, " rows"], *, same_user: bool
) -> Bool[Tensor, "rows rows"]:
    """Mark pairs of rows that must not be negatives of each other.

    Rows with the same target item always; with ``same_user`` also rows of one customer. The
    diagonal is marked too (each row shares its target with itself).
    """
    masked = targets[:, None] == targets[None, :]
    if same_user:
        masked = masked | (users[:, None] == users[None, :])
    return masked


def next_item_loss(
    sequence: Float[Tensor, "*states rows dim"],
    target: Float[Tensor, "rows dim"],
    masked: Bool[Tensor, "rows rows"],
    *,
    temperature: float,
    masked_logit: float = EXCLUDED,
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
        states = normalize(sequence if sequence.ndim == 3 else sequence.unsqueeze(0)) / temperature
        goals = normalize(target).expand_as(states)
        return cast(Tensor, _OwnColumn.apply(states, goals, len(states), masked, masked_logit))


def cross_modal_loss(
    text: Float[Tensor, "rows dim"],
    image: Float[Tensor, "rows dim"],
    masked: Bool[Tensor, "rows rows"],
    *,
    temperature: float,
    masked_logit: float = EXCLUDED,
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
        t, v = normalize(text), normalize(image)
        across = (v, t) if form == "symmetric" else (t, v)
        both = []
        for pairs in [(t, v), (t, t)], [across, (v, v)]:
            first, second = map(torch.stack, zip(*pairs, strict=True))
            both.append(_OwnColumn.apply(first / temperature, second, 1, masked, masked_logit))
        return torch.stack(both).mean()


class _OwnColumn(torch.autograd.Function):
    """The mean over i of -log( sum of e^(a_i.b_i) / sum over j of e^(a_i.b_j) ).

    The lower sum runs over all pairs (a, b), each ``(pairs, rows, dim)``, the upper one over the
    first ``positives`` of them; in the rest a row would meet itself, which is left out. Some rows
    are worked out at a time: what fits into a processor's cache is quicker, and on a GPU few
    large steps are. Gradients are made along with them, so that no scores are kept: that of a
    score is its share of the lower sum less its share of the upper one.
    """

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, b: Tensor, positives: int, masked: Tensor, masked_logit: float
    ) -> Tensor:
        """Return the loss of all rows."""
        count, others = len(masked), masked.clone().fill_diagonal_(False)
        loss, grad_a, grad_b = a.new_zeros(()), torch.zeros_like(a), torch.zeros_like(b)
        size = max(1, CACHED * (1 if a.is_cpu else ON_GPU) // (len(a) * count))
        for first in range(0, count, size):
            rows = slice(first, first + size)
            scores = (a[:, rows] @ b.mT).masked_fill_(others[rows], masked_logit)
            scores[positives:].diagonal(first, 1, 2).fill_(EXCLUDED)
            own = scores[:positives].diagonal(first, 1, 2)
            upper, scores = own.logsumexp(dim=0), scores.transpose(0, 1).flatten(1)
            share = scores.softmax(dim=1)
            # Of the largest term both score and share are known: their difference is the lower sum.
            loss += (scores.amax(dim=1) - share.amax(dim=1).log() - upper).sum() / count
            share = share.unflatten(1, (len(a), count)).transpose(0, 1)
            share[:positives].diagonal(first, 1, 2).sub_((own - upper).exp())
            if masked_logit != EXCLUDED:
                share.masked_fill_(others[rows], 0)
            grad_a[:, rows] = share @ b / count
            grad_b += share.mT @ a[:, rows] / count
        ctx.save_for_backward(grad_a, grad_b)
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """Return the gradients of a and b."""
        grad_a, grad_b = ctx.saved_tensors
        return gradient * grad_a, gradient * grad_b, None, None, None


def ranking_loss(
    scores: Float[Tensor, "rows items"], target: Int[Tensor, " rows"], *, temperature: float
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the next item over the catalogue; ``target`` names a column."""
    with torch.autocast(scores.device.type, enabled=False):
        return F.cross_entropy(scores.float() / temperature, target)


def catalogue_loss(
    states: Float[Tensor, "rows dim"],
    items: Float[Tensor, "items dim"],
    target: Int[Tensor, " rows"],
    *,
    temperature: float,
    at_once: int = AT_ONCE,
) -> Float[Tensor, ""]:
    """Return ``ranking_loss`` of the scores ``states @ items.T``, never held as a whole if large.

    Then the scores of some items at a time are reduced to their log-sum-exp, forgotten, and
    computed again for the gradients, which are exact.

    Parameters
    ----------
    states, items
        Used as they are: normalise them first. Cosines of several views add up if the views stand
        side by side.
    target
        The item of each row.
    temperature
        tau, positive.
    at_once
        Most scores held.
    """

    def block(part: Tensor) -> Tensor:
        return (states @ part.T / temperature).logsumexp(dim=1)

    with torch.autocast(states.device.type, enabled=False):
        size = max(1, at_once // len(states))
        if size >= len(items):
            return ranking_loss(states @ items.T, target, temperature=temperature)
        blocks = [checkpoint(block, part, use_reentrant=False) for part in items.split(size)]
        own = (states * items[target]).sum(dim=1) / temperature
        return (torch.stack(blocks).logsumexp(dim=0) - own).mean()


def sampled_loss(
    states: Float[Tensor, "rows dim"],
    targets: Float[Tensor, "rows dim"],
    drawn: Float[Tensor, "drawn dim"],
    hit: Bool[Tensor, "rows drawn"],
    log_count: Float[Tensor, " drawn"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """Return the cross-entropy over the target and some drawn items: sampled softmax.

    An item that is drawn n q times on average stands for itself with e^(score / tau) / (n q), so
    that the sum over drawn items is, on average, the sum over the catalogue (the logQ
    correction). The target is always there and needs no correction.

    Parameters
    ----------
    states, targets, drawn
        States, each one's target item, and the drawn items, the same for all states; used as they
        are, like those of ``catalogue_loss``.
    hit
        True where the drawn item is the row's target, which is counted already.
    log_count
        log(n q), the logarithm of how often each item is drawn on average.
    temperature
        tau, positive.
    """
    with torch.autocast(states.device.type, enabled=False):
        positive = (states * targets).sum(dim=1, keepdim=True) / temperature
        negative = (states @ drawn.T / temperature - log_count).masked_fill(hit, EXCLUDED)
        return (torch.cat([positive, negative], dim=1).logsumexp(dim=1) - positive[:, 0]).mean()
