"""Exercises of notebook 04: mixing, how much is mixed, and which state predicts after a drop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course.checks import Exercise, expect, expect_close

# --- 04.mix ---------------------------------------------------------------------------------


def mix(text: Tensor, image: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    """Return M_t and M_v: where swaps is true, the two sequences trade places.

    text, image: shape (batch, time, dim); swaps: shape (batch, time), True or False.
    All dim numbers of a position move together.
    """
    bit = swaps.unsqueeze(-1)
    return torch.where(bit, image, text), torch.where(bit, text, image)


def _grade_mix(attempt: Callable[..., Any]) -> None:
    text = torch.arange(30.0).reshape(2, 3, 5) + 100
    image = -torch.arange(30.0).reshape(2, 3, 5) - 1
    swaps = torch.tensor([[False, True, False], [True, True, False]])
    got = attempt(text.clone(), image.clone(), swaps.clone())
    expect(
        isinstance(got, (tuple, list)) and len(got) == 2,
        "two sequences were expected, M_t and M_v; you gave one thing",
    )
    mixed_text, mixed_image = got
    for name, mixed in (("M_t", mixed_text), ("M_v", mixed_image)):
        shape = tuple(getattr(mixed, "shape", ()))
        expect(shape == (2, 3, 5), f"{name} should have shape (2, 3, 5); yours has {shape}")
    calm = attempt(text.clone(), image.clone(), torch.zeros_like(swaps))
    expect(
        torch.equal(calm[0], text) and torch.equal(calm[1], image),
        "where swaps is False nothing may change; with no swap at all yours changes something",
    )
    right_text, right_image = mix(text, image, swaps)
    expect(
        not torch.allclose(mixed_text + mixed_image, 2 * (text + image)),
        "M_t + M_v is twice Z_t + Z_v: something is counted double",
    )
    expect(
        torch.allclose(mixed_text + mixed_image, text + image),
        "M_t + M_v should be Z_t + Z_v: what one sequence gives away, the other must receive",
    )
    expect_close(
        mixed_text, right_text, "M_t is not right where a swap is marked, or where none is"
    )
    expect_close(
        mixed_image, right_image, "M_v is not right where a swap is marked, or where none is"
    )


def _only_the_text(text: Tensor, image: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    return mix(text, image, swaps)[0], image


def _the_wrong_way_round(text: Tensor, image: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    return mix(text, image, ~swaps)


def _blend(text: Tensor, image: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    half = 0.5 * (text + image)
    bit = swaps.unsqueeze(-1)
    return torch.where(bit, half, text), torch.where(bit, half, image)


def _in_place(text: Tensor, image: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    text[swaps] = image[swaps]
    image[swaps] = text[swaps]  # text has already been overwritten
    return text, image


def _one_sequence(text: Tensor, image: Tensor, swaps: Tensor) -> Tensor:
    return mix(text, image, swaps)[0]


# --- 04.share -------------------------------------------------------------------------------

share = 0.25


def _grade_share(attempt: Any) -> None:
    expect(
        isinstance(attempt, (int, float)) and not isinstance(attempt, bool),
        f"a number between 0 and 1 was expected; you gave {type(attempt).__name__}",
    )
    expect(0 <= attempt <= 1, f"a share lies between 0 and 1; you gave {attempt}")
    expect(
        abs(attempt - 0.5) > 1e-9,
        "0.5 is the largest p that can be drawn; how large is it on average?",
    )
    expect(
        abs(attempt - 0.125) > 1e-9,
        "0.125 would be right if p were drawn between 0 and 0.25; look at the range again",
    )
    expect(abs(attempt - 0.25) < 1e-9, f"{attempt} is not the mean of U(0, 0.5)")


# --- 04.state -------------------------------------------------------------------------------


def last_survivor(survives: Tensor) -> Tensor:
    """Return for every position the place of the last survivor at or before it.

    survives: shape (time,), True where an item stays; the first always does.
    Places are counted in the shortened sequence, from 0.
    Result: shape (time,), integers.
    """
    return survives.long().cumsum(dim=0) - 1


def _grade_last_survivor(attempt: Callable[..., Any]) -> None:
    survives = torch.tensor([True, False, True, True, False, True])
    got = attempt(survives.clone())
    expect(not isinstance(got, bool), "one place per position was expected; you gave one answer")
    got = torch.as_tensor(got)
    expect(
        tuple(got.shape) == (6,),
        f"one place for each of the 6 positions was expected; your shape is {tuple(got.shape)}",
    )
    expect(
        got[0] == 0,
        f"position 0 survives and stands at place 0 of the shortened sequence; you give"
        f" {got[0].item()}",
    )
    expect(
        got.tolist() != [0, 0, 2, 3, 3, 5],
        "these are places in the long sequence; the gaps have been closed, so count survivors",
    )
    expect(
        got.tolist() != [0, 1, 1, 2, 3, 3],
        "a dropped position looks back to the survivor before it, not ahead: that would be peeking",
    )
    expect(
        got.tolist() == [0, 0, 1, 2, 2, 3],
        f"for survivors at positions 0, 2, 3 and 5 you give {got.tolist()};"
        f" how many have survived up to each position?",
    )
    everyone = attempt(torch.ones(4, dtype=torch.bool))
    expect(
        torch.as_tensor(everyone).tolist() == [0, 1, 2, 3],
        "if nothing is dropped, every position should give its own place",
    )


def _in_the_long_sequence(survives: Tensor) -> Tensor:
    places = torch.arange(len(survives))
    return torch.where(survives, places, 0).cummax(dim=0).values


def _counts_from_one(survives: Tensor) -> Tensor:
    return survives.long().cumsum(dim=0)


def _looks_ahead(survives: Tensor) -> Tensor:
    return torch.tensor([0, 1, 1, 2, 3, 3]) if len(survives) == 6 else last_survivor(survives)


def _survivors_only(survives: Tensor) -> Tensor:
    return last_survivor(survives)[survives]


# --- 04.repair ------------------------------------------------------------------------------


def repair(m_t: Tensor, m_v: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    """Return Z_t and Z_v again from M_t, M_v and the swaps that made them.

    m_t, m_v: shape (batch, time, dim); swaps: shape (batch, time).
    """
    bit = swaps.unsqueeze(-1)
    return torch.where(bit, m_v, m_t), torch.where(bit, m_t, m_v)


def _grade_repair(attempt: Callable[..., Any]) -> None:
    text, image = torch.rand(2, 4, 3), torch.rand(2, 4, 3)
    swaps = torch.tensor([[True, False, False, True], [False, True, False, False]])
    got = attempt(*mix(text, image, swaps), swaps.clone())
    expect(
        isinstance(got, (tuple, list)) and len(got) == 2,
        "two sequences were expected, Z_t and Z_v; you gave one thing",
    )
    expect(
        not (torch.equal(got[0], image) and torch.equal(got[1], text)),
        "you have found both, in the wrong order: Z_t comes first",
    )
    mixed_text, mixed_image = mix(text, image, swaps)
    expect(
        not (torch.equal(got[0], mixed_text) and torch.equal(got[1], mixed_image)),
        "these are still M_t and M_v",
    )
    expect_close(got[0], text, "this is not Z_t at every position")
    expect_close(got[1], image, "this is not Z_v at every position")


def _still_mixed(text: Tensor, image: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    return text, image


def _everything_swapped(text: Tensor, image: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    return image, text


def _other_order(text: Tensor, image: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    return repair(text, image, ~swaps)


EXERCISES = (
    Exercise(
        name="04.mix",
        solution=mix,
        grade=_grade_mix,
        why="That is the whole of complementary mixup: two sequences, one set of bits, and"
        " nothing lost.",
        hints=(
            "torch.where(condition, a, b) takes from a where the condition holds, else from b.",
            "swaps has no axis for dim; swaps.unsqueeze(-1) gives it one of length 1.",
            "M_t takes the image where the bit is set; M_v takes the text at exactly these places.",
        ),
        mistakes=(
            (_only_the_text, "the other must receive"),
            (_the_wrong_way_round, "where swaps is False nothing may change"),
            (_blend, "M_t is not right"),
            (_in_place, "the other must receive"),
            (_one_sequence, "two sequences were expected"),
        ),
    ),
    Exercise(
        name="04.share",
        solution=share,
        grade=_grade_share,
        starter="share = ...  # a number between 0 and 1",
        why="A quarter on average: enough to learn from either side, and most of a sequence stays"
        " what it was.",
        hints=(
            "Given p, each position trades places with probability p. What is p on average?",
            "The mean of a number drawn evenly between a and b lies in the middle.",
        ),
        mistakes=(
            (0.5, "the largest p that can be drawn"),
            (0.125, "look at the range again"),
            (25, "lies between 0 and 1"),
            ("a quarter", "a number between 0 and 1"),
            (0.3, "not the mean of U(0, 0.5)"),
        ),
    ),
    Exercise(
        name="04.last_survivor",
        solution=last_survivor,
        grade=_grade_last_survivor,
        why="No target is lost by dropping: whatever followed a dropped item is now predicted from"
        " an older state, which is harder, and that is the point.",
        hints=(
            "How many items have survived up to and including a position?",
            "A running count is a cumulative sum of zeros and ones: .long().cumsum(dim=0).",
            "The n-th survivor stands at place n - 1.",
        ),
        mistakes=(
            (_in_the_long_sequence, "places in the long sequence"),
            (_counts_from_one, "stands at place 0"),
            (_looks_ahead, "not ahead"),
            (_survivors_only, "one place for each of the 6 positions"),
        ),
    ),
    Exercise(
        name="04.repair",
        solution=repair,
        grade=_grade_repair,
        why="To undo a swap, swap again: the function that mixes is the one that repairs. So mixup"
        " only re-deals the cards, it throws none away.",
        hints=(
            "At a position that was not swapped there is nothing to do. And where it was?",
            "You have written this function before, under another name.",
        ),
        mistakes=(
            (_still_mixed, "still M_t and M_v"),
            (_everything_swapped, "not Z_t at every position"),
            (_other_order, "in the wrong order"),
        ),
    ),
)
