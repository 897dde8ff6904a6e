"""Exercises of notebook 02: the best keywords of an image, several prompts, how many are right."""

from __future__ import annotations

import numpy as np

from course.checks import Exercise


def top_words(image: np.ndarray, words: np.ndarray, dictionary: list, n: int) -> list:
    """Return the n words that are most similar to the image, best first.

    image: shape (dim,); words: shape (len(dictionary), dim), row i for dictionary[i].
    Similar means: largest cosine. n may be larger than the dictionary.
    """
    lengths = np.linalg.norm(words, axis=1) * np.linalg.norm(image)
    scores = words @ image / lengths
    return [dictionary[i] for i in np.argsort(-scores, kind="stable")[:n]]


def _in_dictionary_order(image, words, dictionary, n):
    found = top_words(image, words, dictionary, n)
    return [word for word in dictionary if word in found]


_WORDS = np.array([[1.0, 0.0], [0.0, 9.0], [3.0, 3.0], [-1.0, 0.2]])
_DICTIONARY = ["mug", "sky", "lake", "tent"]


def ensemble(embeddings: np.ndarray) -> np.ndarray:
    """Return one unit vector per word from its embeddings in several prompts.

    embeddings: shape (prompts, words, dim), of any length.
    Each embedding gets length 1; then the mean over the prompts; then length 1 again.
    Result: shape (words, dim).
    """
    unit = embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)
    mean = unit.mean(axis=0)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)


def _unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


_PROMPTS = np.array([[[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [[0.0, 1.0], [0.0, 1.0], [4.0, 0.0]]])


def precision_recall(found: list[str], true: set[str]) -> tuple[float, float]:
    """Return precision and recall of the words found for one image.

    precision: which share of the words found is true;
    recall: which share of the true words was found.
    """
    hits = len(set(found) & true)
    return hits / len(found), hits / len(true)


EXERCISES = (
    Exercise(
        name="02.top_words",
        solution=top_words,
        cases=tuple((np.array([2.0, 1.0]), _WORDS, _DICTIONARY, n) for n in (2, 99)),
        otherwise="these are not the words with the largest cosines, best first",
        why="This is the whole of keyword tokenization: cosines, a sort, a cut. Everything else"
        " about it is which words and which embeddings.",
        hints=(
            "Divide the dot products by the lengths of the word embeddings, or long ones win.",
            "np.argsort sorts upwards; sort the negative scores to have the best first.",
            "A slice [:n] is content with fewer than n.",
        ),
        mistakes=(
            (
                lambda i, words, d, n: top_words(i, words, d, 99)[::-1][:n],
                "the least similar words come first in yours",
            ),
            (
                lambda i, words, d, n: [d[k] for k in np.argsort(-(words @ i))[:n]],
                "'sky' has a long embedding, but points elsewhere: lengths must not count",
            ),
            (
                lambda i, words, d, n: [d.index(word) for word in top_words(i, words, d, n)],
                "words were expected, not their numbers or scores",
            ),
            (_in_dictionary_order, "these are the right words in the wrong order: best first"),
            (lambda i, words, d, n: top_words(i, words, d, 99), "return n words, not all of them"),
        ),
    ),
    Exercise(
        name="02.ensemble",
        solution=ensemble,
        cases=((_PROMPTS,),),
        otherwise="these are not the unit vectors of the mean directions",
        why="Every prompt has one vote, however long its embeddings are. The library does the"
        " same when you give it several prompts.",
        hints=(
            "np.linalg.norm(x, axis=-1, keepdims=True) keeps an axis of length 1 to divide by.",
            "Three steps: length 1, mean over axis 0, length 1 again.",
        ),
        mistakes=(
            (
                lambda embeddings: _unit(embeddings).mean(axis=0),
                "the mean of unit vectors is shorter than 1: give it length 1 again",
            ),
            (
                lambda embeddings: _unit(embeddings.mean(axis=0)),
                "a prompt with long embeddings outvotes the others: give each length 1 first",
            ),
            (
                lambda embeddings: ensemble(embeddings.transpose(1, 0, 2)),
                "your mean runs over the words; there should be one vector per word",
            ),
            (
                lambda embeddings: _unit(embeddings[0]),
                "only the first prompt counts in yours",
            ),
        ),
    ),
    Exercise(
        name="02.precision_recall",
        solution=precision_recall,
        cases=(
            (["mug", "blue", "tent", "tall"], {"mug", "blue", "striped"}),
            (["red"], {"mug", "red"}),
        ),
        otherwise="two of the four words are true, and two of the three true words were found",
        why="More words find more of what is true and add more that is not. N sets the balance"
        " between the two.",
        hints=(
            "How many words are both found and true? A set knows: set(found) & true.",
            "Divide that number once by what was found, once by what is true.",
        ),
        mistakes=(
            (
                lambda found, true: precision_recall(found, true)[::-1],
                "both numbers are there, in the wrong order: precision divides by what was found",
            ),
            (
                lambda found, true: [len(set(found) & true) / len(found)] * 2,
                "recall divides by the number of true words, not of words found",
            ),
            (
                lambda found, true: (len(set(found) & true), len(true)),
                "two shares were expected, and shares are at most 1",
            ),
        ),
    ),
)
