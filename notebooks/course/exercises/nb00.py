"""The exercise of notebook 00: the simplest recommender."""

from __future__ import annotations

from collections import Counter

from course.checks import Exercise
from course.quiz import Question


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
)

QUIZ = (
    Question(
        "How does an image reach the Transformer in this method?",
        (
            (
                "CLIP finds keywords for it, and the sentence encoder embeds these",
                "Text and image then have embeddings from one encoder, in one space.",
            ),
            (
                "CLIP's embedding of the image goes into the Transformer",
                "Other methods do this. Here CLIP only chooses words from a dictionary.",
            ),
            (
                "The shop's employees describe it in words",
                "Nobody has to: keyword tokenization needs only the image and a dictionary.",
            ),
        ),
    ),
    Question(
        "The hidden purchase was among the five offers. What does this show?",
        (
            (
                "The model is right for most customers",
                "We chose this customer. Many others are needed, chosen by nobody.",
            ),
            (
                "The model has seen the hidden purchase",
                "It has not: the last two purchases of each customer are kept out of training.",
            ),
            (
                "Little: it is one customer, and chosen",
                "Notebook 01 hides the last purchase of every customer, and counts.",
            ),
        ),
        right=2,
    ),
)
