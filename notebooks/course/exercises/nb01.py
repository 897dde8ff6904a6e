"""Exercises of notebook 01: the split, a training batch, ranks and metrics."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course.checks import Exercise
from course.quiz import Question


def leave_one_out(history: list[int]) -> tuple:
    """Return train, valid and test of one user.

    history: item numbers, oldest first, at least three.
    train: the items to learn from. valid, test: pairs (history, target).
    """
    return history[:-2], (history[:-2], history[-2]), (history[:-1], history[-1])


def make_batch(sequences: list[list[int]], max_len: int) -> tuple[Tensor, Tensor]:
    """Return the inputs and the targets of a training batch.

    sequences: item numbers of each user, oldest first, at least two.
    Only the newest max_len + 1 of each are used: max_len inputs and, shifted by one,
    as many targets. Both results: shape (batch, time), integers, padded on the right
    with 0; time is the number of inputs of the longest sequence.
    """
    windows = [sequence[-max_len - 1 :] for sequence in sequences]
    items = torch.zeros(len(windows), max(map(len, windows)) - 1, dtype=torch.long)
    targets = torch.zeros_like(items)
    for row, window in enumerate(windows):
        items[row, : len(window) - 1] = torch.tensor(window[:-1])
        targets[row, : len(window) - 1] = torch.tensor(window[1:])
    return items, targets


def _padded_left(sequences, max_len):
    return [
        torch.stack([row.roll(int((row == 0).sum())) for row in rows])
        for rows in make_batch(sequences, max_len)
    ]


def ranks(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the rank of each row's target among all items; the best is 1.

    scores: shape (rows, items + 1), column i for item i; column 0 is padding and
    does not compete. targets: shape (rows,). Equal scores count against the target.
    """
    of_target = scores.gather(1, targets[:, None])
    return (scores[:, 1:] >= of_target).sum(dim=1)


def _by_sorting(scores, targets):
    order = scores[:, 1:].argsort(dim=1, descending=True, stable=True) + 1
    return (order == targets[:, None]).int().argmax(dim=1) + 1


_TIES = (
    "all items have the same score: a model that knows nothing would still get a good rank in"
    " yours. Equal scores must count against the target"
)
_SCORES = torch.tensor([[0.8, 0.1, 0.9, 0.5, 0.7], [2.0, 0.1, 0.9, 0.5, 0.7]])


