"""Exercises of notebook 10: orders to rows, size of a feature table, negatives of processes."""

from __future__ import annotations

from typing import Any

from course.checks import Exercise


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
    {"user": "ann", "time": 30, "items": ["rope"]},
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
    Exercise(
        name="10.negatives",
        solution=1023,
        starter="negatives = ...  # a whole number",
        otherwise="how many rows does one step have in all?",
        why="Four processes compute the loss of one: they exchange their rows. More GPUs make a"
        " step quicker; they do not change what is learned.",
        hints=(
            "How many rows does the whole step have, all processes together?",
            "Every other row is a negative, whichever process it comes from.",
        ),
        mistakes=(
            (255, "these are the rows of one process; those of the others are gathered too"),
            (256, "this is how many rows a process has; how many negatives has one row?"),
            (1024, "a row is not its own negative"),
            (4095, "batch_size counts the targets of all processes together, not of each"),
        ),
    ),
)
