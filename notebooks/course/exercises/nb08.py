"""Exercises of notebook 08: what is cold, a place among candidates, chance, who gets an offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course.checks import Exercise, expect

# --- 08.cold --------------------------------------------------------------------------------


def cold_targets(histories: list[list[int]], targets: list[int]) -> list[bool]:
    """Return for each customer whether the item to be found is strictly cold.

    histories: the item numbers that each customer bought before the test
    targets: the item number to be found, one for each customer
    An item is strictly cold if no history of anybody holds it.
    """
    bought = {item for history in histories for item in history}
    return [target not in bought for target in targets]


_HISTORIES, _TARGETS = [[1, 2, 3], [4, 2], [5, 6], [1], [3]], [4, 7, 2, 7, 8]


def _grade_cold(attempt: Callable[..., Any]) -> None:
    got = attempt([list(history) for history in _HISTORIES], list(_TARGETS))
    right = cold_targets(_HISTORIES, _TARGETS)
    expect(
        hasattr(got, "__len__") and not isinstance(got, (str, dict, set)),
        f"a list with one answer for each customer was expected; you gave {type(got).__name__}",
    )
    answers = list(got)
    expect(
        len(answers) == len(right),
        f"one answer for each of {len(right)} customers was expected; you gave {len(answers)}",
    )
    expect(
        all(answer in (True, False) for answer in answers),
        "True or False was asked for each customer, not the items",
    )
    answers = [bool(answer) for answer in answers]
    expect(
        answers != [not cold for cold in right],
        "you have marked the targets that somebody has bought; turn it",
    )
    expect(
        any(answers),
        "you find nothing cold: a target must not count as bought because it is a target",
    )
    expect(
        not answers[0],
        "customer 0 has not bought item 4, but customer 1 has: look into all histories",
    )
    expect(
        answers[1] and answers[3],
        "item 7 is in no history; that two customers are to find it does not make it bought",
    )
    expect(answers == right, f"{answers} is not it; look at customer 2, who is to find item 2")


def _own_history(histories: list[list[int]], targets: list[int]) -> list[bool]:
    return [target not in own for own, target in zip(histories, targets, strict=True)]


def _targets_too(histories: list[list[int]], targets: list[int]) -> list[bool]:
    return cold_targets([*histories, targets], targets)


def _warm(histories: list[list[int]], targets: list[int]) -> list[bool]:
    return [not cold for cold in cold_targets(histories, targets)]


def _items(histories: list[list[int]], targets: list[int]) -> list[int]:
    cold = cold_targets(histories, targets)
    return [target if is_cold else 9 for target, is_cold in zip(targets, cold, strict=True)]


def _only_cold(histories: list[list[int]], targets: list[int]) -> list[bool]:
    return [cold for cold in cold_targets(histories, targets) if cold]


def _found_once(histories: list[list[int]], targets: list[int]) -> list[bool]:
    cold = cold_targets(histories, targets)
    return [c and targets.count(t) == 1 for c, t in zip(cold, targets, strict=True)]


# --- 08.among -------------------------------------------------------------------------------


def place_among(scores: Tensor, target: int, candidates: Tensor) -> int:
    """Return the place of an item among some candidates; 1 is the best.

    scores: one for each item number, higher is better; shape (items,)
    target: the item's number; candidates: numbers, the target may be one of them or not
    Only candidates compete. One with the same score stands before the target.
    """
    rivals = candidates[candidates != target]
    return 1 + int((scores[rivals] >= scores[target]).sum())


_SCORES = torch.tensor([9.0, 0.3, 0.8, 0.5, 0.9, 0.5, 0.1])
_CANDIDATES = torch.tensor([2, 3, 5, 6])


def _grade_among(attempt: Callable[..., Any]) -> None:
    def given(candidates: Tensor) -> int:
        got = torch.as_tensor(attempt(_SCORES.clone(), 3, candidates.clone()))
        expect(got.numel() == 1, f"one place was expected; you gave {got.numel()} numbers")
        return int(got)

    got = given(_CANDIDATES)
    expect(got != 0, "places are counted from 1")
    expect(
        got != 5,
        "items 0 and 4 have higher scores, but they are no candidates and must not compete",
    )
    expect(
        got != 2,
        "item 5 has the same score as the target, and stands before it: count equal scores",
    )
    expect(
        got != 4,
        "this is one place too far: is the target competing with itself?",
    )
    expect(got == 3, f"place 3 was expected for scores 0.8, 0.5 (target), 0.5, 0.1; you gave {got}")
    expect(
        given(torch.tensor([2, 5, 6])) == 3,
        "the target need not be among the candidates: its place is the same without it",
    )


def _among_all(scores: Tensor, target: int, candidates: Tensor) -> int:
    return place_among(scores, target, torch.arange(len(scores)))


def _ties_for_it(scores: Tensor, target: int, candidates: Tensor) -> int:
    rivals = candidates[candidates != target]
    return 1 + int((scores[rivals] > scores[target]).sum())


def _with_itself(scores: Tensor, target: int, candidates: Tensor) -> int:
    return 1 + int((scores[candidates] >= scores[target]).sum())


def _from_zero(scores: Tensor, target: int, candidates: Tensor) -> int:
    best = scores[candidates].max()
    return int((scores[candidates] > best).sum())


def _minus_itself(scores: Tensor, target: int, candidates: Tensor) -> int:
    return int((scores[candidates] >= scores[target]).sum())


def _all_places(scores: Tensor, target: int, candidates: Tensor) -> Tensor:
    return scores[candidates].argsort(descending=True)


# --- 08.chance ------------------------------------------------------------------------------

chance = 10 / 104


def _grade_chance(attempt: Any) -> None:
    expect(
        isinstance(attempt, (int, float)) and not isinstance(attempt, bool),
        f"a number was expected; you gave {type(attempt).__name__}",
    )
    expect(
        abs(attempt - 10 / 400) > 1e-4,
        "this is the chance among all 400 items; here only the cold ones compete",
    )
    expect(
        abs(attempt - 1 / 104) > 1e-4,
        "this is the chance of the first place; Recall@10 counts the first ten",
    )
    expect(
        abs(attempt - 100 * chance) > 1e-2,
        "this is the answer in percent; recall is a share between 0 and 1",
    )
    expect(abs(attempt - chance) < 1e-4, f"{attempt:g} is not it: ten places for 104 candidates")


# --- 08.share -------------------------------------------------------------------------------


def share_offered(lists: Tensor, new: Tensor, k: int) -> float:
    """Return the share of customers who get a new item among their first k.

    lists: scores of the items they can have today, shape (customers, items)
    new: the new item's score for each customer, shape (customers,)
    Equal scores stand before the new item.
    """
    last = lists.topk(k, dim=1).values[:, -1]
    return (new > last).float().mean().item()


_LISTS = torch.tensor(
    [
        [0.9, 0.7, 0.5, 0.1],
        [0.1, 0.2, 0.8, 0.6],
        [0.4, 0.4, 0.3, 0.3],
        [0.6, 0.9, 0.1, 0.5],
        [0.7, 0.3, 0.2, 0.6],
    ]
)
_NEW = torch.tensor([0.95, 0.65, 0.4, 0.55, 0.3])


def _grade_share(attempt: Callable[..., Any]) -> None:
    got = torch.as_tensor(attempt(_LISTS.clone(), _NEW.clone(), 2)).float()
    expect(got.numel() == 1, f"one share was expected; you gave {got.numel()} numbers")
    value = float(got)
    expect(
        value not in (2, 40),
        "a share between 0 and 1 was asked; take the mean over the customers",
    )
    expect(
        abs(value - 0.2) > 1e-4,
        "one customer has it on the first place; asked is who has it among the first k",
    )
    expect(
        abs(value - 0.6) > 1e-4,
        "for customer 2 the new item scores the same as the last of the first k: it stays behind",
    )
    expect(
        min(abs(value - 0.8), abs(value - 1)) > 1e-4,
        "you let the new item in behind the first k; it must beat the last of them, the k-th best",
    )
    expect(abs(value - 0.4) < 1e-4, f"{value:g} is not it; two of these five customers get it")
    expect(
        abs(float(attempt(_LISTS.clone(), _NEW.clone(), 1)) - 0.2) < 1e-4,
        "right for k = 2, wrong for k = 1: use k",
    )


def _first_place(lists: Tensor, new: Tensor, k: int) -> float:
    return share_offered(lists, new, 1)


def _ties_let_in(lists: Tensor, new: Tensor, k: int) -> float:
    return (new >= lists.topk(k, dim=1).values[:, -1]).float().mean().item()


def _one_more(lists: Tensor, new: Tensor, k: int) -> float:
    return (new >= lists.topk(k + 1, dim=1).values[:, -1]).float().mean().item()


def _counted(lists: Tensor, new: Tensor, k: int) -> float:
    return share_offered(lists, new, k) * len(new)


def _each(lists: Tensor, new: Tensor, k: int) -> Tensor:
    return new > lists.topk(k, dim=1).values[:, -1]


def _always_two(lists: Tensor, new: Tensor, k: int) -> float:
    return share_offered(lists, new, 2)


EXERCISES = (
    Exercise(
        name="08.cold",
        solution=cold_targets,
        grade=_grade_cold,
        why="Strict means: nobody at all. One purchase by one customer is enough for a model with"
        " ids to learn something of an item.",
        hints=(
            "First collect what anybody has bought: a set of item numbers.",
            "A set comprehension over two loops: {item for history in histories for item in"
            " history}.",
            "Then ask for each target whether it is not in the set.",
        ),
        mistakes=(
            (_own_history, "look into all histories"),
            (_targets_too, "you find nothing cold"),
            (_warm, "turn it"),
            (_items, "not the items"),
            (_only_cold, "one answer for each of 5 customers"),
            (_found_once, "does not make it bought"),
        ),
    ),
    Exercise(
        name="08.among",
        solution=place_among,
        grade=_grade_among,
        why="The same scores give another place among other candidates. A figure without its"
        " candidate set says nothing.",
        hints=(
            "Take the target out of the candidates first: candidates[candidates != target].",
            "Count the rivals whose score is at least that of the target.",
            "The place is one more than their number.",
        ),
        mistakes=(
            (_among_all, "no candidates"),
            (_ties_for_it, "count equal scores"),
            (_with_itself, "competing with itself"),
            (_from_zero, "counted from 1"),
            (_minus_itself, "need not be among the candidates"),
            (_all_places, "one place was expected"),
        ),
    ),
    Exercise(
        name="08.chance",
        solution=chance,
        grade=_grade_chance,
        starter="chance = ...  # a number",
        why="0.096 among the cold items, 0.025 among all: a recall of 0.1 would be nothing in the"
        " first case and four times chance in the second.",
        hints=(
            "A guess puts the target on each place with the same probability.",
            "Ten places count. How many places are there?",
        ),
        mistakes=(
            (10 / 400, "among all 400 items"),
            (1 / 104, "the first place"),
            (9.615, "in percent"),
            (0.5, "ten places for 104 candidates"),
            ("10/104", "a number was expected"),
        ),
    ),
    Exercise(
        name="08.share",
        solution=share_offered,
        grade=_grade_share,
        why="This is what the shop wants to know of a new thing: not its mean score, but how many"
        " people will ever see it.",
        hints=(
            "To get in, the new item must beat the k-th best of a customer's list.",
            "lists.topk(k, dim=1).values has the k best scores of each customer, best first.",
            "Its last column is the score to beat; compare with > and take the mean.",
        ),
        mistakes=(
            (_first_place, "on the first place"),
            (_ties_let_in, "it stays behind"),
            (_one_more, "the k-th best"),
            (_counted, "take the mean"),
            (_each, "one share was expected"),
            (_always_two, "use k"),
        ),
    ),
)
