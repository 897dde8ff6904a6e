"""The contrastive losses of pre-training and the ranking losses of fine-tuning.

All losses are cross-entropies of cosine similarities divided by a temperature (InfoNCE). They work
in log space (``logsumexp``, ``cross_entropy``): with tau = 0.07 a sum of exponentials would lose
its small terms in float32.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from msm4sr_lite.fast import has_fast_form
from msm4sr_lite.similarity import cosine_scores

States = Float[Tensor, "*states rows dim"]
Rows = Float[Tensor, "rows dim"]
Pairs = Bool[Tensor, "rows rows"]
Numbers = Int[Tensor, " rows"]
Scores = Float[Tensor, "rows items"]
Drawn = Int[Tensor, " drawn"]
LogCount = Float[Tensor, " drawn"]
Loss = Float[Tensor, ""]
EXCLUDED = -torch.inf  # logit of an excluded pair: e^-inf = 0


def false_negatives(targets: Numbers, users: Numbers, *, same_user: bool) -> Pairs:
    """Mark pairs of rows that must not be negatives of each other.

    Source: ours; the released code keeps such pairs with logit 0.

    Parameters
    ----------
    targets, users
        Item number of the target and user index of each row.
    same_user
        Whether rows of the same user are also marked.

    Returns
    -------
    masked
        True for rows with the same target; this includes the diagonal.
    """
    masked = targets[:, None] == targets[None, :]
    return masked | (users[:, None] == users[None, :]) if same_user else masked


def masked_logits(
    queries: States, keys: Rows, masked: Pairs, tau: float, logit: float
) -> Float[Tensor, "*states rows rows"]:
    """Return cos(query_i, key_j) / tau; false negatives off the diagonal get ``logit``."""
    off_diagonal = masked & ~torch.eye(len(keys), dtype=torch.bool, device=keys.device)
    return (cosine_scores(queries, keys) / tau).masked_fill(off_diagonal, logit)


@has_fast_form
def next_item_loss(
    h: States, z: Rows, masked: Pairs, *, temperature: float, masked_logit: float = EXCLUDED
) -> Loss:
    """Compute the NIP loss: a sequence should be closer to its own next item than to the others.

    loss = mean_i [log(sum_{j = i or not masked} exp(cos(h_i, z_j) / tau)) - cos(h_i, z_i) / tau]

    Source: released code. With one state it is the cross-entropy with the diagonal as the labels.

    Parameters
    ----------
    h
        Sequence representations, one row per prediction, of any norm. A leading axis holds several
        states with the same target (projections). Positives are summed over these states, and so
        are negatives.
    z
        Target embedding of each row.
    masked
        True where the target of row j is a false negative for row i.
    temperature
        tau > 0, no unit.
    masked_logit
        Logit of masked pairs. The released code uses 0, so that each of them still adds e^0 = 1.

    Returns
    -------
    loss
        Scalar in nats, >= 0; log(rows) if all embeddings are equal and only the diagonal is masked.

    Examples
    --------
    >>> same, masked = torch.ones(4, 3), torch.eye(4, dtype=torch.bool)
    >>> round(next_item_loss(same, same, masked, temperature=0.07).item(), 4)  # log(4)
    1.3863
    """
    logits = masked_logits(h.reshape(-1, *z.shape), z, masked, temperature, masked_logit)
    positives = logits.diagonal(dim1=1, dim2=2)  # (states, rows)
    return (logits.logsumexp(dim=(0, 2)) - positives.logsumexp(dim=0)).mean()


@has_fast_form
def cross_modal_loss(
    text: Rows,
    image: Rows,
    masked: Pairs,
    *,
    temperature: float,
    masked_logit: float = EXCLUDED,
    form: str = "symmetric",
) -> Loss:
    """Compute the CMCL loss: text and image of one sequence attract, other sequences repel.

    For the anchor text_i the positive is image_i. The negatives are image_j and text_j of all rows
    j that are not masked. Image anchors are treated in the same way, and both directions are
    averaged.

    Source: abstract. The formula follows the released code; ``symmetric`` is ours. In the released
    code's ``rowwise`` form, the image direction uses the cross-modal logits of the text anchor too.

    Parameters
    ----------
    text, image
        h_t and h_v of each sequence, of any norm.
    masked, temperature, masked_logit
        As in ``next_item_loss``.
    form
        ``symmetric`` or ``rowwise``.

    Returns
    -------
    loss
        Scalar in nats; log(2 rows - 1) if all embeddings are equal and only the diagonal is masked.

    Examples
    --------
    >>> same, masked = torch.ones(4, 3), torch.eye(4, dtype=torch.bool)
    >>> round(cross_modal_loss(same, same, masked, temperature=0.07).item(), 4)  # log(7)
    1.9459
    """
    labels, losses = torch.arange(len(text), device=text.device), []
    for anchor, other in ((text, image), (image, text)):
        query, key = (text, image) if form == "rowwise" else (anchor, other)
        across = masked_logits(query, key, masked, temperature, masked_logit)
        within = masked_logits(anchor, anchor, masked, temperature, masked_logit)
        within = within.fill_diagonal_(EXCLUDED)  # an anchor is no negative of itself
        losses.append(F.cross_entropy(torch.cat([across, within], dim=1), labels))
    return torch.stack(losses).mean()


def ranking_loss(scores: Scores, target: Numbers, *, temperature: float) -> Loss:
    """Return the cross-entropy of the target among all columns, in nats.

    Source: released code. ``scores`` are sums of cosines; ``target`` is a column.
    """
    return F.cross_entropy(scores.float() / temperature, target)


def sampled_ranking_loss(
    scores: Scores, target: Numbers, drawn: Drawn, log_count: LogCount, *, temperature: float
) -> Loss:
    """Return the cross-entropy of the target among itself and sampled negatives (sampled softmax).

    Source: ours. With n draws, an item of probability q is drawn n q times on average. Each time it
    contributes e^(score / tau) / (n q), the logQ correction. On average, the sum over the draws
    therefore equals the sum over all items.

    Parameters
    ----------
    scores
        Sums of cosines with all items.
    target
        Column of each row's target. It needs no correction and is never a negative of its own row.
    drawn
        Columns of the sampled negatives, the same for all rows.
    log_count
        log(n q) of each sampled negative.
    temperature
        tau > 0.
    """
    positive = scores.gather(1, target[:, None]) / temperature
    negatives = scores[:, drawn] / temperature - log_count
    negatives = negatives.masked_fill(drawn == target[:, None], EXCLUDED)
    return (torch.cat([positive, negatives], dim=1).logsumexp(dim=1) - positive[:, 0]).mean()
