"""Exercises of notebook 04: item drop and complementary mixup."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from course.attempts import differentiate
from course.checks import Exercise
from course.quiz import Question


def draw_positions(items: Tensor, limit: float, generator: Generator) -> Tensor:
    """Draw positions: return True where a position is drawn, shape (batch, time).

    items: shape (batch, time), padded with 0; padding is never drawn.
    First draw one probability p from U(0, limit) for the whole batch. Then draw one
    number from U(0, 1) for each position; the position is drawn if it is below p.
    Take both from torch.rand(..., generator=generator), in this order.
    """
    p = limit * torch.rand(1, generator=generator)
    return (torch.rand(items.shape, generator=generator) < p) & (items != 0)


def _numbers_first(items, limit, generator):
    numbers = torch.rand(items.shape, generator=generator)
    return (numbers < limit * torch.rand(1, generator=generator)) & (items != 0)


def _fixed(items, limit, generator):
    torch.rand(1, generator=generator)
    return (torch.rand(items.shape, generator=generator) < limit) & (items != 0)


def _per_sequence(items, limit, generator):
    p = limit * torch.rand(len(items), 1, generator=generator)
    return (torch.rand(items.shape, generator=generator) < p) & (items != 0)


_ITEMS = torch.arange(1, 41).reshape(4, 10) * (torch.arange(10) < 8)


def drop_items(items: Tensor, kept: Tensor) -> Tensor:
    """Return the kept items of each row in their order, without gaps.

    items: shape (batch, time), padded on the right with 0; kept: the same shape,
    True where an item stays. Result: the same shape, padded on the right with 0.
    """
    order = (~kept).long().argsort(dim=1, stable=True)  # kept items first
    return (items * kept).gather(1, order)


def last_kept(kept: Tensor) -> Tensor:
    """Return for every position the place of the last kept item at or before it.

    kept: shape (batch, time), True where an item stays; the first always does.
    Places are counted in the shortened sequence, from 0. Result: the same shape.
    """
    return kept.long().cumsum(dim=1) - 1


def _looks_ahead(kept):
    place = kept.long().cumsum(dim=1) - kept.long()
    return place.minimum(kept.sum(dim=1, keepdim=True) - 1)


_KEPT = torch.tensor(
    [[True, False, True, True, False, True], [True, True, False, False] + [True] * 2]
)
_SIX = torch.tensor([[5, 6, 7, 8, 9, 4], [3, 1, 2, 9, 8, 7]])


def complementary_mixup(
    text: Tensor, image: Tensor, swaps: Tensor
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return M_t and M_v: text and image embeddings exchanged where swaps is True.

    text, image: shape (batch, time, dim); swaps: shape (batch, time), True or False.
    All dim numbers of a position move together.
    """
    b = swaps.unsqueeze(-1)
    return torch.where(b, image, text), torch.where(b, text, image)


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


