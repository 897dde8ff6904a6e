"""Exercises of notebook 00: the two ideas on which every recommender here rests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from course.checks import Exercise, expect, expect_close

# --- 00.most_bought -------------------------------------------------------------------------


def most_bought(baskets: list[list[str]], k: int) -> list[str]:
    """Return the ids of the k most bought items, best first; ties go by id, A before B.

    baskets: a list of lists of item ids; an item counts as often as it was bought.
    """
    counts: dict[str, int] = {}
    for basket in baskets:
        for item in basket:
            counts[item] = counts.get(item, 0) + 1
    return sorted(counts, key=lambda item: (-counts[item], item))[:k]


def _grade_most_bought(attempt: Callable[..., Any]) -> None:
    top = attempt([["mug"], ["mug", "tent"], ["mug", "tent", "vase"]], 2)
    expect(not isinstance(top, str), "a list of item ids was expected; you gave one text")
    top = list(top)
    expect(
        all(isinstance(item, str) for item in top),
        f"a list of item ids alone was expected, without their counts; you gave {top}",
    )
    expect(len(top) == 2, f"for k=2 two ids were expected; you gave {len(top)}")
    expect(top != ["tent", "mug"] and "vase" not in top, f"{top}: the most bought comes first")
    expect(top == ["mug", "tent"], f"{top} are not the two items bought most often")
    expect(
        list(attempt([["vase", "mug"], ["tent"]], 3)) == ["mug", "tent", "vase"],
        "three items bought once each: a tie goes by id, in the order of the alphabet",
    )
    expect(
        list(attempt([["tent", "tent", "tent"], ["mug"], ["mug"]], 1)) == ["tent"],
        "a customer who buys an item three times counts three times",
    )
    expect(
        list(attempt([["mug"]], 5)) == ["mug"],
        "k may be larger than the number of items: then return all of them",
    )


def _ties_by_first_seen(baskets: list[list[str]], k: int) -> list[str]:
    return [item for item, _ in Counter(i for basket in baskets for i in basket).most_common(k)]


def _with_counts(baskets: list[list[str]], k: int) -> list[tuple[str, int]]:
    return Counter(item for basket in baskets for item in basket).most_common(k)


def _least_first(baskets: list[list[str]], k: int) -> list[str]:
    counts = Counter(item for basket in baskets for item in basket)
    return sorted(counts, key=lambda item: (counts[item], item))[:k]


def _once_a_basket(baskets: list[list[str]], k: int) -> list[str]:
    return most_bought([list(set(basket)) for basket in baskets], k)


def _forgets_k(baskets: list[list[str]], k: int) -> list[str]:
    return most_bought(baskets, 99)


# --- 00.cosine ------------------------------------------------------------------------------


def cosine(vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the cosine similarity of a vector with every row of a matrix.

    vector: shape (d,), matrix: shape (n, d), result: shape (n,).
    A row of zeros has similarity 0.
    """
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)
    return matrix @ vector / np.maximum(lengths, 1e-12)


def _grade_cosine(attempt: Callable[..., Any]) -> None:
    vector = np.array([3.0, 4.0])
    matrix = np.array([[3.0, 4.0], [-4.0, 3.0], [1.0, 0.0]])
    got = attempt(vector.copy(), matrix.copy())
    right = cosine(vector, matrix)
    shape = np.shape(got)
    expect(shape == (3,), f"one number per row, shape (3,), was expected; your shape is {shape}")
    if np.allclose(got, 1 - right):
        expect(False, "these are distances: the same direction should give 1, not 0")
    longer = attempt(vector.copy(), 10 * matrix)
    expect(np.allclose(got, longer), "making the rows 10 times as long changed your result")
    longer = attempt(10 * vector, matrix.copy())
    expect(np.allclose(got, longer), "making the vector 10 times as long changed your result")
    expect_close(
        got,
        right,
        "lengths do not matter in your result, but its values are not the cosines: what should"
        " a row give that points the same way as the vector?",
    )
    with np.errstate(all="ignore"):
        zero = attempt(vector.copy(), np.zeros((1, 2)))
    expect(np.isfinite(zero).all(), "a row of zeros gives nan: do not divide by a length of 0")
    expect_close(zero, [0.0], "a row of zeros should give 0")


def _dot_product(vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return matrix @ vector


def _rows_not_normalised(vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return matrix @ (vector / np.linalg.norm(vector))


def _columns_normalised(vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=0)) @ (vector / np.linalg.norm(vector))


def _distance(vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return 1 - cosine(vector, matrix)


def _zero_gives_nan(vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return matrix @ vector / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector))


def _keeps_an_axis(vector: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return cosine(vector, matrix)[:, None]


EXERCISES = (
    Exercise(
        name="00.most_bought",
        solution=most_bought,
        grade=_grade_most_bought,
        why="This is the popularity baseline: a recommender that cannot beat it has learned"
        " nothing about anybody's taste.",
        hints=(
            "Count first, sort afterwards: a dictionary from item id to count is enough.",
            "sorted(...) takes a key; a key may be a pair, and pairs are compared from the left.",
            "The key (-count, item) puts large counts first and breaks ties by id.",
        ),
        mistakes=(
            (_ties_by_first_seen, "a tie goes by id"),
            (_with_counts, "without their counts"),
            (_least_first, "the most bought comes first"),
            (_once_a_basket, "counts three times"),
            (_forgets_k, "for k=2 two ids"),
        ),
    ),
    Exercise(
        name="00.cosine",
        solution=cosine,
        grade=_grade_cosine,
        why="All similarities in this course, between words, pictures, items and customers, are"
        " this one.",
        hints=(
            "The cosine of two vectors is their dot product divided by both lengths.",
            "np.linalg.norm(matrix, axis=1) gives the length of every row; matrix @ vector gives"
            " all dot products at once.",
            "Keep the divisor away from zero with np.maximum(lengths, 1e-12).",
        ),
        mistakes=(
            (_dot_product, "the rows 10 times as long"),
            (_rows_not_normalised, "the rows 10 times as long"),
            (_columns_normalised, "points the same way"),
            (_distance, "these are distances"),
            (_zero_gives_nan, "a row of zeros gives nan"),
            (_keeps_an_axis, "shape (3,)"),
        ),
    ),
)
