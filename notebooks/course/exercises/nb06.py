"""Exercises of notebook 06: the loss of a batch, its value at collapse, who is no negative."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course.checks import Exercise, expect, expect_close

# --- 06.nip ---------------------------------------------------------------------------------


def nip(h: Tensor, g: Tensor, tau: float) -> Tensor:
    """Return the next-item loss of a batch in which all other rows are negatives.

    h: states, g: vectors of the next items, both of shape (rows, dim), any length.
    Row i should choose item i. Result: one number, the mean over the rows.
    """
    normalize = torch.nn.functional.normalize
    scores = normalize(h, dim=1) @ normalize(g, dim=1).T / tau
    return (scores.logsumexp(dim=1) - scores.diagonal()).mean()


def _grade_nip(attempt: Callable[..., Any]) -> None:
    dice = torch.Generator().manual_seed(0)
    h, g = 3 * torch.randn(2, 6, 4, generator=dice)
    got = torch.as_tensor(attempt(h.clone(), g.clone(), 0.5))
    expect(
        got.numel() == 1, f"one number was expected; you gave {got.numel()}: take the mean of rows"
    )
    right = nip(h, g, 0.5)

    def unlike(mistake: Callable[..., Tensor]) -> bool:
        return not torch.isclose(got, mistake(h, g, 0.5), rtol=1e-4)

    expect(got > 0, "the loss is the log of a sum minus one of its terms; it cannot be negative")
    expect(
        unlike(_items_choose),
        "your rows are items that choose a customer; here each customer chooses among the items",
    )
    expect(unlike(_summed), "this is the sum over the rows; the mean was asked")
    expect(
        unlike(_no_unit_vectors),
        "the vectors come in any length: make them unit vectors first",
    )
    expect(
        unlike(_no_temperature),
        "the temperature has no part in this; scores are divided by it",
    )
    expect_close(got, right, "this is not the loss of these six rows")


def _items_choose(h: Tensor, g: Tensor, tau: float) -> Tensor:
    return nip(g, h, tau)


def _no_unit_vectors(h: Tensor, g: Tensor, tau: float) -> Tensor:
    scores = h @ g.T / tau
    return (scores.logsumexp(dim=1) - scores.diagonal()).mean()


def _no_temperature(h: Tensor, g: Tensor, tau: float) -> Tensor:
    return nip(h, g, 1.0)


def _sign_forgotten(h: Tensor, g: Tensor, tau: float) -> Tensor:
    return -nip(h, g, tau)


def _summed(h: Tensor, g: Tensor, tau: float) -> Tensor:
    return nip(h, g, tau) * len(h)


def _row_by_row(h: Tensor, g: Tensor, tau: float) -> Tensor:
    return nip(h, g, tau).expand(len(h))


# --- 06.collapse ----------------------------------------------------------------------------

collapse = math.log(2 * 64 - 1)


def _grade_collapse(attempt: Any) -> None:
    expect(
        isinstance(attempt, (int, float)) and not isinstance(attempt, bool),
        f"a number was expected; you gave {type(attempt).__name__}",
    )
    expect(
        abs(attempt - math.log(64)) > 1e-3,
        "log 64 is the value of NIP; CMCL has negatives within a view as well",
    )
    expect(
        abs(attempt - math.log(128)) > 1e-3,
        "of 2 x 64 vectors a row meets all but one: it is no negative of itself",
    )
    expect(
        abs(attempt - math.log10(127)) > 1e-3, "the natural logarithm is meant: math.log, not log10"
    )
    expect(
        attempt not in (127, 128),
        "the number of candidates is not yet the loss; its log is",
    )
    expect(
        abs(attempt - collapse) < 1e-3,
        f"{attempt:g} is not it: how many candidates does a row choose among, all equally good?",
    )


# --- 06.negatives ---------------------------------------------------------------------------


def negatives(targets: Tensor, users: Tensor) -> Tensor:
    """Return which rows are negatives of which in CMCL, True where they are.

    targets, users: shape (rows,); the result: shape (rows, rows).
    No row is a negative of itself, nor are rows that share their next item,
    nor rows of one customer.
    """
    same = (targets[:, None] == targets) | (users[:, None] == users)
    return ~same


def _grade_negatives(attempt: Callable[..., Any]) -> None:
    targets, users = torch.tensor([7, 8, 7, 9]), torch.tensor([1, 1, 2, 3])
    got = torch.as_tensor(attempt(targets.clone(), users.clone()))
    expect(
        tuple(got.shape) == (4, 4),
        f"one answer for each pair of the 4 rows was expected; your shape is {tuple(got.shape)}",
    )
    got = got.bool()
    right = negatives(targets, users)
    expect(not torch.equal(got, ~right), "you have marked the pairs that are no negatives; turn it")
    expect(not got.diagonal().any(), "a row cannot be its own negative, yet your diagonal has True")
    expect(
        not got[0, 2], "rows 0 and 2 have the same next item; to push it away would be a mistake"
    )
    expect(
        not got[0, 1],
        "rows 0 and 1 are one customer a purchase apart: nearly the same sequence, no negatives",
    )
    expect(got[0, 3], "rows 0 and 3 share nothing: they are negatives of each other")
    expect(torch.equal(got, right), "some pair is still wrong; compare rows 1 and 2, 2 and 3")


def _turned(targets: Tensor, users: Tensor) -> Tensor:
    return ~negatives(targets, users)


def _targets_only(targets: Tensor, users: Tensor) -> Tensor:
    return targets[:, None] != targets


def _users_only(targets: Tensor, users: Tensor) -> Tensor:
    return users[:, None] != users


def _all_others(targets: Tensor, users: Tensor) -> Tensor:
    return ~torch.eye(len(targets), dtype=torch.bool)


def _both_at_once(targets: Tensor, users: Tensor) -> Tensor:
    return ~((targets[:, None] == targets) & (users[:, None] == users))


def _one_row(targets: Tensor, users: Tensor) -> Tensor:
    return targets != targets[0]


EXERCISES = (
    Exercise(
        name="06.nip",
        solution=nip,
        grade=_grade_nip,
        why="A row of scores, a softmax, the right answer on the diagonal: contrastive learning is"
        " classification with the batch as the list of classes.",
        hints=(
            "Unit vectors first: F.normalize(x, dim=1). Then one matrix product gives all cosines.",
            "Divide by tau. The right answers stand on the diagonal of the matrix.",
            "The loss of a row is scores.logsumexp(dim=1) minus its entry on the diagonal.",
        ),
        mistakes=(
            (_items_choose, "each customer chooses among the items"),
            (_no_unit_vectors, "make them unit vectors first"),
            (_no_temperature, "scores are divided by it"),
            (_sign_forgotten, "cannot be negative"),
            (_summed, "the mean was asked"),
            (_row_by_row, "one number was expected"),
        ),
    ),
    Exercise(
        name="06.collapse",
        solution=collapse,
        grade=_grade_collapse,
        starter="collapse = ...  # a number",
        why="log 127 = 4.84. A loss that sits at this value says: nothing has been learnt, all"
        " vectors may be one.",
        hints=(
            "If all vectors are equal, all candidates of a row are equally likely.",
            "Choosing among n equal candidates costs log n. Count them: the positive, the other"
            " rows' pictures, the other rows' texts.",
        ),
        mistakes=(
            (math.log(64), "within a view"),
            (math.log(128), "no negative of itself"),
            (math.log10(127), "natural logarithm"),
            (127, "not yet the loss"),
            ("log 127", "a number was expected"),
        ),
    ),
    Exercise(
        name="06.negatives",
        solution=negatives,
        grade=_grade_negatives,
        why="False negatives are the quiet damage of contrastive learning: the loss would teach the"
        " model that a right answer is wrong.",
        hints=(
            "targets[:, None] == targets compares every row with every row.",
            "Two reasons to leave a pair out are joined by | (or).",
            "~ turns True and False round.",
        ),
        mistakes=(
            (_turned, "turn it"),
            (_targets_only, "nearly the same sequence"),
            (_users_only, "the same next item"),
            (_all_others, "the same next item"),
            (_both_at_once, "the same next item"),
            (_one_row, "for each pair of the 4 rows"),
        ),
    ),
)
