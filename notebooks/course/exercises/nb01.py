"""Exercises of notebook 01: filters, the split, the rank and the metrics made of it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from course.checks import Exercise


def k_core(pairs: list[tuple[str, str]], min_user: int, min_item: int) -> list:
    """Return the interactions that the two filters keep, in their old order.

    pairs: (user, item) for every interaction. In the result every user has
    min_user interactions or more, and every item has min_item or more.
    """
    from collections import Counter

    while True:
        users = Counter(user for user, _ in pairs)
        items = Counter(item for _, item in pairs)
        kept = [
            (user, item)
            for user, item in pairs
            if users[user] >= min_user and items[item] >= min_item
        ]
        if len(kept) == len(pairs):
            return kept
        pairs = kept


def _one_round(pairs, min_user, min_item):
    users, items = Counter(user for user, _ in pairs), Counter(item for _, item in pairs)
    return [(u, i) for u, i in pairs if users[u] >= min_user and items[i] >= min_item]


# The mug occurs twice, but once with Cid: when Cid is dropped, the mug has too few.
_PAIRS = [
    *(("Ann", item) for item in ("tent", "vase", "lamp")),
    *(("Bea", item) for item in ("lamp", "tent", "vase", "mug")),
    *(("Cid", item) for item in ("mug", "bell")),
    *(("Dan", item) for item in ("vase", "lamp", "tent")),
]


def leave_one_out(history: list[int]) -> tuple:
    """Return train, valid and test of one user.

    history: item numbers, oldest first, at least three.
    train: the items to learn from. valid, test: pairs (history, target).
    """
    return history[:-2], (history[:-2], history[-2]), (history[:-1], history[-1])


def rank_of(scores: np.ndarray, target: int, history: list[int]) -> int:
    """Return the rank of the target among the items that compete; the best is 1.

    scores: one per item, shape (items,). Items of the history do not compete,
    unless the target is one of them. Equal scores count against the target.
    """
    better = scores >= scores[target]
    better[history] = False
    better[target] = False
    return 1 + int(better.sum())


def _ties_help(scores, target, history):
    better = scores > scores[target]
    better[history] = False
    return 1 + int(better.sum())


def _by_sorting(scores, target, history):
    scores[[item for item in history if item != target]] = -np.inf
    return 1 + np.argsort(-scores, kind="stable").tolist().index(target)


def _target_is_masked_too(scores, target, history):
    scores[history] = -np.inf
    return int((scores >= scores[target]).sum())


_TIES = (
    "all items have the same score: a scorer that knows nothing would still get a good rank in"
    " yours. Equal scores must count against the target"
)


def three_metrics(ranks: np.ndarray, k: int) -> list[float]:
    """Return Recall@K, NDCG@K and MRR@K, each the mean over all users.

    ranks: the rank of every user's target, from 1, shape (users,).
    """
    hit = ranks <= k
    ndcg = np.where(hit, 1 / np.log2(ranks + 1), 0)
    mrr = np.where(hit, 1 / ranks, 0)
    return [hit.mean(), ndcg.mean(), mrr.mean()]


def _discounted(discount):
    """Return metrics whose NDCG uses another discount of the rank."""

    def metrics(ranks, k):
        hit = ranks <= k
        with np.errstate(all="ignore"):
            return [hit.mean(), np.where(hit, 1 / discount(ranks), 0).mean(), (hit / ranks).mean()]

    return metrics


def _mean_over_hits(ranks, k):
    recall, ndcg, mrr = three_metrics(ranks, k)
    return [recall, ndcg / recall if recall else 0.0, mrr]


EXERCISES = (
    Exercise(
        name="01.k_core",
        solution=k_core,
        cases=((_PAIRS, 3, 2), (_PAIRS, 3, 4)),
        otherwise="ten interactions should remain of the twelve: Cid has too few, and then the mug",
        why="What is left is called a k-core. A filter that looks harmless can remove most of a"
        " dataset, so a paper's filters belong beside its figures.",
        hints=(
            "collections.Counter counts users and items in one line each.",
            "When a user is dropped, items lose interactions, and other items may now have too"
            " few: count again, and again, until nothing is dropped.",
            "while True: count, keep what passes both limits, stop when nothing was dropped.",
        ),
        mistakes=(
            (
                _one_round,
                "the mug is still there: it occurs twice, but once with Cid, who was dropped."
                " Count again after each round",
            ),
            (
                lambda pairs, min_user, min_item: k_core(pairs, min_user + 1, min_item),
                "nothing is left: a user with exactly as many as the limit says may stay",
            ),
            (
                lambda pairs, min_user, min_item: k_core(pairs, 1, min_item),
                "Cid has two interactions and min_user is 3, yet Cid is still there",
            ),
            (
                lambda *given: sorted(k_core(*given), reverse=True),
                "the right interactions, in another order: keep the order of the file",
            ),
            (
                lambda *given: [user for user, _ in k_core(*given)],
                "a list of pairs (user, item) was expected",
            ),
        ),
    ),
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
                lambda h: (h, (h[:-2], h[-2]), (h[:-1], h[-1])),
                "a leak: the test target is among the items to learn from",
            ),
            (
                lambda h: (h[:-2], (h[:-2], h[-2]), (h, h[-1])),
                "a leak: the history of the test contains the target",
            ),
            (
                lambda h: (h[:-2], (h[:-1], h[-1]), (h[:-2], h[-2])),
                "the newest interaction is for the test, the one before it for validation; you"
                " have them the other way round",
            ),
            (
                lambda h: (h[:-2], (h[:-2], h[-2:-1]), (h[:-1], h[-1:])),
                "a target is one item, not a list",
            ),
        ),
    ),
    Exercise(
        name="01.rank_of",
        solution=rank_of,
        cases=(
            (np.array([0.1, 0.9, 0.5, 0.7]), 2, []),
            (np.array([0.1, 0.9, 0.5, 0.7]), 2, [1]),
            (np.zeros(9), 4, []),
            (np.array([0.1, 0.9, 0.5, 0.7]), 3, [1, 3]),
        ),
        otherwise="0.5 among 0.1, 0.9, 0.5 and 0.7: two are better, so the rank is 3",
        why="Every figure of this course is made of such ranks, and the rule for equal scores is"
        " what keeps a scorer that knows nothing from looking perfect.",
        hints=(
            "Count the items that are better. No sorting is needed.",
            "Make an array of True and False, one for each item, and set False what does not"
            " compete.",
            "scores >= scores[target] also marks equal scores, and the target itself.",
        ),
        mistakes=(
            (_ties_help, _TIES),
            (
                lambda scores, target, history: rank_of(scores, target, history) - 1,
                "ranks are counted from 1: the best has rank 1, not 0",
            ),
            (
                lambda scores, target, history: rank_of(scores, target, []),
                "item 1 is in the history and must not compete: the rank should be 2, not 3",
            ),
            (_by_sorting, _TIES),
            (
                _target_is_masked_too,
                "a target that stands in the history (a repeated item) still competes with its"
                " own score",
            ),
            (
                lambda scores, target, history: rank_of(-scores, target, history),
                "the item with the largest score has rank 1",
            ),
        ),
    ),
    Exercise(
        name="01.three_metrics",
        solution=three_metrics,
        cases=((np.array([1]), 10), (np.array([10]), 10), (np.array([1, 3, 10, 11, 200]), 10)),
        otherwise="for the ranks 1, 3, 10, 11 and 200, three of the five are hits at K=10",
        why="With one target per user, all three metrics are functions of the rank alone; they"
        " differ only in how much the first places are worth.",
        hints=(
            "ranks <= k says for every user whether the target was found.",
            "A hit counts 1 for Recall, 1 / log2(rank + 1) for NDCG and 1 / rank for MRR.",
            "True and False count as 1 and 0: (ranks <= k) / ranks is 0 beyond K.",
        ),
        mistakes=(
            (
                lambda ranks, k: [three_metrics(ranks, k)[0] / k, *three_metrics(ranks, k)[1:]],
                "your recall is divided by K: that is precision. There is one target, so a hit"
                " counts 1",
            ),
            (
                lambda ranks, k: three_metrics(ranks, k - 1),
                "rank 10 is among the first 10: with K=10 it is a hit",
            ),
            (
                _discounted(lambda ranks: np.log(ranks + 1)),
                "a target at rank 1 should give NDCG 1: which logarithm is 1 there?",
            ),
            (
                _discounted(np.log2),
                "a target at rank 1 should give NDCG 1: the logarithm of which number is 1 there?",
            ),
            (
                lambda r, k: [(r <= k).mean(), (1 / np.log2(r + 1)).mean(), (1 / r).mean()],
                "beyond K a target counts nothing; yours still counts ranks 11 and 200",
            ),
            (_mean_over_hits, "the mean is over all five users, not over the hits alone"),
            (
                lambda r, k: [(r <= k) * 1.0, (r <= k) / np.log2(r + 1), (r <= k) / r],
                "three numbers were expected, one for each metric: take the mean over the users",
            ),
        ),
    ),
)