EXERCISES = (
    Exercise(
        name="04.draw_positions",
        solution=draw_positions,
        cases=tuple((_ITEMS, 0.9, seed) for seed in range(4)),
        use=lambda f, items, limit, seed: f(items, limit, Generator().manual_seed(seed)),
        otherwise="follow the order: p, one number per position, compare, leave padding out",
        why="The same function draws what is dropped (limit 0.2) and what is exchanged (limit"
        " 0.5). A random p shows the model sequences that are mixed a little and a lot.",
        hints=(
            "p = limit * torch.rand(1, generator=generator) is a draw from U(0, limit).",
            "torch.rand(items.shape, generator=generator) < p is True with probability p.",
            "(items != 0) is False at padding; join the two by &.",
        ),
        mistakes=(
            (_numbers_first, "draw p first, then the numbers of the positions"),
            (_fixed, "your p is always the limit; draw it from U(0, limit)"),
            (_per_sequence, "draw one p for the whole batch, not one for each sequence"),
            (
                lambda items, limit, generator: draw_positions(items + 1, limit, generator),
                "a padded position was drawn; items are 0 there",
            ),
            (
                lambda items, *rest: ~draw_positions(items, *rest) & (items != 0),
                "a position is drawn if its number is below p, not above",
            ),
        ),
    ),
    Exercise(
        name="04.drop_items",
        solution=drop_items,
        cases=((_SIX, _KEPT), (_SIX * (torch.arange(6) < 4), _KEPT)),
        otherwise="of 5, 6, 7, 8 without the 6, the result is 5, 7, 8, 0",
        why="The encoder sees a shorter sequence, as if the dropped interactions had never been"
        " recorded. Its position embeddings count the kept items only.",
        hints=(
            "A loop over the rows is fine: row[kept_row] has the kept items of a row.",
            "Without a loop: (~kept).long().argsort(dim=1, stable=True) puts the positions of kept"
            " items first, and gather(1, order) brings the items into this order.",
            "Set dropped items to 0 first: items * kept.",
        ),
        mistakes=(
            (
                lambda items, kept: items * kept,
                "the dropped items are 0, but the gaps are still there: move the kept items left",
            ),
            (lambda items, kept: drop_items(items, ~kept), "you keep what should be dropped"),
            (
                lambda items, kept: items.gather(1, (~kept).long().argsort(dim=1, stable=True)),
                "the dropped items now stand at the end; there should be padding",
            ),
            (
                lambda items, kept: drop_items(items, kept).sort(dim=1, descending=True).values,
                "the kept items must stay in their order",
            ),
        ),
    ),
    Exercise(
        name="04.last_kept",
        solution=last_kept,
        cases=((_KEPT,), (torch.ones(1, 4, dtype=torch.bool),)),
        otherwise="how many items have been kept up to each position?",
        why="No target is lost by dropping. The item after a dropped one is predicted from an older"
        " state, which is harder, and that is the point.",
        hints=(
            "How many items have been kept up to and including a position?",
            "A running count is a cumulative sum of zeros and ones: .long().cumsum(dim=1).",
            "The n-th kept item stands at place n - 1.",
        ),
        mistakes=(
            (
                lambda kept: (kept * torch.arange(kept.shape[1])).cummax(dim=1).values,
                "these are places in the long sequence; the gaps have been closed, so count the"
                " kept items",
            ),
            (
                lambda kept: kept.long().cumsum(dim=1),
                "position 0 is kept and stands at place 0 of the shortened sequence",
            ),
            (_looks_ahead, "a dropped position looks back to the kept item before it, not ahead"),
            (
                lambda kept: last_kept(kept)[kept],
                "one place for each position was expected, for the dropped ones too",
            ),
        ),
    ),
    Exercise(
        name="04.complementary_mixup",
        solution=complementary_mixup,
        cases=((_TEXT, _IMAGE, torch.zeros_like(_SWAPS)), (_TEXT, _IMAGE, _SWAPS)),
        use=differentiate,
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
            (lambda text, image, swaps: (complementary_mixup(text, image, swaps)[0], image), _LOST),
            (
                lambda text, image, swaps: complementary_mixup(text, image, ~swaps),
                "where swaps is False nothing may change",
            ),
            (_average, "you average at the marked positions; there the two should change places"),
            (_in_place, _LOST),
            (
                lambda text, image, swaps: complementary_mixup(text, image, swaps)[0],
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
            "Given p, each position changes places with probability p. What is p on average?",
            "The mean of a number drawn evenly between a and b lies in the middle.",
        ),
        mistakes=(
            (0.5, "0.5 is the largest p that can be drawn; how large is it on average?"),
            (0.125, "this would be right if p were drawn between 0 and 0.25; look at the range"),
            (25, "a share lies between 0 and 1"),
        ),
    ),
)

QUIZ = (
    Question(
        "Somebody has mixed two sequences and left you the bits. How do you get the original"
        " sequences back?",
        options=(
            (
                "Exchange once more, with the same bits",
                "At an exchanged position the second exchange undoes the first; nothing happens"
                " elsewhere.",
            ),
            (
                "Exchange at all other positions",
                "Then every position is exchanged, so the two sequences have only changed names.",
            ),
            (
                "It is impossible, because mixup loses information",
                "Each embedding is still there, in one of the two sequences. Only the place has"
                " changed.",
            ),
        ),
    ),
    Question(
        "A colleague says that complementary mixup improves accuracy. What do the stored studies"
        " of this project say?",
        options=(
            (
                "No significant effect was found, and a small one is not excluded",
                "The intervals contain 0. On H&M the interval is wide, so its study could not have"
                " found a small effect.",
            ),
            (
                "The studies prove that it has no effect",
                "A difference that is not significant is no proof of equality. The interval says"
                " which effects are excluded.",
            ),
            (
                "It improves accuracy by about a quarter, the share that is exchanged",
                "How much is exchanged says nothing about the effect on a metric.",
            ),
        ),
    ),
)
