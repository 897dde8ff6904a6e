"""Exercises of notebook 11: leave one out, and put such explanations to the test."""

from __future__ import annotations

from collections.abc import Callable

from course.checks import Exercise
from course.quiz import Question


def leave_one_out(score: Callable[..., float], history: list[str]) -> list[float]:
    """Return for every item of the history how far the score falls without it.

    score: gives a number for a list of item ids, oldest first.
    Result: one number per item, in order; above 0 where it supports the recommendation.
    """
    whole = score(history)
    return [whole - score(history[:k] + history[k + 1 :]) for k in range(len(history))]


_WORTH = {"tent": 0.5, "mug": 0.25, "lamp": -0.125, "vase": 0.0625}


def _toy_score(history):
    """Sum what the items are worth, the newest counted three times; tent and mug go together."""
    if not history:
        return 0.0
    pair = 0.5 * ({"tent", "mug"} <= set(history))
    return sum(_WORTH[item] for item in history) + 2 * _WORTH[history[-1]] + pair


def _by_name(score, history):
    return [score(history) - score([i for i in history if i != item]) for item in history]


def _in_place(score, history):
    whole, falls = score(history), []
    for _ in range(len(history)):
        history.pop(0)
        falls.append(whole - score(history))
    return falls


def joint_fall(
    score: Callable[..., float], history: list[str], effects: list[float], k: int
) -> float:
    """Return how far the score falls when the k strongest items are left out at once.

    effects: one number per item, as from leave_one_out; the largest is the strongest.
    Result: one number.
    """
    order = sorted(range(len(history)), key=lambda place: -effects[place])
    kept = [history[place] for place in range(len(history)) if place not in order[:k]]
    return score(history) - score(kept)


_HISTORY = ["vase", "tent", "lamp", "mug"]
_EFFECTS = leave_one_out(_toy_score, _HISTORY)
_REPEATED = ["mug", "lamp", "mug"]

EXERCISES = (
    Exercise(
        name="11.leave_one_out",
        solution=leave_one_out,
        cases=((_toy_score, ["mug", "lamp", "tent"]), (_toy_score, ["mug", "tent", "mug"])),
        otherwise="for each place k: the score of the whole history minus that without place k",
        why="This needs no gradients, so it works for every model that gives scores.",
        hints=(
            "Take the score of the whole history once. Then shorten it at every place in turn.",
            "history[:k] + history[k + 1:] is a new list without place k.",
        ),
        mistakes=(
            (
                lambda *given: [-fall for fall in leave_one_out(*given)],
                "the signs are the other way round: an item that helps should get a number above 0",
            ),
            (
                lambda score, history: [score([item]) for item in history],
                "these are scores of single items; leave the item out and score the others",
            ),
            (
                lambda score, h: [score(h[:k] + h[k + 1 :]) for k in range(len(h))],
                "these are the scores that are left; subtract each from the score of the whole",
            ),
            (_by_name, "a mug that occurs twice: leave out one of the two at a time, by its place"),
            (_in_place, "the history that was handed in has changed: work on a copy"),
        ),
    ),
    Exercise(
        name="11.joint_fall",
        solution=joint_fall,
        cases=((_toy_score, _HISTORY, _EFFECTS, 2), (_toy_score, _REPEATED, [0.1, -0.5, 0.3], 1)),
        otherwise="leave out the k items with the largest effects, keep the others in their order",
        why="Only this puts an explanation to the test: what it calls strong must matter more than"
        " what is drawn at random.",
        hints=(
            "Which places have the k largest effects? sorted(range(len(history)), key=...) knows.",
            "Keep the items at all other places, in their order, and take the difference of the"
            " two scores.",
        ),
        mistakes=(
            (
                lambda score, history, effects, k: sum(sorted(effects, reverse=True)[:k]),
                "this is the sum of the effects; leave all k out at once and ask for the score"
                " again",
            ),
            (
                lambda score, h, effects, k: joint_fall(
                    score, h, [-effect for effect in effects], k
                ),
                "you leave out the weakest; the strongest have the largest effects",
            ),
            (
                lambda score, h, effects, k: score(h) - joint_fall(score, h, effects, k),
                "this is the score that is left; subtract it from the score of the whole history",
            ),
            (
                lambda score, history, effects, k: score(history) - score(history[k:]),
                "you leave out the oldest; the strongest have the largest effects",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "Three older items of a history have effects of 0.01 each. What do you know?",
        (
            (
                "Each can be removed alone with little change",
                "That is what a leave-one-out effect measures. Together they may still matter, if"
                " they carry the same information.",
            ),
            (
                "The model ignores older items",
                "Redundant inputs have small effects each. Remove them together to find out.",
            ),
            ("The user no longer likes them", "An effect describes the model, not the user."),
        ),
    ),
    Question(
        "With mixup, 8 of 10 recommendations stay when text and image embeddings are exchanged."
        " What shows whether this is due to mixup?",
        (
            (
                "The same model, trained without mixup",
                "Only the comparison with a model without this part shows what the part adds.",
            ),
            (
                "The same test with more users",
                "It makes the number 8 more precise. It does not say where it comes from.",
            ),
            (
                "A model with random weights",
                "It shows that training matters, but not which part of the training.",
            ),
        ),
    ),
)
