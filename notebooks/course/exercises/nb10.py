"""Exercises of notebook 10: orders to rows, size of a feature table."""

from __future__ import annotations

from typing import Any

from course.checks import Exercise
from course.quiz import Question


def rows(orders: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Return the rows of interactions.csv: (user_id, item_id, timestamp), oldest first.

    orders: each has "user", "time" (a number) and "items", item ids in the order
    in which they were put in. Orders come in any order. Equal times keep the order
    of the list, and the items of an order keep theirs.
    """
    found: list[tuple[str, str, int]] = []
    for order in sorted(orders, key=lambda order: order["time"]):
        found += [(order["user"], item, order["time"]) for item in order["items"]]
    return found


def _unsorted(orders):
    return [(order["user"], item, order["time"]) for order in orders for item in order["items"]]


_OLDEST_FIRST = "the oldest must come first"
_ORDERS = [
    {"user": "ann", "time": 30, "items": ["tent", "axe"]},
    {"user": "bo", "time": 10, "items": ["mug"]},
    {"user": "abe", "time": 30, "items": ["rope"]},
    {"user": "ann", "time": 20, "items": ["stove", "pan", "axe"]},
]


def gigabytes(items: int, sentences: float, images: float, width: int) -> float:
    """Return the size of a feature table in GB (1 GB = 1e9 bytes).

    Every sentence and every image is one embedding of `width` numbers in float16.
    sentences, images: how many an item has on average.
    """
    return items * (sentences + images) * width * 2 / 1e9


EXERCISES = (
    Exercise(
        name="10.rows",
        solution=rows,
        cases=((_ORDERS,),),
        otherwise="seven rows were expected, one for each item of each order, the oldest first",
        why="Many orders hold several items. Sorting them by name would change the order that a"
        " sequence model is to learn from.",
        hints=(
            "sorted(orders, key=...) keeps the order of equals: it is stable.",
            "Sort whole orders by time, then unpack their items in a second loop.",
        ),
        mistakes=(
            (_unsorted, _OLDEST_FIRST),
            (
                lambda orders: sorted(_unsorted(orders), key=lambda row: (row[2], row[1])),
                "equal times must keep their order: 'tent' and 'axe' came before 'rope', and"
                " 'stove' before 'pan'; what did you sort by besides the time?",
            ),
            (
                lambda orders: [(order["user"], order["items"], order["time"]) for order in orders],
                "an order becomes a row for each of its items",
            ),
            (
                lambda orders: list({row[:2]: row for row in rows(orders)}.values()),
                "ann has two axes, at different times: do not lose repeated interactions",
            ),
            (lambda orders: rows(orders)[::-1], _OLDEST_FIRST),
        ),
    ),
    Exercise(
        name="10.gigabytes",
        solution=gigabytes,
        cases=((1_000_000, 4.0, 1.0, 384), (10_000_000, 2.0, 0.5, 768)),
        otherwise="a million items with five embeddings of 384 numbers each take 3.84 GB",
        why="3.84 GB for a million items. The table stays on disk and is mapped into memory, so a"
        " laptop can work with it.",
        hints=(
            "How many embeddings are there? How many numbers has each? How many bytes a number?",
            "16 bits are 2 bytes.",
        ),
        mistakes=(
            (
                lambda *given: 2 * gigabytes(*given),
                "float16 takes 2 bytes a number; you have counted 4 (float32)",
            ),
            (lambda *given: 1e9 * gigabytes(*given), "these are bytes; a GB is 1e9 of them"),
            (
                lambda *given: gigabytes(*given) / 2,
                "that is how many numbers there are; each takes 2 bytes",
            ),
            (
                lambda items, sentences, images, width: gigabytes(items, sentences, 0, width),
                "the images have embeddings too",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "Your validation NDCG@10 is 0.081, ItemKNN has 0.079. What do you ship?",
        (
            (
                "M²SE: it is better",
                "The intervals decide. A difference of 0.002 is rarely significant.",
            ),
            (
                "ItemKNN, unless the paired interval of the difference excludes 0",
                "It is cheaper to run and to explain. Compare the two user by user (notebook 07).",
            ),
            (
                "Whichever is better on the test part",
                "Then the test part chooses, and no test is left.",
            ),
        ),
        right=1,
    ),
    Question(
        "An export sorts equal timestamps by item name. What goes wrong?",
        (
            (
                "Nothing: the model sees only the set of items",
                "M²SE is sequential: the order is its input.",
            ),
            ("The reader refuses ties", "Ties are common, so they only get a note in the summary."),
            (
                "The model learns an order that no user chose",
                "Within a tie the order of the file counts. Export the true order or finer times.",
            ),
        ),
        right=2,
    ),
)
