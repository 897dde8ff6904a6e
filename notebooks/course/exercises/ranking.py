"""Scores of all items and the loss of fine-tuning; the exercises are in nb07."""

# mypy: disable-error-code="operator"

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course.attempts import differentiate, make_module
from course.exercises.encoder import M2SE, M2SE_SIZES, random_features
from course.exercises.nb01 import make_batch
from course.exercises.nb02 import cosine_scores


def match_scores(h: dict[str, Tensor], z: dict[str, Tensor]) -> Tensor:
    """Return the score of every item for every state, shape (rows, items).

    h: states {"text": h_t, "image": h_v}, each (rows, dim); z: embeddings of all items
    {"text": z_t, "image": z_v}, each (items, dim). A score is the sum of the cosines
    cos(h_t, z_t) and cos(h_v, z_v).
    """
    return cosine_scores(h["text"], z["text"]) + cosine_scores(h["image"], z["image"])


def score_histories(
    model: nn.Module, features: dict, histories: list[list[int]], max_len: int = 50
) -> Tensor:  # fmt: skip
    """Return the score of every item after each history, shape (histories, items + 1).

    histories: item numbers, oldest first; only the newest max_len count. The state at
    the last item of a history is compared with all items by match_scores; column i
    belongs to item i, and features["text"][0] has an entry for each column.
    """
    items, _ = make_batch([[*history, 0] for history in histories], max_len)
    h = model(model.embed(features, items))
    rows, last = torch.arange(len(items)), (items != 0).sum(dim=1) - 1
    h = {modality: states[rows, last] for modality, states in h.items()}
    catalogue = model.embed(features, torch.arange(len(features["text"][0])))
    return match_scores(h, catalogue)


def ranking_loss(
    model: nn.Module, features: dict, items: Tensor, targets: Tensor, tau: float = 0.07
) -> Tensor:  # fmt: skip
    """Return what fine-tuning minimizes: the cross-entropy of the next item among all.

    items, targets: from make_batch. Every target that is not 0 is predicted from the
    state at its position. The logits are the match_scores with all items divided by
    tau; padding, item 0, is no class. Result: one number, the mean over the targets.
    """
    rows, position = targets.nonzero(as_tuple=True)
    h = model(model.embed(features, items))
    h = {modality: states[rows, position] for modality, states in h.items()}
    catalogue = model.embed(features, torch.arange(len(features["text"][0])))
    logits = match_scores(h, catalogue) / tau
    return F.cross_entropy(logits[:, 1:], targets[rows, position] - 1)


def make_ranking(padding=0, last_only=False, classes=None, reduction="mean"):
    """Return a ranking loss with padding as a class, fewer targets, fewer classes or a sum."""

    def loss(model, features, items, targets, tau=0.07):
        if last_only:
            targets = targets * (torch.arange(targets.shape[1]) == (targets > 0).sum(1, True) - 1)
        rows, position = targets.nonzero(as_tuple=True)
        target = targets[rows, position]
        h = {m: s[rows, position] for m, s in model(model.embed(features, items)).items()}
        logits = match_scores(h, model.embed(features, torch.arange(6))) / tau
        if classes == "batch":
            return F.cross_entropy(logits[:, target], torch.arange(len(target)))
        return F.cross_entropy(logits[:, 1 - padding :], target - 1 + padding, reduction=reduction)

    return loss


def use_model(attempt, *given):
    """Call an attempt with a small model and features before the case, and differentiate."""
    model = make_module(M2SE, (*M2SE_SIZES, 5)).eval()
    return differentiate(lambda m: attempt(m, random_features(5), *given), model)


def score_at(place):
    """Return scores from another state of each history than the last one."""

    def scores(model, features, histories, max_len=50):
        items, _ = make_batch([[*history, 0] for history in histories], max_len)
        h = {m: s[:, place] for m, s in model(model.embed(features, items)).items()}
        return match_scores(h, model.embed(features, torch.arange(6)))

    return scores
