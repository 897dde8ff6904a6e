"""Exercises of notebook 09: what a map shows, its edge weights, and how far to trust it."""

from __future__ import annotations

import numpy as np

from course.checks import Exercise
from course.quiz import Question

_WHY_NOT = {
    "B": "B reads a distance between groups that do not touch: in the space of this notebook two"
    " steps on the ring are as far as four",
    "C": "C reads an area; each item measures with a local sigma, so density and size are divided"
    " out",
    "D": "D takes absence on the map for absence in the space; the weaker order had no room on the"
    " plane",
    "E": "E trusts the eye; noise has clear groups too, and 0.64 is about what noise gets",
}


def _leaves_out(wrong):
    return lambda letters: wrong not in letters


def edge_weights(distances: np.ndarray, sigma: float) -> np.ndarray:
    """Return the weights of the edges from one item to its neighbours.

    distances: shape (k,), to its neighbours, in any order; sigma: its local scale.
    Result: shape (k,), in the same order.
    """
    beyond = distances - distances.min()
    return np.exp(-beyond / sigma)


def trust(space: np.ndarray, plane: np.ndarray, k: int) -> float:
    """Return the trustworthiness of a map.

    space: shape (n, D); plane: shape (n, 2); k: how many nearest are looked at.
    No item is its own neighbour. Result: one number.
    """

    def ranks(x: np.ndarray) -> np.ndarray:
        """Row i: 0 for i itself, 1 for its nearest, 2 for the next."""
        distances = np.linalg.norm(x[:, None] - x[None], axis=2)
        return distances.argsort(axis=1).argsort(axis=1)

    n, true, seen = len(space), ranks(space), ranks(plane)
    strangers = (seen >= 1) & (seen <= k) & (true > k)
    excess = (true - k)[strangers].sum()
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * excess


def _ranks(x):
    return np.linalg.norm(x[:, None] - x[None], axis=2).argsort(axis=1).argsort(axis=1)


def _excess(space, plane, k):
    true, seen = _ranks(space), _ranks(plane)
    return np.where((seen >= 1) & (seen <= k), true - k, 0).clip(min=0)


def _factor(space, k):
    n = len(space)
    return 2 / (n * k * (2 * n - 3 * k - 1))


def _itself(space, plane, k):
    true, seen = _ranks(space) + 1, _ranks(plane) + 1
    return 1 - _factor(space, k) * np.where(seen <= k, true - k, 0).clip(min=0).sum()


def _whole_rank(space, plane, k):
    excess = _excess(space, plane, k)
    return 1 - _factor(space, k) * (excess + k)[excess > 0].sum()


_RNG = np.random.default_rng(3)
_SPACE = _RNG.standard_normal((14, 3))
_PLANE = _SPACE[:, :2] + 0.3 * _RNG.standard_normal((14, 2))

