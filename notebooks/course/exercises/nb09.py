"""Exercises of notebook 09: what a map may be asked, its ties, and how far to believe it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.checks import Exercise, expect, expect_close

# --- 09.claims ------------------------------------------------------------------------------

claims = ["A", "F"]

_NOT_SO = {
    "B": "B reads a distance between islands that do not touch: in the space of this notebook two"
    " steps on the ring are as far as four",
    "C": "C reads an area; each item measures with its own sigma, so density and size are divided"
    " out",
    "D": "D takes absence on the map for absence in the space; the weaker order had no room on the"
    " plane",
    "E": "E trusts the eye; noise has clear islands too, and 0.64 is about what noise gets",
}


def _grade_claims(attempt: Any) -> None:
    expect(
        isinstance(attempt, (list, tuple, set)) and all(isinstance(x, str) for x in attempt),
        f'a list of letters was expected, such as ["A", "B"]; you gave {type(attempt).__name__}',
    )
    letters = {letter.strip().upper() for letter in attempt}
    expect(
        letters <= set("ABCDEF"), f"letters from A to F were expected; you gave {sorted(letters)}"
    )
    for letter, reason in _NOT_SO.items():
        expect(letter not in letters, reason)
    expect(
        "A" in letters, "one that may stand is missing: what exactly does trustworthiness measure?"
    )
    expect("F" in letters, "one that may stand is missing: to doubt is a statement too")


# --- 09.ties --------------------------------------------------------------------------------


def ties(distances: np.ndarray, sigma: float) -> np.ndarray:
    """Return how strongly one item is tied to each of its neighbours.

    distances: shape (k,), to its neighbours, in any order; sigma: its own ruler.
    Result: shape (k,), in the same order.
    """
    beyond = distances - distances.min()
    return np.exp(-beyond / sigma)


def _grade_ties(attempt: Callable[..., Any]) -> None:
    distances, sigma = np.array([0.9, 0.5, 0.6, 1.3]), 0.4
    got = np.asarray(attempt(distances.copy(), sigma), dtype=float)
    right = ties(distances, sigma)
    expect(
        got.shape == right.shape,
        f"one strength for each of the 4 neighbours was expected; your shape is {got.shape}",
    )

    def like(mistake: Callable[..., np.ndarray]) -> bool:
        return bool(np.allclose(got, mistake(distances, sigma)))

    expect(not like(_grows), "yours grow with the distance; the sign is missing")
    expect(
        not like(_shares), "yours add up to 1; these are no shares: the nearest alone has a full 1"
    )
    expect(
        not like(_from_zero),
        "the nearest should have a full 1: count only what lies beyond its distance, rho",
    )
    expect(
        not like(_first_is_nearest),
        "the neighbours come in any order; the first need not be the nearest",
    )
    expect(not like(_times_sigma), "a large sigma is a long ruler: divide by it")
    expect(
        not like(_squared),
        "this is a Gaussian; UMAP's ties fall with the distance, not with its square",
    )
    expect_close(got, right, "these are not the ties of the four neighbours", tolerance=1e-6)


def _from_zero(distances: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-distances / sigma)


def _first_is_nearest(distances: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-(distances - distances[0]) / sigma)


def _grows(distances: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp((distances - distances.min()) / sigma)


def _times_sigma(distances: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-(distances - distances.min()) * sigma)


def _squared(distances: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-(((distances - distances.min()) / sigma) ** 2))


def _shares(distances: np.ndarray, sigma: float) -> np.ndarray:
    return ties(distances, sigma) / ties(distances, sigma).sum()


def _nearest_only(distances: np.ndarray, sigma: float) -> np.ndarray:
    return np.ones(1)


# --- 09.trust -------------------------------------------------------------------------------


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


def _grade_trust(attempt: Callable[..., Any]) -> None:
    dice = np.random.default_rng(3)
    space = dice.standard_normal((14, 3))
    plane = space[:, :2] + 0.3 * dice.standard_normal((14, 2))
    same = np.asarray(attempt(space.copy(), space.copy(), 3), dtype=float)
    expect(same.size == 1, f"one number was expected; you gave {same.size}: add up over all items")
    expect(
        abs(same - 1) < 1e-6,
        f"a map that is the space itself must get 1; yours gets {float(same):.2f}",
    )
    got = np.asarray(attempt(space.copy(), plane.copy(), 3), dtype=float)

    def like(mistake: Callable[..., float]) -> bool:
        return bool(np.isclose(got, mistake(space, plane, 3)))

    expect(
        not like(_continuity),
        "this is the continuity: strangers are those near on the map, their rank is the one in"
        " the space",
    )
    expect(
        not like(_itself),
        "an item seems to be among its own neighbours in yours: k=3 means three others",
    )
    expect(
        not like(_share),
        "this is the share of neighbours kept; a stranger should cost the more the farther away"
        " it truly is",
    )
    expect(
        not like(_whole_rank), "a stranger costs what its rank lies beyond k, not the whole rank"
    )
    expect(not like(_mean_excess), "look at the factor in front of the sum: it is not 1 / (n k)")
    expect_close(got, trust(space, plane, 3), "this is not the trustworthiness of this map", 1e-6)


def _ranks(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x[:, None] - x[None], axis=2).argsort(axis=1).argsort(axis=1)


def _excess(space: np.ndarray, plane: np.ndarray, k: int) -> np.ndarray:
    true, seen = _ranks(space), _ranks(plane)
    return np.where((seen >= 1) & (seen <= k), true - k, 0).clip(min=0)


def _factor(n: int, k: int) -> float:
    return 2 / (n * k * (2 * n - 3 * k - 1))


def _continuity(space: np.ndarray, plane: np.ndarray, k: int) -> float:
    return trust(plane, space, k)


def _itself(space: np.ndarray, plane: np.ndarray, k: int) -> float:
    true, seen = _ranks(space) + 1, _ranks(plane) + 1
    excess = np.where(seen <= k, true - k, 0).clip(min=0).sum()
    return float(1 - _factor(len(space), k) * excess)


def _share(space: np.ndarray, plane: np.ndarray, k: int) -> float:
    return float(1 - (_excess(space, plane, k) > 0).sum() / (len(space) * k))


def _whole_rank(space: np.ndarray, plane: np.ndarray, k: int) -> float:
    excess = _excess(space, plane, k)
    return float(1 - _factor(len(space), k) * (excess + k)[excess > 0].sum())


def _mean_excess(space: np.ndarray, plane: np.ndarray, k: int) -> float:
    return float(1 - _excess(space, plane, k).sum() / (len(space) * k))


def _not_from_one(space: np.ndarray, plane: np.ndarray, k: int) -> float:
    return float(_factor(len(space), k) * _excess(space, plane, k).sum())


def _item_by_item(space: np.ndarray, plane: np.ndarray, k: int) -> np.ndarray:
    return 1 - _factor(len(space), k) * _excess(space, plane, k).sum(axis=1)


EXERCISES = (
    Exercise(
        name="09.claims",
        solution=claims,
        grade=_grade_claims,
        starter="claims = ...  # a list of letters",
        why="Neighbourhoods, with a number beside them, are what a map can speak of; distances,"
        " sizes and absences are not.",
        hints=(
            "For each sentence ask: does it speak of neighbours, of a distance, of a size, or of"
            " something that is not there?",
            "0.64 is about what noise gets. What can you still say about such a map?",
            "Two of the six may stand.",
        ),
        mistakes=(
            (["A", "B", "F"], "distance between islands"),
            (["A", "C", "F"], "divided out"),
            (["A", "D", "F"], "absence in the space"),
            (["A", "E"], "trusts the eye"),
            (["A"], "to doubt is a statement too"),
            (["F"], "what exactly does trustworthiness measure"),
            ("AF", "a list of letters was expected"),
            (["A", "G"], "from A to F"),
        ),
    ),
    Exercise(
        name="09.ties",
        solution=ties,
        grade=_grade_ties,
        why="Since rho is taken off and sigma divides, only the order and the relative spacing of"
        " an item's neighbours are left: crowded and lonely items look alike.",
        hints=(
            "rho is the smallest of the distances.",
            "What lies beyond rho, divided by sigma, goes into np.exp, with a minus.",
        ),
        mistakes=(
            (_from_zero, "beyond its distance, rho"),
            (_first_is_nearest, "in any order"),
            (_grows, "the sign is missing"),
            (_times_sigma, "divide by it"),
            (_squared, "this is a Gaussian"),
            (_shares, "these are no shares"),
            (_nearest_only, "for each of the 4 neighbours"),
        ),
    ),
    Exercise(
        name="09.trust",
        solution=trust,
        grade=_grade_trust,
        why="You can now put a number beside every map you meet, t-SNE and PCA included: it needs"
        " the vectors and the places, nothing else.",
        hints=(
            "All distances: np.linalg.norm(x[:, None] - x[None], axis=2), once for each side.",
            "distances.argsort(axis=1).argsort(axis=1) turns every row into ranks; an item itself"
            " gets 0.",
            "Strangers are pairs whose rank on the plane is 1 to k and whose rank in the space is"
            " more than k. Each costs its rank in the space minus k.",
        ),
        mistakes=(
            (_continuity, "this is the continuity"),
            (_itself, "among its own neighbours"),
            (_share, "the farther away it truly is"),
            (_whole_rank, "not the whole rank"),
            (_mean_excess, "the factor in front of the sum"),
            (_not_from_one, "must get 1"),
            (_item_by_item, "one number was expected"),
        ),
    ),
)
