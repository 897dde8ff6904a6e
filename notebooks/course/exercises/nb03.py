"""Exercises of notebook 03: counting slots, mean pooling, and the modality gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.checks import Exercise, expect, expect_close

# --- 03.slots -------------------------------------------------------------------------------

slots = 4


def _grade_slots(attempt: Any) -> None:
    expect(
        isinstance(attempt, int) and not isinstance(attempt, bool),
        f"a whole number was expected; you gave {type(attempt).__name__}",
    )
    expect(attempt != 5, "the point in 0.5 ends no sentence")
    expect(attempt != 3, "title and brand are a slot too")
    expect(attempt != 2, "title and brand are a slot, and so are the categories")
    expect(
        attempt == slots, f"{attempt} is not what the library cuts; go through it piece by piece"
    )


# --- 03.mean_pool ---------------------------------------------------------------------------


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Return one vector per sentence: the mean of its real tokens' vectors.

    states: shape (sentences, tokens, dim); mask: shape (sentences, tokens), 1 = real.
    Result: shape (sentences, dim).
    """
    real = mask.unsqueeze(-1).float()
    return (states * real).sum(dim=1) / real.sum(dim=1)


def _grade_mean_pool(attempt: Callable[..., Any]) -> None:
    states = torch.tensor(
        [[[2.0, 4.0], [4.0, 8.0], [60.0, 90.0]], [[1.0, 1.0], [2.0, 2.0], [6, 3]]]
    )
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    got = attempt(states.clone(), mask.clone())
    shape = tuple(getattr(got, "shape", ()))
    expect(shape == (2, 2), f"one vector per sentence, shape (2, 2), was expected; yours: {shape}")
    expect(
        not torch.allclose(got, states.mean(dim=1)),
        "the padding of sentence 0 counts in yours; whatever stands there must not matter",
    )
    masked = states * mask.unsqueeze(-1)
    expect(
        not torch.allclose(got, masked.mean(dim=1)),
        "padding adds nothing to your sum, but it is still counted in the divisor",
    )
    expect(
        not torch.allclose(got, masked.sum(dim=1)), "this is the sum; a mean divides by a number"
    )
    expect(
        not torch.allclose(got, states[:, 0]),
        "this is the first token alone ('cls' pooling), not the mean of all",
    )
    expect_close(got, mean_pool(states, mask), "these are not the means over the real tokens")


def _padding_counts(states: Tensor, mask: Tensor) -> Tensor:
    return states.mean(dim=1)


def _wrong_divisor(states: Tensor, mask: Tensor) -> Tensor:
    return (states * mask.unsqueeze(-1)).mean(dim=1)


def _sum(states: Tensor, mask: Tensor) -> Tensor:
    return (states * mask.unsqueeze(-1)).sum(dim=1)


def _first_token(states: Tensor, mask: Tensor) -> Tensor:
    return states[:, 0]


def _over_dim(states: Tensor, mask: Tensor) -> Tensor:
    return states.mean(dim=-1)


# --- 03.gap ---------------------------------------------------------------------------------


def gap(text: np.ndarray, image: np.ndarray) -> float:
    """Return the modality gap: the distance between the centroids of two clouds.

    text, image: shape (items, dim). All vectors get length 1 first; a centroid is the
    mean of a cloud.
    """
    text = text / np.linalg.norm(text, axis=1, keepdims=True)
    image = image / np.linalg.norm(image, axis=1, keepdims=True)
    return float(np.linalg.norm(text.mean(axis=0) - image.mean(axis=0)))


def _grade_gap(attempt: Callable[..., Any]) -> None:
    text = np.array([[2.0, 0.0], [0.0, 1.0]])
    image = np.array([[-1.0, 0.0], [0.0, 5.0]])
    got = attempt(text.copy(), image.copy())
    expect(np.ndim(got) == 0, f"one number was expected; yours has shape {np.shape(got)}")
    got = float(got)
    raw = np.linalg.norm(text.mean(axis=0) - image.mean(axis=0))
    expect(
        not np.isclose(got, raw),
        "long vectors count more in yours: give all of them length 1 first",
    )
    pairs = np.mean([2.0, 0.0])
    expect(
        abs(got - 1.0) < 1e-9 or not np.isclose(got, 2.0),
        "this is the squared or the summed distance; a distance takes the root of the sum",
    )
    far = attempt(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    expect(
        np.isclose(float(far), 0.0),
        "two clouds with the same points in another order have the same centroid: their gap is 0,"
        f" yours is {float(far):.2f}. Are you averaging the distances of pairs?",
    )
    expect_close(got, pairs, "this is not the distance between the two centroids")


def _lengths_count(text: np.ndarray, image: np.ndarray) -> float:
    return float(np.linalg.norm(text.mean(axis=0) - image.mean(axis=0)))


def _pairs(text: np.ndarray, image: np.ndarray) -> float:
    text = text / np.linalg.norm(text, axis=1, keepdims=True)
    image = image / np.linalg.norm(image, axis=1, keepdims=True)
    return float(np.linalg.norm(text - image, axis=1).mean())


def _difference(text: np.ndarray, image: np.ndarray) -> np.ndarray:
    return text.mean(axis=0) - image.mean(axis=0)


def _sum_of_pairs(text: np.ndarray, image: np.ndarray) -> float:
    return 2 * gap(text, image)


EXERCISES = (
    Exercise(
        name="03.slots",
        solution=slots,
        grade=_grade_slots,
        starter="slots = ...  # a whole number",
        why="Each of these four becomes a vector of its own, and the model decides later which of"
        " them counts.",
        hints=(
            "The first piece is title and brand, the second the categories; then the description.",
            "The description has a full stop inside a number. Is that the end of a sentence?",
        ),
        mistakes=((5, "ends no sentence"), (3, "a slot too"), (2, "so are the categories")),
    ),
    Exercise(
        name="03.mean_pool",
        solution=mean_pool,
        grade=_grade_mean_pool,
        why="A sentence's vector may not depend on how long its neighbours in the batch are.",
        hints=(
            "Multiply by the mask (with an axis more), then add up over the tokens.",
            "Divide by how many tokens are real, not by how many places there are.",
        ),
        mistakes=(
            (_padding_counts, "the padding of sentence 0 counts"),
            (_wrong_divisor, "still counted in the divisor"),
            (_sum, "this is the sum"),
            (_first_token, "the first token alone"),
            (_over_dim, "one vector per sentence"),
        ),
    ),
    Exercise(
        name="03.gap",
        solution=gap,
        grade=_grade_gap,
        why="It is the distance of two middles, and no more: two clouds may have the same middle"
        " and still be told apart.",
        hints=(
            "np.linalg.norm(x, axis=1, keepdims=True) are the lengths to divide by.",
            "First the two means, one vector each, then one distance.",
        ),
        mistakes=(
            (_lengths_count, "length 1 first"),
            (_pairs, "the distances of pairs"),
            (_difference, "one number was expected"),
            (_sum_of_pairs, "squared or the summed"),
        ),
    ),
)
