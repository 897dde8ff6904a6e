"""Exercises of notebook 03: counting slots, mean pooling, and the modality gap."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course.checks import Exercise


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Return one embedding per sentence: the mean over its real tokens.

    states: shape (sentences, tokens, dim); mask: shape (sentences, tokens), 1 = real.
    Result: shape (sentences, dim).
    """
    real = mask.unsqueeze(-1).float()
    return (states * real).sum(dim=1) / real.sum(dim=1)


_STATES = torch.tensor([[[2.0, 4], [4, 8], [60, 90]], [[1, 1], [2, 2], [6, 3]]])
_MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])


def gap(text: np.ndarray, image: np.ndarray) -> float:
    """Return the modality gap: the distance between two centroids.

    text, image: shape (items, dim). All embeddings get length 1 first; a centroid is
    the mean of the embeddings of one modality.
    """
    text = text / np.linalg.norm(text, axis=1, keepdims=True)
    image = image / np.linalg.norm(image, axis=1, keepdims=True)
    return float(np.linalg.norm(text.mean(axis=0) - image.mean(axis=0)))


def _unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


_CROSSED = (np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))

EXERCISES = (
    Exercise(
        name="03.slots",
        solution=4,
        starter="slots = ...  # a whole number",
        otherwise="go through the text piece by piece",
        why="Each of these four gets an embedding, and the model decides later which of them"
        " counts.",
        hints=(
            "The first piece is title and brand, the second the categories; then the description.",
            "The description has a full stop inside a number. Is that the end of a sentence?",
        ),
        mistakes=(
            (5, "the point in 0.5 ends no sentence"),
            (3, "title and brand are a slot too"),
            (2, "title and brand are a slot, and so are the categories"),
        ),
    ),
    Exercise(
        name="03.mean_pool",
        solution=mean_pool,
        cases=((_STATES, _MASK),),
        otherwise="these are not the means over the real tokens",
        why="A sentence's embedding may not depend on how long the other sentences of the batch"
        " are.",
        hints=(
            "Multiply by the mask (with an axis more), then add up over the tokens.",
            "Divide by how many tokens are real, not by how many places there are.",
        ),
        mistakes=(
            (
                lambda states, mask: states.mean(dim=1),
                "the padding of sentence 0 counts in yours; whatever stands there must not matter",
            ),
            (
                lambda states, mask: (states * mask.unsqueeze(-1)).mean(dim=1),
                "padding adds nothing to your sum, but it is still counted in the divisor",
            ),
            (
                lambda states, mask: (states * mask.unsqueeze(-1)).sum(dim=1),
                "this is the sum; a mean divides by a number",
            ),
            (
                lambda states, mask: states[:, 0],
                "this is the first token alone ('cls' pooling), not the mean of all",
            ),
            (
                lambda states, mask: states.mean(dim=-1),
                "you average over the dimensions; average over the tokens",
            ),
        ),
    ),
    Exercise(
        name="03.gap",
        solution=gap,
        cases=(
            (np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[-1.0, 0.0], [-3.0, -4.0]])),
            _CROSSED,
        ),
        properties=(
            (
                lambda f: abs(f(*_CROSSED)) < 1e-6,
                "two sets with the same points in another order have the same centroid, so their"
                " gap is 0",
            ),
        ),
        otherwise="this is not the distance between the two centroids",
        why="It is the distance of two centroids, and no more: a linear classifier may still"
        " separate two sets with the same centroid.",
        hints=(
            "np.linalg.norm(x, axis=1, keepdims=True) are the lengths to divide by.",
            "First the two means, one embedding each, then one distance.",
        ),
        mistakes=(
            (
                lambda text, image: float(np.linalg.norm(text.mean(axis=0) - image.mean(axis=0))),
                "long embeddings count more in yours: give all of them length 1 first",
            ),
            (
                lambda text, image: np.linalg.norm(_unit(text) - _unit(image), axis=1).mean(),
                "you average the distances of pairs; take the distance of the two means",
            ),
            (
                lambda text, image: text.mean(axis=0) - image.mean(axis=0),
                "one number was expected: the length of the difference",
            ),
            (
                lambda text, image: np.abs(_unit(text).mean(0) - _unit(image).mean(0)).sum(),
                "you add up the differences per dimension; a distance is the root of the sum of"
                " their squares",
            ),
        ),
    ),
)
