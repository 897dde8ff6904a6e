"""Exercises of notebook 10: orders to rows, memory of a feature table, shares of processes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from course.checks import Exercise, expect

# --- 10.rows --------------------------------------------------------------------------------


def rows(orders: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Return the rows of interactions.csv: (user_id, item_id, timestamp), oldest first.

    orders: each has "customer", "time" (a number) and "basket", item ids in the order
    in which they were put in. Orders come in any order. Equal times keep the order
    of the list, and a basket keeps its own.
    """
    found: list[tuple[str, str, int]] = []
    for order in sorted(orders, key=lambda order: order["time"]):
        found += [(order["customer"], item, order["time"]) for item in order["basket"]]
    return found


_ORDERS: list[dict[str, Any]] = [
    {"customer": "ann", "time": 30, "basket": ["tent", "axe"]},
    {"customer": "bo", "time": 10, "basket": ["mug"]},
    {"customer": "ann", "time": 30, "basket": ["rope"]},
    {"customer": "ann", "time": 20, "basket": ["stove", "pan", "axe"]},
]


def _grade_rows(attempt: Callable[..., Any]) -> None:
    given = copy.deepcopy(_ORDERS)
    got = attempt(given)
    expect(
        isinstance(got, list) and all(isinstance(row, (tuple, list)) for row in got),
        "a list of rows was expected, each (user_id, item_id, timestamp)",
    )
    got = [tuple(row) for row in got]
    expect(
        all(len(row) == 3 and isinstance(row[1], str) for row in got),
        "each row is (user_id, item_id, timestamp): a basket becomes a row for each of its items",
    )
    right = rows(_ORDERS)
    expect(
        len(got) >= len(right),
        f"{len(right)} rows were expected, one for each item; you have {len(got)}: does a repeated"
        " purchase get lost?",
    )
    expect(sorted(got) == sorted(right), "some row does not belong there, or its columns are mixed")
    expect([row[2] for row in got] == sorted(row[2] for row in got), "the oldest must come first")
    expect(
        got == right,
        "equal times must keep their order: 'tent' and 'axe' came before 'rope', and 'stove'"
        " before 'pan'; what did you sort by besides the time?",
    )


def _not_sorted(orders: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [(o["customer"], item, o["time"]) for o in orders for item in o["basket"]]


def _sorted_rows(orders: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return sorted(_not_sorted(orders), key=lambda row: (row[2], row[1]))


def _one_row_a_basket(orders: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(o["customer"], o["basket"], o["time"]) for o in orders]


def _repeats_lost(orders: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return list({row[:2]: row for row in rows(orders)}.values())


def _newest_first(orders: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return rows(orders)[::-1]


# --- 10.memory ------------------------------------------------------------------------------


def gigabytes(items: int, sentences: float, pictures: float, width: int) -> float:
    """Return the size of a feature table in GB (1 GB = 1e9 bytes).

    Every sentence and every picture is one vector of `width` numbers in float16.
    sentences, pictures: how many an item has on average.
    """
    return items * (sentences + pictures) * width * 2 / 1e9


def _grade_memory(attempt: Callable[..., Any]) -> None:
    got = float(attempt(1_000_000, 4.0, 1.0, 384))
    expect(abs(got - 7.68) > 1e-6, "float16 takes 2 bytes a number; you have counted 4 (float32)")
    expect(abs(got - 3.84e9) > 1, "these are bytes; a GB is 1e9 of them")
    expect(abs(got - 1.92) > 1e-6, "that is how many numbers there are; each takes 2 bytes")
    expect(abs(got - 3.072) > 1e-6, "the pictures have vectors too")
    expect(abs(got - 3.84) < 1e-6, f"a million items, five vectors each: not {got:g} GB")
    again = float(attempt(10, 2.0, 0.5, 768))
    expect(
        abs(again - 10 * 2.5 * 1536 / 1e9) < 1e-12,
        "right for a million items of width 384, but not for 10 of width 768",
    )


def _float32(items: int, sentences: float, pictures: float, width: int) -> float:
    return 2 * gigabytes(items, sentences, pictures, width)


def _in_bytes(items: int, sentences: float, pictures: float, width: int) -> float:
    return 1e9 * gigabytes(items, sentences, pictures, width)


def _numbers(items: int, sentences: float, pictures: float, width: int) -> float:
    return gigabytes(items, sentences, pictures, width) / 2


def _texts_only(items: int, sentences: float, pictures: float, width: int) -> float:
    return gigabytes(items, sentences, 0, width)


# --- 10.negatives ---------------------------------------------------------------------------

negatives = 1023


def _grade_negatives(attempt: Any) -> None:
    expect(
        isinstance(attempt, int) and not isinstance(attempt, bool),
        f"a whole number was expected; you gave {type(attempt).__name__}",
    )
    expect(attempt != 255, "these are the rows of its own process; the others' are gathered too")
    expect(attempt != 256, "this is how many rows a process has; who are the negatives of one row?")
    expect(attempt != 1024, "a row is not its own negative")
    expect(
        attempt != 4095,
        "batch_size counts the targets of all processes together, not of each",
    )
    expect(attempt == negatives, f"{attempt} is not it: how many rows does one step have in all?")


EXERCISES = (
    Exercise(
        name="10.rows",
        solution=rows,
        grade=_grade_rows,
        why="Many orders hold several items. Whoever sorts them by name shuffles what a"
        " sequence model is to learn from.",
        hints=(
            "sorted(orders, key=...) keeps the order of equals: it is stable.",
            "Sort whole orders by time, then unpack the baskets in a second loop.",
        ),
        mistakes=(
            (_not_sorted, "oldest must come first"),
            (_sorted_rows, "keep their order"),
            (_one_row_a_basket, "a row for each of its items"),
            (_repeats_lost, "repeated purchase"),
            (_newest_first, "oldest must come first"),
        ),
    ),
    Exercise(
        name="10.memory",
        solution=gigabytes,
        grade=_grade_memory,
        why="3.84 GB for a million items. The table stays on disk and is mapped into memory, so a"
        " laptop can work with it.",
        hints=(
            "How many vectors are there? How many numbers has each? How many bytes a number?",
            "16 bits are 2 bytes.",
        ),
        mistakes=(
            (_float32, "counted 4"),
            (_in_bytes, "a GB is 1e9"),
            (_numbers, "each takes 2 bytes"),
            (_texts_only, "pictures have vectors too"),
        ),
    ),
    Exercise(
        name="10.negatives",
        solution=negatives,
        grade=_grade_negatives,
        starter="negatives = ...  # a whole number",
        why="Four processes compute the loss of one: they exchange their rows. More GPUs make a"
        " step quicker; they do not change what is learnt.",
        hints=(
            "How many rows does the whole step have, all processes together?",
            "Every other row is a negative, whichever process it comes from.",
        ),
        mistakes=(
            (255, "the others' are gathered too"),
            (256, "who are the negatives"),
            (1024, "not its own negative"),
            (4095, "of all processes together"),
        ),
    ),
)
