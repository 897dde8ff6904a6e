"""Exercises of notebook 02: the best words of a picture, prompts together, how many are true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course.checks import Exercise, expect, expect_close

# --- 02.best --------------------------------------------------------------------------


def best(picture: np.ndarray, words: np.ndarray, dictionary: list, n: int) -> list:
    """Return the n words that are most alike to the picture, best first.

    picture: shape (dim,); words: shape (len(dictionary), dim), row i for dictionary[i].
    Alike means: largest cosine. n may be larger than the dictionary.
    """
    lengths = np.linalg.norm(words, axis=1) * np.linalg.norm(picture)
    scores = words @ picture / lengths
    return [dictionary[i] for i in np.argsort(-scores, kind="stable")[:n]]


def _grade_best_words(attempt: Callable[..., Any]) -> None:
    words = np.array([[1.0, 0.0], [0.0, 9.0], [3.0, 3.0], [-1.0, 0.2]])
    dictionary = ["mug", "sky", "lake", "tent"]
    picture = np.array([2.0, 1.0])
    got = attempt(picture.copy(), words.copy(), list(dictionary), 2)
    expect(not isinstance(got, str), "a list of words was expected; you gave one text")
    got = list(got)
    expect(
        all(isinstance(word, str) for word in got),
        f"words were expected, not their numbers or scores; you gave {got}",
    )
    expect(len(got) == 2, f"for n = 2 two words were expected; you gave {len(got)}")
    expect("tent" not in got, f"{got}: the least alike words come first in yours")
    expect(
        "sky" not in got,
        "'sky' has a long vector, but points elsewhere: lengths must not count",
    )
    expect(got != ["mug", "lake"], f"{got} are the right words in the wrong order: best first")
    expect(got == ["lake", "mug"], f"{got} are not the two words with the largest cosine")
    everything = list(attempt(picture.copy(), words.copy(), list(dictionary), 99))
    expect(
        everything == ["lake", "mug", "sky", "tent"],
        "with n larger than the dictionary, all words should come, best first",
    )


def _worst_first(
    picture: np.ndarray, words: np.ndarray, dictionary: Sequence[str], n: int
) -> list[str]:
    return best(picture, words, list(dictionary), 99)[::-1][:n]


def _dot_products(
    picture: np.ndarray, words: np.ndarray, dictionary: Sequence[str], n: int
) -> list[str]:
    return [dictionary[i] for i in np.argsort(-(words @ picture))[:n]]


def _numbers(
    picture: np.ndarray, words: np.ndarray, dictionary: Sequence[str], n: int
) -> list[int]:
    return [dictionary.index(word) for word in best(picture, words, list(dictionary), n)]


def _dictionary_order(
    picture: np.ndarray, words: np.ndarray, dictionary: Sequence[str], n: int
) -> list[str]:
    found = best(picture, words, list(dictionary), n)
    return [word for word in dictionary if word in found]


def _all_of_them(
    picture: np.ndarray, words: np.ndarray, dictionary: Sequence[str], n: int
) -> list[str]:
    return best(picture, words, list(dictionary), 99)


# --- 02.ensemble ----------------------------------------------------------------------------


def ensemble(vectors: np.ndarray) -> np.ndarray:
    """Return one unit vector per word from its vectors in several prompts.

    vectors: shape (prompts, words, dim), of any length.
    Each vector gets length 1; then the mean over the prompts; then length 1 again.
    Result: shape (words, dim).
    """
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    mean = unit.mean(axis=0)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)


def _grade_ensemble(attempt: Callable[..., Any]) -> None:
    vectors = np.array([[[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [[0.0, 1.0], [0.0, 1.0], [4.0, 0.0]]])
    got = np.asarray(attempt(vectors.copy()), dtype=float)
    expect(
        got.shape == (3, 2),
        f"one vector per word, shape (3, 2), was expected; yours is {got.shape}",
    )
    lengths = np.linalg.norm(got, axis=1)
    expect(
        np.allclose(lengths, 1),
        "the mean of unit vectors is shorter than 1: yours have lengths"
        f" {[round(float(length), 2) for length in lengths]}",
    )
    careless = vectors.mean(axis=0)
    careless /= np.linalg.norm(careless, axis=1, keepdims=True)
    expect(
        not np.allclose(got, careless),
        "a prompt with long vectors outvotes the others: give each length 1 before the mean",
    )
    expect_close(got, ensemble(vectors), "lengths are right, directions are not")


def _plain_mean(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit.mean(axis=0)


def _normalised_once(vectors: np.ndarray) -> np.ndarray:
    mean = vectors.mean(axis=0)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)


def _over_words(vectors: np.ndarray) -> np.ndarray:
    return ensemble(vectors.transpose(1, 0, 2))


def _first_prompt(vectors: np.ndarray) -> np.ndarray:
    return vectors[0] / np.linalg.norm(vectors[0], axis=-1, keepdims=True)


# --- 02.precision_recall --------------------------------------------------------------------


def precision_recall(found: list[str], true: set[str]) -> tuple[float, float]:
    """Return precision and recall of the words found for one picture.

    precision: which share of the words found is true;
    recall: which share of the true words was found.
    """
    hits = len(set(found) & true)
    return hits / len(found), hits / len(true)


def _grade_precision_recall(attempt: Callable[..., Any]) -> None:
    got = attempt(["mug", "blue", "tent", "tall"], {"mug", "blue", "striped"})
    expect(
        isinstance(got, (tuple, list)) and len(got) == 2,
        "two numbers were expected, precision and recall; you gave something else",
    )
    got = [float(value) for value in got]
    expect(max(got) <= 1, f"shares are at most 1; yours are {got}")
    expect(
        not np.allclose(got, [2 / 3, 0.5]),
        "both numbers are there, in the wrong order: precision divides by what was found",
    )
    expect(
        not np.allclose(got, [0.5, 0.5]),
        "recall divides by the number of true words, not of words found",
    )
    expect_close(got, [0.5, 2 / 3], "two of four words are true, and two of three were found")
    other = attempt(["red"], {"mug", "red"})
    expect_close(other, [1.0, 0.5], "one word, and it is true: precision 1, recall one half")


def _swapped(found: list[str], true: set[str]) -> tuple[float, float]:
    return precision_recall(found, true)[::-1]


def _one_divisor(found: list[str], true: set[str]) -> tuple[float, float]:
    hits = len(set(found) & true)
    return hits / len(found), hits / len(found)


def _counts(found: list[str], true: set[str]) -> tuple[float, float]:
    return len(set(found) & true), len(true)


EXERCISES = (
    Exercise(
        name="02.best",
        solution=best,
        grade=_grade_best_words,
        why="This is keyword tokenization, whole: cosines, a sort, a cut. Everything else about"
        " it is which words and which vectors.",
        hints=(
            "Divide the dot products by the lengths of the word vectors, or long vectors win.",
            "np.argsort sorts upwards; sort the negative scores to have the best first.",
            "A slice [:n] is content with fewer than n.",
        ),
        mistakes=(
            (_worst_first, "the least alike words come first"),
            (_dot_products, "lengths must not count"),
            (_numbers, "not their numbers"),
            (_dictionary_order, "in the wrong order"),
            (_all_of_them, "for n = 2 two words"),
        ),
    ),
    Exercise(
        name="02.ensemble",
        solution=ensemble,
        grade=_grade_ensemble,
        why="Every prompt has one vote, however long its vectors are. The library does the same"
        " when you give it several prompts.",
        hints=(
            "np.linalg.norm(x, axis=-1, keepdims=True) keeps an axis of length 1 to divide by.",
            "Three steps: length 1, mean over axis 0, length 1 again.",
        ),
        mistakes=(
            (_plain_mean, "is shorter than 1"),
            (_normalised_once, "outvotes the others"),
            (_over_words, "one vector per word"),
            (_first_prompt, "directions are not"),
        ),
    ),
    Exercise(
        name="02.precision_recall",
        solution=precision_recall,
        grade=_grade_precision_recall,
        why="More words find more of what is true and add more that is not. N is where you stand"
        " between the two.",
        hints=(
            "How many words are both found and true? A set knows: set(found) & true.",
            "Divide that number once by what was found, once by what is true.",
        ),
        mistakes=(
            (_swapped, "in the wrong order"),
            (_one_divisor, "recall divides by"),
            (_counts, "shares are at most 1"),
        ),
    ),
)
