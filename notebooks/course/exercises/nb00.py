"""Exercises of notebook 00: the two ideas on which every recommender here rests."""

from __future__ import annotations

from collections import Counter

import numpy as np

from course.attempts import agree
from course.checks import Exercise


def most_popular(histories: list[list[str]], k: int) -> list[str]:
    """Return the ids of the k most popular items, best first; ties go by id.

    histories: one list of item ids per user; an item counts as often as it occurs.
    """
    counts: dict[str, int] = {}
    for history in histories:
        for item in history:
            counts[item] = counts.get(item, 0) + 1
    return sorted(counts, key=lambda item: (-counts[item], item))[:k]


def _count(histories):
    return Counter(item for history in histories for item in history)


def _least_first(histories, k):
    counts = _count(histories)
    return sorted(counts, key=lambda item: (counts[item], item))[:k]


def cosine(vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the cosine similarity of a vector with every row of a matrix.

    vector: shape (d,), matrix: shape (n, d), result: shape (n,).
    A row of zeros has similarity 0.
    """
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)
    return matrix @ vector / np.maximum(lengths, 1e-12)


def _zero_gives_nan(vector, matrix):
    with np.errstate(all="ignore"):
        return matrix @ vector / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector))


_VECTOR, _MATRIX = np.array([3.0, 4.0]), np.array([[3.0, 4.0], [-4.0, 3.0], [1.0, 0.0]])
_ROWS_SCALED = "making the rows 10 times as long changed your result"

EXERCISES = (
    Exercise(
        name="00.most_popular",
        solution=most_popular,
        cases=(
            ([["mug"], ["mug", "tent"], ["mug", "tent", "vase"]], 2),
            ([["vase", "mug"], ["tent"]], 3),
            ([["tent", "tent", "tent"], ["mug"], ["mug"]], 1),
            ([["mug"]], 5),
        ),
        otherwise="these are not the k items with the most interactions, best first",
        why="This is the popularity baseline: a recommender that cannot beat it has learned"
        " nothing about anybody's taste.",
        hints=(
            "Count first, sort afterwards: a dictionary from item id to count is enough.",
            "sorted(...) takes a key; a key may be a pair, and pairs are compared from the left.",
            "The key (-count, item) puts large counts first and breaks ties by id.",
        ),
        mistakes=(
            (
                lambda histories, k: [item for item, _ in _count(histories).most_common(k)],
                "three items that occur once each: a tie goes by id, in the order of the alphabet",
            ),
            (
                lambda histories, k: _count(histories).most_common(k),
                "a list of item ids alone was expected, without their counts",
            ),
            (_least_first, "your list starts with the rarest items; the most popular come first"),
            (
                lambda histories, k: most_popular([list(set(history)) for history in histories], k),
                "an item that occurs three times in one history counts three times",
            ),
            (lambda histories, k: most_popular(histories, 99), "return k ids, not all of them"),
        ),
    ),
    Exercise(
        name="00.cosine",
        solution=cosine,
        cases=((_VECTOR, _MATRIX), (_VECTOR, np.zeros((1, 2)))),
        properties=(
            (lambda f: agree(f(_VECTOR, _MATRIX), f(_VECTOR, 10 * _MATRIX)), _ROWS_SCALED),
            (
                lambda f: agree(f(_VECTOR, _MATRIX), f(10 * _VECTOR, _MATRIX)),
                "making the vector 10 times as long changed your result",
            ),
        ),
        otherwise="these are not the cosines: what should a row give that points the same way as"
        " the vector?",
        why="All similarities in this course, between words, images, items and users, are this"
        " one.",
        hints=(
            "The cosine of two vectors is their dot product divided by both lengths.",
            "np.linalg.norm(matrix, axis=1) gives the length of every row; matrix @ vector gives"
            " all dot products at once.",
            "Keep the divisor away from zero with np.maximum(lengths, 1e-12).",
        ),
        mistakes=(
            (lambda vector, matrix: matrix @ vector, _ROWS_SCALED),
            (lambda vector, matrix: matrix @ (vector / np.linalg.norm(vector)), _ROWS_SCALED),
            (
                lambda v, m: m / np.maximum(np.linalg.norm(m, axis=0), 1e-12) @ v / 5,
                "you divide by the lengths of the columns; divide by those of the rows",
            ),
            (
                lambda vector, matrix: 1 - cosine(vector, matrix),
                "these are distances: the same direction should give 1, not 0",
            ),
            (_zero_gives_nan, "a row of zeros gives nan: do not divide by a length of 0"),
            (
                lambda vector, matrix: cosine(vector, matrix)[:, None],
                "one number per row, shape (n,), was expected; yours has one axis more",
            ),
        ),
    ),
)