def recall_ndcg(ranks: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return Recall@K and NDCG@K of every test case, both of shape (cases,).

    ranks: the rank of each test case's target, from 1, shape (cases,).
    """
    hit = (ranks <= k).float()
    return hit, hit / torch.log2(ranks + 1)


EXERCISES = (
    Exercise(
        name="01.leave_one_out",
        solution=leave_one_out,
        cases=(([31, 12, 45, 7, 28],),),
        properties=(
            (lambda f: len(f([1, 2, 3])) == 3, "three things were expected: train, valid and test"),
            (
                lambda f: not {7, 28} & {*f([31, 12, 45, 7, 28])[0]},
                "a leak: a held-out item is among those to learn from",
            ),
        ),
        otherwise="train is all but the last two; valid and test are pairs (history, target)",
        why="A target is never among what is known. This is all that 'no leak' means, and it must"
        " hold for every user.",
        hints=(
            "The newest interaction is the test target, the one before it the validation target.",
            "A history is what lay before its target. What lies before the newest interaction?",
            "Python counts from the end: history[-1] is the newest, history[:-1] all before it.",
        ),
        mistakes=(
            (
                lambda h: (h[:-2], (h[:-2], h[-2]), (h[:-2], h[-1])),
                "when the test target comes, the validation target is already in the past: it"
                " belongs into the history of the test",
            ),
            (
                lambda h: (h[:-1], (h[:-2], h[-2]), (h[:-1], h[-1])),
                "a leak: the validation target is among the items to learn from",
            ),
            (
                lambda h: (h[:-2], (h[:-2], h[-2]), (h, h[-1])),
                "a leak: the history of the test contains the target",
            ),
            (
                lambda h: (h[:-2], (h[:-2], h[-2:-1]), (h[:-1], h[-1:])),
                "a target is one item, not a list",
            ),
        ),
    ),
    Exercise(
        name="01.make_batch",
        solution=make_batch,
        cases=(
            ([[31, 12, 45, 7], [28, 5], [6, 2, 9]], 50),
            ([[1, 2, 3, 4, 5, 6], [7, 8, 9]], 3),
        ),
        otherwise="compare with the sequence 31, 12, 45, 7: its inputs are 31, 12, 45 and its"
        " targets 12, 45, 7",
        why="One row holds as many prediction tasks as it has targets. All models of this course"
        " are trained on such batches.",
        hints=(
            "The inputs are all items but the last, the targets all items but the first.",
            "torch.zeros(rows, time, dtype=torch.long) is padding everywhere; then fill in each"
            " row from the left.",
            "sequence[-max_len - 1:] are the newest max_len + 1 items.",
        ),
        mistakes=(
            (
                lambda sequences, max_len: make_batch(sequences, max_len)[:1] * 2,
                "your targets equal the inputs; a target is the item that comes next",
            ),
            (
                lambda sequences, max_len: make_batch([s[: max_len + 1] for s in sequences], 99),
                "of a sequence that is too long you keep the oldest items; keep the newest",
            ),
            (
                lambda sequences, max_len: make_batch(sequences, max_len - 1),
                "with max_len 3 a sequence of six has three inputs: the newest four items make"
                " three pairs of input and target",
            ),
            (_padded_left, "the padding belongs to the right of the items"),
            (
                lambda sequences, max_len: make_batch(sequences, max_len)[::-1],
                "you have both tensors, in the wrong order: inputs first",
            ),
        ),
    ),
    Exercise(
        name="01.ranks",
        solution=ranks,
        cases=(
            (_SCORES, torch.tensor([3, 2])),
            (torch.zeros(1, 9), torch.tensor([4])),
        ),
        otherwise="0.5 among 0.1, 0.9, 0.5 and 0.7: two are better, so the rank is 3",
        why="Every figure of this course is made of such ranks. The rule for equal scores keeps a"
        " model that knows nothing from looking perfect.",
        hints=(
            "Count the items whose score is at least that of the target. No sorting is needed.",
            "scores.gather(1, targets[:, None]) has the score of each row's target, shape"
            " (rows, 1).",
            "scores[:, 1:] leaves padding out. The target itself is counted too, so ranks start at"
            " 1.",
        ),
        mistakes=(
            (
                lambda scores, targets: (
                    1 + (scores[:, 1:] > scores.gather(1, targets[:, None])).sum(dim=1)
                ),
                _TIES,
            ),
            (_by_sorting, _TIES),
            (
                lambda scores, targets: ranks(scores, targets) - 1,
                "ranks are counted from 1: the best has rank 1, not 0",
            ),
            (
                lambda scores, targets: (scores >= scores.gather(1, targets[:, None])).sum(dim=1),
                "column 0 is padding, not an item, and must not compete",
            ),
            (
                lambda scores, targets: ranks(-scores, targets),
                "the item with the largest score has rank 1",
            ),
        ),
    ),
    Exercise(
        name="01.recall_ndcg",
        solution=recall_ndcg,
        cases=((torch.tensor([1]), 10), (torch.tensor([1, 3, 10, 11, 200]), 10)),
        otherwise="of the ranks 1, 3, 10, 11 and 200, three are hits at K=10",
        why="With one target per test case, both metrics are functions of the rank alone. They"
        " differ only in how much the first places are worth.",
        hints=(
            "ranks <= k says for every test case whether the target was found.",
            "A hit counts 1 for Recall and 1 / log2(rank + 1) for NDCG; anything else counts 0.",
            "(ranks <= k).float() turns True and False into 1.0 and 0.0.",
        ),
        mistakes=(
            (
                lambda r, k: (recall_ndcg(r, k)[0] / k, recall_ndcg(r, k)[1]),
                "your recall is divided by K: that is precision. There is one target, so a hit"
                " counts 1",
            ),
            (
                lambda r, k: recall_ndcg(r, k - 1),
                "rank 10 is among the first 10: with K=10 it is a hit",
            ),
            (
                lambda r, k: (recall_ndcg(r, k)[0], recall_ndcg(r, k)[1] / math.log(2)),
                "a target at rank 1 should give NDCG 1: which logarithm is 1 there?",
            ),
            (
                lambda r, k: (recall_ndcg(r, k)[0], 1 / torch.log2(r + 1)),
                "beyond K a target counts nothing; your NDCG still counts ranks 11 and 200",
            ),
            (
                lambda r, k: (r <= k, recall_ndcg(r, k)[1]),
                "Recall is a number for each test case: turn True and False into 1.0 and 0.0",
            ),
            (
                lambda r, k: [metric.mean() for metric in recall_ndcg(r, k)],
                "one value for each test case was expected; the mean comes later",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "A model gives all 400 items the same score. Which Recall@10 should a test report?",
        (
            (
                "0: equal scores count against the target, so its rank is 400",
                "A model that prefers nothing has found nothing.",
            ),
            (
                "1: no item has a higher score than the target",
                "That is the mistake that the rule for ties prevents: `>` in place of `>=`.",
            ),
            (
                "It depends on the order of the items in the file",
                "Sorting the scores has this effect. A result must not depend on item numbers.",
            ),
        ),
    ),
    Question(
        "Which of these is data leakage?",
        (
            (
                "The validation target is part of the history of the test",
                "At the time of the test it is in the past. A model in use would know it, too.",
            ),
            (
                "The validation part decides when training stops",
                "That is what it is for. Only the test must not choose anything.",
            ),
            (
                "Items with few interactions are dropped, counted in the whole file",
                "Test interactions decide what stays, and new items, the hard ones, are dropped.",
            ),
        ),
        right=2,
    ),
)