EXERCISES = (
    Exercise(
        name="09.claims",
        solution="AF",
        starter='claims = ...  # letters in the order of the alphabet, such as "BC"',
        properties=tuple((_leaves_out(wrong), reason) for wrong, reason in _WHY_NOT.items()),
        otherwise="two letters from A to F were expected",
        why="Neighbourhoods, with a number beside them, are what a map can show; distances,"
        " sizes and absences are not.",
        hints=(
            "For each sentence ask: does it speak of neighbours, of a distance, of a size, or of"
            " something that is not there?",
            "0.64 is about what noise gets. What can you still say about such a map?",
            "Two of the six may stand.",
        ),
        mistakes=(
            *((f"A{wrong}F", reason) for wrong, reason in _WHY_NOT.items()),
            ("A", "one that may stand is missing: to doubt is a statement too"),
            ("F", "one that may stand is missing: what exactly does trustworthiness measure?"),
        ),
    ),
    Exercise(
        name="09.edge_weights",
        solution=edge_weights,
        cases=((np.array([0.9, 0.5, 0.6, 1.3]), 0.4),),
        otherwise="these are not the weights of the four edges",
        why="Since rho is subtracted and sigma divides, only the order and the relative spacing of"
        " an item's neighbours are left: crowded and lonely items look alike.",
        hints=(
            "rho is the smallest of the distances.",
            "What lies beyond rho, divided by sigma, goes into np.exp, with a minus.",
        ),
        mistakes=(
            (
                lambda distances, sigma: np.exp(-distances / sigma),
                "the nearest should have the weight 1: count only what lies beyond its distance,"
                " rho",
            ),
            (
                lambda distances, sigma: np.exp(-(distances - distances[0]) / sigma),
                "the neighbours come in any order; the first need not be the nearest",
            ),
            (
                lambda distances, sigma: np.exp((distances - distances.min()) / sigma),
                "yours grow with the distance; the sign is missing",
            ),
            (
                lambda distances, sigma: np.exp(-(distances - distances.min()) * sigma),
                "a large sigma is a long scale: divide by it",
            ),
            (
                lambda distances, sigma: np.exp(-(((distances - distances.min()) / sigma) ** 2)),
                "this is a Gaussian; UMAP's weights fall with the distance, not with its square",
            ),
            (
                lambda *given: edge_weights(*given) / edge_weights(*given).sum(),
                "yours add up to 1; these are no shares: the nearest alone has the weight 1",
            ),
            (
                lambda distances, sigma: np.ones(1),
                "one weight for each of the neighbours was expected",
            ),
        ),
    ),
    Exercise(
        name="09.trust",
        solution=trust,
        cases=((_SPACE, _PLANE, 3),),
        properties=(
            (
                lambda f: abs(f(_SPACE, _SPACE, 3) - 1) < 1e-6,
                "a map that is the space itself must get 1",
            ),
        ),
        otherwise="this is not the trustworthiness of this map",
        why="You can now put a number beside every map, t-SNE and PCA included: it needs the"
        " embeddings and the places, nothing else.",
        hints=(
            "All distances: np.linalg.norm(x[:, None] - x[None], axis=2), once for each side.",
            "distances.argsort(axis=1).argsort(axis=1) turns every row into ranks; an item itself"
            " gets 0.",
            "Strangers are pairs whose rank on the plane is 1 to k and whose rank in the space is"
            " more than k. Each costs its rank in the space minus k.",
        ),
        mistakes=(
            (
                lambda space, plane, k: trust(plane, space, k),
                "this is the continuity: strangers are near on the map, and their rank is that in"
                " the space",
            ),
            (
                _itself,
                "an item seems to be among its own neighbours in yours: k=3 means three others",
            ),
            (
                lambda space, plane, k: 1 - (_excess(space, plane, k) > 0).sum() / (14 * k),
                "this is the share of neighbours kept; a stranger should cost more the farther"
                " away it truly is",
            ),
            (_whole_rank, "a stranger costs how far its rank lies beyond k, not the whole rank"),
            (
                lambda space, plane, k: 1 - _excess(space, plane, k).sum() / (14 * k),
                "look at the factor in front of the sum: it is not 1 / (n k)",
            ),
            (
                lambda space, plane, k: _factor(space, k) * _excess(space, plane, k).sum(),
                "this is what the strangers cost; subtract it from 1",
            ),
            (
                lambda space, plane, k: 1 - _factor(space, k) * _excess(space, plane, k).sum(1),
                "one number was expected: add up over all items",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "You draw the same embeddings with another seed, and two groups have changed places. What"
        " follows?",
        options=(
            (
                "Nothing about the embeddings",
                "UMAP keeps neighbourhoods. Where a group without edges to others ends up depends"
                " on the start and on random draws.",
            ),
            (
                "One of the two maps is wrong",
                "Both can have the same trustworthiness. There is no right map.",
            ),
            (
                "The groups do not exist",
                "Their places say nothing about it. Measure in the space whether neighbours share"
                " the trait.",
            ),
        ),
    ),
    Question(
        "Which sentence describes the loss that the program UMAP minimises?",
        options=(
            (
                "A sampled cross-entropy with much less repulsion than the formula of the paper",
                "For each edge that is drawn, five random items are pushed away. In the formula,"
                " nearly all pairs repel each other fully.",
            ),
            (
                "The squared differences between distances in the space and on the map",
                "This is multidimensional scaling (MDS). UMAP compares weights of edges.",
            ),
            (
                "The cross-entropy over all pairs, exactly",
                "That would take a sum over all pairs in every step. The program samples edges and"
                " negatives.",
            ),
        ),
    ),
)
