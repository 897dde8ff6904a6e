"""Exercises of notebook 07: the loss of fine-tuning, an interval, a correction, a sample size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.checks import Exercise, expect, expect_close

# --- 07.loss --------------------------------------------------------------------------------


def loss(
    h_t: Tensor, h_v: Tensor, z_t: Tensor, z_v: Tensor, bought: int, tau: float
) -> Tensor:  # fmt: skip
    """Return what fine-tuning minimises for one customer.

    h_t, h_v: the customer's two states, shape (dim,), any length.
    z_t, z_v: the two vectors of every item, shape (items, dim), any length.
    bought: the row of the item that was bought next. Result: one number in nats.
    """
    cosine = torch.nn.functional.cosine_similarity
    scores = (cosine(h_t, z_t, dim=-1) + cosine(h_v, z_v, dim=-1)) / tau
    return scores.logsumexp(dim=0) - scores[bought]


def _grade_loss(attempt: Callable[..., Any]) -> None:
    dice = torch.Generator().manual_seed(0)
    h, z = 3 * torch.randn(2, 4, generator=dice), 3 * torch.randn(2, 6, 4, generator=dice)
    given = (*h, *z, 2, 0.4)
    got = torch.as_tensor(attempt(*(g.clone() if isinstance(g, Tensor) else g for g in given)))
    expect(got.numel() == 1, f"one number was expected; you gave {got.numel()}: one for each item?")

    def unlike(mistake: Callable[..., Tensor]) -> bool:
        return not torch.isclose(got, mistake(*given), rtol=1e-4)

    expect(bool(got > 0), "minus the log of a probability is never negative: look at the sign")
    expect(unlike(_text_only), "only the text view counts here; both cosines are added")
    expect(unlike(_mean_of_views), "this is the mean of the two cosines; their sum was asked")
    expect(unlike(_no_unit_vectors), "these are dot products; a cosine divides by both lengths")
    expect(unlike(_no_temperature), "the temperature is missing: divide the scores by it")
    expect_close(got, loss(*given), "this is not the cross-entropy of the item that was bought")


def _text_only(
    h_t: Tensor, h_v: Tensor, z_t: Tensor, z_v: Tensor, bought: int, tau: float
) -> Tensor:
    return loss(h_t, 0 * h_v, z_t, z_v, bought, tau)


def _mean_of_views(
    h_t: Tensor, h_v: Tensor, z_t: Tensor, z_v: Tensor, bought: int, tau: float
) -> Tensor:
    return loss(h_t, h_v, z_t, z_v, bought, 2 * tau)


def _no_unit_vectors(
    h_t: Tensor, h_v: Tensor, z_t: Tensor, z_v: Tensor, bought: int, tau: float
) -> Tensor:
    scores = (z_t @ h_t + z_v @ h_v) / tau
    return scores.logsumexp(dim=0) - scores[bought]


def _no_temperature(
    h_t: Tensor, h_v: Tensor, z_t: Tensor, z_v: Tensor, bought: int, tau: float
) -> Tensor:
    return loss(h_t, h_v, z_t, z_v, bought, 1.0)


def _sign_forgotten(
    h_t: Tensor, h_v: Tensor, z_t: Tensor, z_v: Tensor, bought: int, tau: float
) -> Tensor:
    return -loss(h_t, h_v, z_t, z_v, bought, tau)


def _every_item(
    h_t: Tensor, h_v: Tensor, z_t: Tensor, z_v: Tensor, bought: int, tau: float
) -> Tensor:
    return torch.stack([loss(h_t, h_v, z_t, z_v, i, tau) for i in range(len(z_t))])


# --- 07.interval ----------------------------------------------------------------------------


def interval(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of values, one value per customer.

    Draw as many customers as there are, with replacement; take the mean; do so
    resamples times; return the 2.5 % and the 97.5 % quantile of these means.
    """
    rng = np.random.default_rng(seed)
    size = len(values)
    means = [values[rng.integers(0, size, size)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _grade_interval(attempt: Callable[..., Any]) -> None:
    values = (np.random.default_rng(3).random(400) < 0.3).astype(float)
    got = attempt(values.copy(), 2000, 0)
    expect(
        isinstance(got, (tuple, list, np.ndarray)) and len(got) == 2,
        "two numbers were expected, the lower end and the upper end",
    )
    low, high = map(float, got)
    expect(low < high, f"the lower end must come first; you gave {low:.3f} and {high:.3f}")
    middle, error = values.mean(), values.std() / math.sqrt(len(values))
    expect(
        high - low < 0.5,
        "this is where single customers lie, not their mean: take the mean of each draw first",
    )
    width = (high - low) / error
    expect(width > 0.5, "your draws hardly differ: is it the same customers every time?")
    expect(
        abs(width - 2 * 1.645) > 0.25,
        "this interval leaves 5 % on each side; 95 % inside leaves 2.5 % on each",
    )
    expect(
        abs(width - 2 * 1.96) < 0.35,
        f"an interval about {2 * 1.96 * error:.3f} wide was expected, yours is {high - low:.3f}:"
        " draw exactly as many customers as there are",
    )
    expect(abs((low + high) / 2 - middle) < 0.4 * error, "your interval is not about the mean")


def _of_customers(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _ninety(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    low, high = interval(values, resamples, seed)
    middle = (low + high) / 2
    return middle + (low - middle) * 1.645 / 1.96, middle + (high - middle) * 1.645 / 1.96


def _few_drawn(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    means = [rng.choice(values, 100).mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _not_replaced(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    return float(values.mean()) - 1e-9, float(values.mean()) + 1e-9


def _turned(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    low, high = interval(values, resamples, seed)
    return high, low


# --- 07.holm --------------------------------------------------------------------------------


def corrected(p: list[float]) -> list[float]:
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


def _grade_holm(attempt: Callable[..., Any]) -> None:
    p = [0.03, 0.001, 0.02, 0.6]
    got = np.asarray(attempt(list(p)), dtype=float)
    expect(got.shape == (4,), f"four numbers were expected; your shape is {got.shape}")
    right = np.array(corrected(p))
    expect(
        not np.allclose(np.sort(got), np.sort(right)) or np.allclose(got, right),
        "the values are right, but in sorted order: put them back to where they came from",
    )
    expect(got.max() <= 1, "a p-value above 1 means nothing: cut it off there")
    expect(
        not np.allclose(got, np.minimum(1, np.array(p) * 4)),
        "this is Bonferroni's correction, every p times 4; Holm's is kinder to the others",
    )
    expect(not np.allclose(got, p), "nothing has been corrected")
    expect(
        abs(got[0] - 0.06) < 1e-9 and abs(got[2] - 0.06) < 1e-9,
        "0.02 and 0.03 are the second and the third: 0.02 x 3 = 0.06, and 0.03 x 2 is no smaller",
    )
    expect_close(got, right, "some value is still wrong")
    again = np.asarray(attempt([0.01, 0.015]), dtype=float)
    expect_close(
        again, [0.02, 0.02], "for [0.01, 0.015] the second came out smaller than the first"
    )


def _bonferroni(p: list[float]) -> list[float]:
    return [min(1.0, x * len(p)) for x in p]


def _in_sorted_order(p: list[float]) -> list[float]:
    return sorted(corrected(p))


def _not_monotone(p: list[float]) -> list[float]:
    order = sorted(range(len(p)), key=lambda i: p[i])
    found = [0.0] * len(p)
    for step, i in enumerate(order):
        found[i] = min(1.0, p[i] * (len(p) - step))
    return found


def _above_one(p: list[float]) -> list[float]:
    return [x * len(p) for x in p]


def _unchanged(p: list[float]) -> list[float]:
    return p


# --- 07.customers ---------------------------------------------------------------------------

users = math.ceil((2.8 * 0.25 / 0.01) ** 2)


def _grade_customers(attempt: Any) -> None:
    expect(
        isinstance(attempt, (int, float)) and not isinstance(attempt, bool),
        f"a number was expected; you gave {type(attempt).__name__}",
    )
    expect(
        abs(attempt - (1.96 * 0.25 / 0.01) ** 2) > 5,
        "with that many, one study in two would miss it: the true difference must lie 2.8 standard"
        " errors away from 0, not 1.96",
    )
    expect(attempt > 1000, "too few: the standard error is 0.25 divided by the root of how many")
    expect(
        abs(attempt - 2 * users) > 10,
        "twice too many: pairs have been subtracted already, 0.25 is the deviation of differences",
    )
    expect(
        abs(attempt - users) <= 5,
        f"{attempt:g} is not it: solve 2.8 x 0.25 / sqrt(n) = 0.01 for n",
    )


EXERCISES = (
    Exercise(
        name="07.loss",
        solution=loss,
        grade=_grade_loss,
        why="One softmax over the whole catalogue. Pre-training chose among the items of a batch;"
        " fine-tuning leaves nobody out.",
        hints=(
            "A cosine of one vector with many: F.cosine_similarity(h_t, z_t, dim=-1).",
            "Add the two cosines, divide by tau. Then logsumexp over all items, minus the score of"
            " the item that was bought.",
        ),
        mistakes=(
            (_text_only, "only the text view"),
            (_mean_of_views, "mean of the two cosines"),
            (_no_unit_vectors, "divides by both lengths"),
            (_no_temperature, "temperature is missing"),
            (_sign_forgotten, "never negative"),
            (_every_item, "one for each item"),
        ),
    ),
    Exercise(
        name="07.interval",
        solution=interval,
        grade=_grade_interval,
        why="No formula, no bell curve: the customers you have stand for those you might have had.",
        hints=(
            "rng.integers(0, n, n) draws n customers with replacement.",
            "One draw gives one mean. Collect them all, then np.quantile(means, [0.025, 0.975]).",
        ),
        mistakes=(
            (_of_customers, "where single customers lie"),
            (_ninety, "5 % on each side"),
            (_few_drawn, "as many customers as there are"),
            (_not_replaced, "the same customers every time"),
            (_turned, "lower end must come first"),
        ),
    ),
    Exercise(
        name="07.holm",
        solution=corrected,
        grade=_grade_holm,
        why="Ask twenty questions at 5 % and one of them will be answered yes by luck alone. The"
        " correction is the price of asking.",
        hints=(
            "np.argsort(p) says in which order they stand.",
            "In this order, multiply by 4, 3, 2, 1, then let each be at least as large as the one"
            " before it: np.maximum.accumulate.",
            "result[order] = values puts them back.",
        ),
        mistakes=(
            (_bonferroni, "Bonferroni"),
            (_in_sorted_order, "sorted order"),
            (_above_one, "above 1"),
            (_unchanged, "nothing has been corrected"),
            (_not_monotone, "the second came out smaller"),
        ),
    ),
    Exercise(
        name="07.customers",
        solution=users,
        grade=_grade_customers,
        starter="customers = ...  # how many customers must the test have?",
        why="About 4,900 customers for a hundredth of NDCG. Many published differences are smaller"
        " than what their data could have shown.",
        hints=(
            "The standard error of a mean of n differences is 0.25 / sqrt(n).",
            "To be found four times in five, the true difference must be 1.96 + 0.84 = 2.8 such"
            " errors.",
        ),
        mistakes=(
            ((1.96 * 0.25 / 0.01) ** 2, "one study in two"),
            (70, "too few"),
            (2 * users, "twice too many"),
            ("many", "a number was expected"),
            (3000, "solve 2.8"),
        ),
    ),
)
