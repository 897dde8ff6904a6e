"""Exercises of notebook 11: leave one out, and put such reasons to the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from course.checks import Exercise, expect, expect_close

# --- 11.leave_one_out -----------------------------------------------------------------------


def leave_one_out(score: Callable[..., float], basket: list[str]) -> list[float]:
    """Return for every item of the basket how far the score falls without it.

    score: gives a number for a list of item ids, oldest first.
    Result: one number per item, in order; above 0 where it speaks for the offer.
    """
    whole = score(basket)
    return [whole - score(basket[:k] + basket[k + 1 :]) for k in range(len(basket))]


_WORTH = {"tent": 0.5, "mug": 0.25, "lamp": -0.125, "vase": 0.0625}


def _toy_score(basket: Sequence[str]) -> float:
    """Sum what the items are worth, count the newest three times; tent and mug go together."""
    if not basket:
        return 0.0
    pair = 0.5 * ({"tent", "mug"} <= set(basket))
    return sum(_WORTH[item] for item in basket) + 2 * _WORTH[basket[-1]] + pair


def _grade_leave_one_out(attempt: Callable[..., Any]) -> None:
    basket = ["mug", "lamp", "tent"]
    given = list(basket)
    got = attempt(_toy_score, given)
    expect(given == basket, "the basket that was handed in has changed: work on a copy")
    expect(
        hasattr(got, "__len__") and len(got) == 3,
        f"three items need three numbers; yours are {got!r}",
    )
    right = leave_one_out(_toy_score, basket)
    values = [float(value) for value in got]
    expect(
        values != [-value for value in right],
        "the signs are the other way round: an item that helps should get a number above 0",
    )
    expect(
        values != [_toy_score([item]) for item in basket],
        "this is the score of each item alone; what is asked is the score of the others",
    )
    expect(
        values != [_toy_score(basket[:k] + basket[k + 1 :]) for k in range(3)],
        "these are the scores that are left; how far have they fallen?",
    )
    expect_close(values, right, "these are not the falls of the score")
    twice = ["mug", "tent", "mug"]
    expect_close(
        attempt(_toy_score, list(twice)),
        leave_one_out(_toy_score, twice),
        "a mug that was bought twice: leave out one of the two at a time, by its place",
    )


def _wrong_sign(score: Callable[..., float], basket: list[str]) -> list[float]:
    return [-fall for fall in leave_one_out(score, basket)]


def _alone(score: Callable[..., float], basket: list[str]) -> list[float]:
    return [score([item]) for item in basket]


def _what_is_left(score: Callable[..., float], basket: list[str]) -> list[float]:
    return [score(basket[:k] + basket[k + 1 :]) for k in range(len(basket))]


def _by_name(score: Callable[..., float], basket: list[str]) -> list[float]:
    whole = score(basket)
    return [whole - score([other for other in basket if other != item]) for item in basket]


def _in_place(score: Callable[..., float], basket: list[str]) -> list[float]:
    whole, falls = score(basket), []
    for _ in range(len(basket)):
        basket.pop(0)
        falls.append(whole - score(basket))
    return falls


# --- 11.joint_fall --------------------------------------------------------------------------


def joint_fall(
    score: Callable[..., float], basket: list[str], effects: list[float], k: int
) -> float:
    """Return how far the score falls when the k strongest items are left out at once.

    effects: one number per item, as from leave_one_out; the largest is the strongest.
    Result: one number.
    """
    order = sorted(range(len(basket)), key=lambda place: -effects[place])
    kept = [basket[place] for place in range(len(basket)) if place not in order[:k]]
    return score(basket) - score(kept)


def _grade_joint_fall(attempt: Callable[..., Any]) -> None:
    basket = ["vase", "tent", "lamp", "mug"]
    effects = leave_one_out(_toy_score, basket)
    got = attempt(_toy_score, list(basket), list(effects), 2)
    best = sorted(effects, reverse=True)[:2]
    expect(
        got != sum(best),
        "this is the sum of the two effects; leave both out at once and ask for the score again",
    )
    weak = sorted(range(4), key=lambda place: effects[place])[:2]
    others = [basket[place] for place in range(4) if place not in weak]
    expect(
        got != _toy_score(basket) - _toy_score(others),
        "you leave out the weakest; the strongest have the largest effects",
    )
    expect(
        got != _toy_score([item for place, item in enumerate(basket) if place in weak]),
        "this is the score that is left; how far has it fallen?",
    )
    expect_close(got, joint_fall(_toy_score, basket, effects, 2), "this is not the fall")
    expect_close(
        attempt(_toy_score, list(basket), list(effects), 1),
        max(effects),
        "for k = 1 the fall is the largest effect itself",
    )


def _sum_of_effects(
    score: Callable[..., float], basket: list[str], effects: list[float], k: int
) -> float:
    return sum(sorted(effects, reverse=True)[:k])


def _weakest(score: Callable[..., float], basket: list[str], effects: list[float], k: int) -> float:
    return joint_fall(score, basket, [-effect for effect in effects], k)


def _score_left(
    score: Callable[..., float], basket: list[str], effects: list[float], k: int
) -> float:
    return score(basket) - joint_fall(score, basket, effects, k)


def _first_k(score: Callable[..., float], basket: list[str], effects: list[float], k: int) -> float:
    return score(basket) - score(basket[k:])


EXERCISES = (
    Exercise(
        name="11.leave_one_out",
        solution=leave_one_out,
        grade=_grade_leave_one_out,
        why="No gradients and no look inside: whatever gives scores can be asked like this.",
        hints=(
            "Take the score of the whole basket once. Then shorten it at every place in turn.",
            "basket[:k] + basket[k + 1:] is a new list without place k.",
        ),
        mistakes=(
            (_wrong_sign, "the other way round"),
            (_alone, "each item alone"),
            (_what_is_left, "how far have they fallen"),
            (_by_name, "bought twice"),
            (_in_place, "work on a copy"),
        ),
    ),
    Exercise(
        name="11.joint_fall",
        solution=joint_fall,
        grade=_grade_joint_fall,
        why="Only this puts an explanation to the test: what it calls strong must matter more than"
        " what is drawn by lot.",
        hints=(
            "Which places have the k largest effects? sorted(range(len(basket)), key=...) knows.",
            "Keep the items at all other places, in their order, and take the difference of the"
            " two scores.",
        ),
        mistakes=(
            (_sum_of_effects, "the sum of the two effects"),
            (_weakest, "you leave out the weakest"),
            (_score_left, "the score that is left"),
            (_first_k, "this is not the fall"),
        ),
    ),
)
