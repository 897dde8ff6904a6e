"""Exercises of notebook 07: scores, the loss of fine-tuning, and how sure a comparison is."""

# mypy: disable-error-code="misc"

from __future__ import annotations

import math

import numpy as np
import torch

from course.checks import Exercise
from course.exercises.nb01 import make_batch
from course.exercises.nb02 import cosine_scores
from course.exercises.ranking import (
    make_ranking,
    match_scores,
    ranking_loss,
    score_at,
    score_histories,
    use_model,
)
from course.quiz import Question

_GENERATOR = torch.Generator().manual_seed(0)
_STATES, _ITEMS = (
    dict(zip(("text", "image"), 3 * torch.randn(2, rows, 4, generator=_GENERATOR), strict=True))
    for rows in (3, 6)
)
_HISTORIES = [[1, 2, 3, 4], [5, 3], [2, 4, 1]]
_BATCH = make_batch([[1, 2, 3, 4, 5], [5, 3, 1], [2, 4, 1, 5]], 50)


def interval(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of values, one value per user.

    Draw as many users as there are, with replacement; take the mean; do so
    resamples times; return the 2.5 % and the 97.5 % quantile of these means.
    """
    rng = np.random.default_rng(seed)
    size = len(values)
    means = [values[rng.integers(0, size, size)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _stretched(factor):
    """Return bootstrap intervals that are wider than they should be by a factor."""

    def wider(values, resamples, seed):
        low, high = interval(values, resamples, seed)
        middle = (low + high) / 2
        return middle + (low - middle) * factor, middle + (high - middle) * factor

    return wider


def _normal(values, *_):
    """Return the interval that a normal distribution would have."""
    half = 1.96 * values.std() / math.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def _width(attempt):
    """Return the width of an attempt's interval in standard errors of the mean."""
    values = (np.random.default_rng(3).random(400) < 0.3).astype(float)
    low, high = attempt(values, 2000, 0)
    return (high - low) / (values.std() / math.sqrt(len(values)))


_REVERSED = "the lower end must come first"
_SINGLE_USERS = "this is where single users lie, not their mean: take the mean of each draw first"
_SAME_USERS = "your draws hardly differ: is it the same users every time?"
_NINETY = "this interval leaves 5 % on each side; 95 % inside leaves 2.5 % on each"
_FORMULA = "with one hit among 100 users your interval begins below 0: draw users, use no formula"
_FEW = "your interval has the wrong width: draw exactly as many users as there are"


def holm(p: list[float]) -> list[float]:
    """Return p-values corrected by Holm's method, in the order given.

    Sort them. Multiply the smallest by how many there are, the next by one less, and
    so on; none may become smaller than the one before it, and none larger than 1.
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    found, highest = [0.0] * len(p), 0.0
    for step, i in enumerate(order):
        highest = max(highest, min(1.0, p[i] * (len(p) - step)))
        found[i] = highest
    return found


def _not_monotone(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    return [min(1.0, p[i] * (len(p) - order.index(i))) for i in range(len(p))]


EXERCISES = (
    Exercise(
        name="07.match_scores",
        solution=match_scores,
        cases=((_STATES, _ITEMS),),
        otherwise="add cosine_scores of the texts and cosine_scores of the images",
        why="A score lies between -2 and 2. Both modalities count alike, whatever the lengths of"
        " their embeddings.",
        hints=("cosine_scores does it for one modality.", "Add the two matrices."),
        mistakes=(
            (
                lambda h, z: cosine_scores(h["text"], z["text"]),
                "only the text counts in yours; both cosines are added",
            ),
            (
                lambda h, z: match_scores(h, z) / 2,
                "this is the mean of the two cosines; their sum was asked",
            ),
            (
                lambda h, z: h["text"] @ z["text"].T + h["image"] @ z["image"].T,
                "these are dot products; a cosine divides by both lengths",
            ),
            (
                lambda h, z: match_scores(h, {"text": z["image"], "image": z["text"]}),
                "compare h_t with z_t and h_v with z_v, not the one with the other",
            ),
        ),
    ),
    Exercise(
        name="07.score_histories",
        solution=score_histories,
        cases=((_HISTORIES, 50), (_HISTORIES, 2)),
        use=lambda *given: use_model(*given).value,  # without gradients
        otherwise="compare the state at the last item of each history with all items",
        why="These scores are all that a recommendation needs: sort them, and leave out what the"
        " user already knows.",
        hints=(
            "make_batch drops the last item of a sequence from the inputs, since it is a target;"
            " add a 0 to each history first.",
            "(items != 0).sum(dim=1) - 1 is the position of the last item of each row.",
            "model.embed(features, torch.arange(n)) has the embeddings of all n items.",
        ),
        mistakes=(
            (
                score_at(-1),
                "the last position is padding in short histories; take the one of the last item",
            ),
            (score_at(0), "this is the state after the first item; take the one after the last"),
            (
                lambda model, features, histories, max_len: score_histories(
                    model, features, [history[:max_len] for history in histories]
                ),
                "of a long history the newest items count, not the oldest",
            ),
            (
                lambda model, features, histories, max_len: score_histories(
                    model, features, [history[:-1] or history for history in histories], max_len
                ),
                "the last item of each history has no effect in yours",
            ),
            (
                lambda *given: score_histories(*given)[:, 1:],
                "column i belongs to item i, and column 0 to padding",
            ),
        ),
    ),
    Exercise(
        name="07.ranking_loss",
        solution=ranking_loss,
        cases=(_BATCH,),
        use=use_model,
        otherwise="check in turn: the states, the classes, tau, the mean over the targets",
        why="One softmax over all items. Pre-training chose among the items of a batch; fine-tuning"
        " compares with the whole catalogue.",
        hints=(
            "rows, position = targets.nonzero(as_tuple=True) lists all predictions, and"
            " states[rows, position] their states.",
            "logits[:, 1:] leaves padding out; the class of item i is then i - 1.",
        ),
        mistakes=(
            (make_ranking(padding=1), "padding is a class in yours; it is no item"),
            (
                make_ranking(last_only=True),
                "only the last target of each row counts in yours; every position has one",
            ),
            (
                make_ranking(classes="batch"),
                "your classes are the items of the batch; take all items",
            ),
            (make_ranking(reduction="sum"), "this is the sum over the targets; the mean was asked"),
            (
                lambda *given: ranking_loss(*given, tau=1.0),
                "the temperature is missing: divide the scores by tau",
            ),
        ),
    ),
    Exercise(
        name="07.interval",
        solution=interval,
        properties=(
            (lambda f: _width(f) > 0, _REVERSED),
            (lambda f: _width(f) < 20, _SINGLE_USERS),
            (lambda f: _width(f) > 0.5, _SAME_USERS),
            (lambda f: abs(_width(f) - 2 * 1.645) > 0.25, _NINETY),
            (lambda f: abs(_width(f) - 2 * 1.96) < 0.35, _FEW),
            (
                lambda f: sum(f(np.arange(400.0), 500, 0)) / 2 - 199.5 < 3,
                "your interval does not lie around the mean: take the quantiles of the means",
            ),
            (lambda f: f(np.eye(1, 100)[0], 500, 0)[0] >= 0, _FORMULA),
        ),
        why="No formula and no normal distribution: the users you have stand for those you might"
        " have had.",
        hints=(
            "rng.integers(0, n, n) draws n users with replacement.",
            "One draw gives one mean. Collect them all, then np.quantile(means, [0.025, 0.975]).",
        ),
        mistakes=(
            (lambda values, *_: np.quantile(values, [0.025, 0.975]), _SINGLE_USERS),
            (_stretched(1.645 / 1.96), _NINETY),
            (_stretched(2.0), _FEW),
            (_normal, _FORMULA),
            (_stretched(1e-6), _SAME_USERS),
            (lambda *given: interval(*given)[::-1], _REVERSED),
        ),
    ),
    Exercise(
        name="07.holm",
        solution=holm,
        cases=(([0.03, 0.001, 0.02, 0.6],), ([0.01, 0.011, 0.4, 0.9],), ([0.04, 0.03],)),
        otherwise="0.001 x 4 = 0.004, then 0.02 x 3 = 0.06, and 0.03 x 2 is no smaller",
        why="Of twenty questions without any effect, asked at the 5 % level, one is answered yes"
        " by chance, on average. The correction is the price of asking.",
        hints=(
            "np.argsort(p) says in which order they stand.",
            "In this order, multiply by 4, 3, 2, 1, then let each be at least as large as the one"
            " before it: np.maximum.accumulate.",
            "result[order] = values puts them back.",
        ),
        mistakes=(
            (
                lambda p: [min(1.0, x * len(p)) for x in p],
                "this is Bonferroni's; Holm's multiplies by 4, 3, 2, 1, the smallest p first",
            ),
            (
                lambda p: sorted(holm(p)),
                "the values are right, but in sorted order: put them back to where they came from",
            ),
            (
                lambda p: [x * len(p) for x in p],
                "a p-value above 1 means nothing: cut it off there",
            ),
            (lambda p: p, "nothing has been corrected: multiply the smallest by 4, the next by 3"),
            (
                _not_monotone,
                "for [0.01, 0.011, 0.4, 0.9] your second is below the first; raise it to the first",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "The intervals of models A and B overlap. Is their difference significant?",
        (
            (
                "it may be: put an interval on the paired differences",
                "Both models answered the same users, so their errors are correlated. The paired"
                " difference has a narrower interval.",
            ),
            (
                "no: overlapping intervals mean equal models",
                "Overlap of the two intervals is no test of the difference.",
            ),
            (
                "yes, if A has the higher mean",
                "The higher mean can be due to the users that were drawn, or to the seed.",
            ),
        ),
    ),
    Question(
        "An ablation without mixup is 0.001 below the full model; the interval goes from -0.002 to"
        " 0.005. What may you say?",
        (
            (
                "the effect is not significant, and a large one is unlikely",
                "The interval holds 0, and it also says how large the effect can be at most.",
            ),
            (
                "mixup has no effect",
                "A study never shows that an effect is exactly 0, only that it is small.",
            ),
            (
                "mixup helps, since the full model is better",
                "A difference of this size often appears by chance.",
            ),
        ),
    ),
)
