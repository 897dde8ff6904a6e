"""Exercises of notebook 04: mixing, how much is mixed, and which state predicts after a drop."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks import Exercise


def mix(text: Tensor, image: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    """Return M_t and M_v: where swaps is true, the two sequences trade places.

    text, image: shape (batch, time, dim); swaps: shape (batch, time), True or False.
    All dim numbers of a position move together.
    """
    bit = swaps.unsqueeze(-1)
    return torch.where(bit, image, text), torch.where(bit, text, image)


def _average(text, image, swaps):
    half, bit = 0.5 * (text + image), swaps.unsqueeze(-1)
    return torch.where(bit, half, text), torch.where(bit, half, image)


def _in_place(text, image, swaps):
    text[swaps] = image[swaps]
    image[swaps] = text[swaps]  # text has already been overwritten
    return text, image


_TEXT, _IMAGE = torch.arange(30.0).reshape(2, 3, 5) + 100, -torch.arange(30.0).reshape(2, 3, 5) - 1
_SWAPS = torch.tensor([[False, True, False], [True, True, False]])
_LOST = "M_t + M_v should be Z_t + Z_v: what one sequence gives away, the other must receive"


def last_survivor(survives: Tensor) -> Tensor:
    """Return for every position the place of the last survivor at or before it.

    survives: shape (time,), True where an item stays; the first always does.
    Places are counted in the shortened sequence, from 0.
    Result: shape (time,), integers.
    """
    return survives.long().cumsum(dim=0) - 1


def _looks_ahead(survives):
    place = survives.long().cumsum(dim=0) - survives.long()
    return place.clamp(max=int(survives.sum()) - 1)


def repair(m_t: Tensor, m_v: Tensor, swaps: Tensor) -> tuple[Tensor, Tensor]:
    """Return Z_t and Z_v again from M_t, M_v and the swaps that made them.

    m_t, m_v: shape (batch, time, dim); swaps: shape (batch, time).
    """
    bit = swaps.unsqueeze(-1)
    return torch.where(bit, m_v, m_t), torch.where(bit, m_t, m_v)


EXERCISES = (
    Exercise(
        name="04.mix",
        solution=mix,
        cases=((_TEXT, _IMAGE, torch.zeros_like(_SWAPS)), (_TEXT, _IMAGE, _SWAPS)),
        properties=(
            (
                lambda f: torch.allclose(
                    sum(f(_TEXT.clone(), _IMAGE.clone(), _SWAPS)), _TEXT + _IMAGE
                ),
                _LOST,
            ),
        ),
        otherwise="a sequence is not right where a swap is marked, or where none is",
        why="That is the whole of complementary mixup: two sequences, one set of bits, and"
        " nothing lost.",
        hints=(
            "torch.where(condition, a, b) takes from a where the condition holds, else from b.",
            "swaps has no axis for dim; swaps.unsqueeze(-1) gives it one of length 1.",
            "M_t takes the image where the bit is set; M_v takes the text at exactly these places.",
        ),
        mistakes=(
            (lambda text, image, swaps: (mix(text, image, swaps)[0], image), _LOST),
            (
                lambda text, image, swaps: mix(text, image, ~swaps),
                "where swaps is False nothing may change",
            ),
            (_average, "you average at the marked positions; there the two should trade places"),
            (_in_place, _LOST),
            (
                lambda text, image, swaps: mix(text, image, swaps)[0],
                "two sequences were expected, M_t and M_v; you gave one",
            ),
        ),
    ),
    Exercise(
        name="04.share",
        solution=0.25,
        starter="share = ...  # a number between 0 and 1",
        otherwise="what is the mean of U(0, 0.5)?",
        why="A quarter on average: enough to learn from either modality, and most of a sequence"
        " stays what it was.",
        hints=(
            "Given p, each position trades places with probability p. What is p on average?",
            "The mean of a number drawn evenly between a and b lies in the middle.",
        ),
        mistakes=(
            (0.5, "0.5 is the largest p that can be drawn; how large is it on average?"),
            (0.125, "this would be right if p were drawn between 0 and 0.25; look at the range"),
            (25, "a share lies between 0 and 1"),
        ),
    ),
    Exercise(
        name="04.last_survivor",
        solution=last_survivor,
        cases=(
            (torch.tensor([True, False, True, True, False, True]),),
            (torch.ones(4, dtype=torch.bool),),
        ),
        otherwise="how many items have survived up to each position?",
        why="No target is lost by dropping: whatever followed a dropped item is now predicted from"
        " an older state, which is harder, and that is the point.",
        hints=(
            "How many items have survived up to and including a position?",
            "A running count is a cumulative sum of zeros and ones: .long().cumsum(dim=0).",
            "The n-th survivor stands at place n - 1.",
        ),
        mistakes=(
            (
                lambda s: torch.where(s, torch.arange(len(s)), 0).cummax(dim=0).values,
                "these are places in the long sequence; the gaps have been closed, so count"
                " survivors",
            ),
            (
                lambda survives: survives.long().cumsum(dim=0),
                "position 0 survives and stands at place 0 of the shortened sequence",
            ),
            (
                _looks_ahead,
                "a dropped position looks back to the survivor before it, not ahead",
            ),
            (
                lambda survives: last_survivor(survives)[survives],
                "one place for each position was expected, for the dropped ones too",
            ),
        ),
    ),
    Exercise(
        name="04.repair",
        solution=repair,
        cases=((_TEXT, _IMAGE, _SWAPS),),
        otherwise="these are not Z_t and Z_v at every position",
        why="To undo a swap, swap again: the function that mixes is the one that repairs. Mixup"
        " rearranges, it loses nothing.",
        hints=(
            "At a position that was not swapped there is nothing to do. And where it was?",
            "You have written this function before, under another name.",
        ),
        mistakes=(
            (lambda m_t, m_v, swaps: (m_t, m_v), "these are still M_t and M_v"),
            (
                lambda m_t, m_v, swaps: (m_v, m_t),
                "you swap at every position; swap only where it is marked",
            ),
            (
                lambda m_t, m_v, swaps: repair(m_t, m_v, ~swaps),
                "you have found both, in the wrong order: Z_t comes first",
            ),
        ),
    ),
)
