"""Exercises of notebook 01: filters, the split, the rank and what is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course.checks import Exercise, expect, expect_close

Pairs = list[tuple[str, str]]

# --- 01.k_core ------------------------------------------------------------------------------


def k_core(
    pairs: list[tuple[str, str]], min_user_interactions: int, min_item_interactions: int
) -> list:
    """Return the purchases that the two filters leave, in their old order.

    pairs: (customer, item) for every purchase. In the result every customer
    has user_min purchases or more, and every item was bought item_min times or more.
    """
    from collections import Counter

    while True:
        users = Counter(user for user, _ in pairs)
        items = Counter(item for _, item in pairs)
        kept = [
            (user, item)
            for user, item in pairs
            if users[user] >= min_user_interactions and items[item] >= min_item_interactions
        ]
        if len(kept) == len(pairs):
            return kept
        pairs = kept


# Mugs are bought twice, but not by two who stay: Cid leaves first, and then so does the mug.
_SHOP: Pairs = [
    *(("Ann", item) for item in ("tent", "vase", "lamp")),
    *(("Bea", item) for item in ("lamp", "tent", "vase", "mug")),
    *(("Cid", item) for item in ("mug", "bell")),
    *(("Dan", item) for item in ("vase", "lamp", "tent")),
]
_CORE: Pairs = [(user, item) for user, item in _SHOP if user != "Cid" and item != "mug"]


def _grade_k_core(attempt: Callable[..., Any]) -> None:
    got = attempt(list(_SHOP), 3, 2)
    expect(isinstance(got, (list, tuple)), f"a list of pairs was expected; got {type(got)}")
    got = list(got)
    expect(
        all(isinstance(pair, tuple) and len(pair) == 2 for pair in got),
        f"a list of pairs (customer, item) was expected; you gave {got[:3]} ...",
    )
    users = Counter(user for user, _ in got)
    items = Counter(item for _, item in got)
    expect(
        got,
        "nothing is left. Three customers have three things that nobody takes away: whoever has"
        " exactly as many as the limit says may stay",
    )
    expect(
        users["Cid"] == 0,
        "Cid bought two things and user_min is 3, yet Cid is still there",
    )
    expect(
        items["mug"] == 0,
        "the mug is still there: it was bought twice, but once by Cid, who has left. Count again"
        " after each round",
    )
    expect(
        set(got) == set(_CORE),
        f"{len(_CORE)} purchases should be left, you have {len(got)}: whoever has exactly as many"
        " as the limit says may stay",
    )
    expect(got == _CORE, "the right purchases, in another order: keep the order of the file")
    expect(
        list(attempt(list(_SHOP), 3, 4)) == [],
        "with item_min=4 no item has enough, so nothing at all should be left",
    )


def _one_round(pairs: Pairs, min_user_interactions: int, min_item_interactions: int) -> Pairs:
    users, items = Counter(u for u, _ in pairs), Counter(i for _, i in pairs)
    return [
        (u, i)
        for u, i in pairs
        if users[u] >= min_user_interactions and items[i] >= min_item_interactions
    ]


def _more_than(pairs: Pairs, min_user_interactions: int, min_item_interactions: int) -> Pairs:
    return k_core(pairs, min_user_interactions + 1, min_item_interactions)


def _items_only(pairs: Pairs, min_user_interactions: int, min_item_interactions: int) -> Pairs:
    return k_core(pairs, 1, min_item_interactions)


def _as_a_set(pairs: Pairs, min_user_interactions: int, min_item_interactions: int) -> Pairs:
    return sorted(k_core(pairs, min_user_interactions, min_item_interactions), reverse=True)


def _customers_only(
    pairs: Pairs, min_user_interactions: int, min_item_interactions: int
) -> list[str]:
    return [user for user, _ in k_core(pairs, min_user_interactions, min_item_interactions)]


# --- 01.leave_one_out -----------------------------------------------------------------------


def leave_one_out(bought: list[int]) -> tuple:
    """Return train, valid and test of one customer.

    bought: item numbers, oldest first, at least three.
    train: the items to learn from. valid, test: pairs (history, target).
    """
    return bought[:-2], (bought[:-2], bought[-2]), (bought[:-1], bought[-1])


def _grade_leave_one_out(attempt: Callable[..., Any]) -> None:
    got = attempt([31, 12, 45, 7, 28])
    expect(
        isinstance(got, (tuple, list)) and len(got) == 3,
        "three things were expected: train, valid and test",
    )
    train, *held_out = got
    for name, pair in zip(("valid", "test"), held_out, strict=True):
        expect(
            isinstance(pair, (tuple, list)) and len(pair) == 2,
            f"{name} should be a pair (history, target); you gave {pair}",
        )
        expect(
            isinstance(pair[1], (int, np.integer)),
            f"the target of {name} is one item, not a list; you gave {pair[1]}",
        )
    (valid, valid_target), (test, test_target) = held_out
    train, valid, test = list(train), list(valid), list(test)
    expect(
        (valid_target, test_target) != (28, 7),
        "the newest purchase is for the test, the one before it for validation; you have them the"
        " other way round",
    )
    expect(test_target == 28, f"the test asks for the newest purchase, 28; yours for {test_target}")
    expect(valid_target == 7, f"validation asks for the last but one, 7; yours for {valid_target}")
    expect(28 not in test, "a leak: the history of the test contains the item to be found")
    expect(28 not in train, "a leak: the test item is among those to learn from")
    expect(7 not in train, "a leak: the validation item is among those to learn from")
    expect(
        not {7, 28} & set(valid),
        "a leak: validation's history has what lies at or after its target",
    )
    expect(
        test != [31, 12, 45],
        "when the test item is bought, the validation item (7) is already in the past: it belongs"
        " into the history of the test",
    )
    expect(
        (train, valid, test) == ([31, 12, 45], [31, 12, 45], [31, 12, 45, 7]),
        f"for 31, 12, 45, 7, 28 you give train {train}, and histories {valid} and {test}",
    )


def _test_forgets_validation(bought: list[int]) -> tuple:
    return bought[:-2], (bought[:-2], bought[-2]), (bought[:-2], bought[-1])


def _learns_from_validation(bought: list[int]) -> tuple:
    return bought[:-1], (bought[:-2], bought[-2]), (bought[:-1], bought[-1])


def _learns_from_all(bought: list[int]) -> tuple:
    return bought, (bought[:-2], bought[-2]), (bought[:-1], bought[-1])


def _target_in_history(bought: list[int]) -> tuple:
    return bought[:-2], (bought[:-2], bought[-2]), (bought, bought[-1])


def _exchanged(bought: list[int]) -> tuple:
    train, valid, test = leave_one_out(bought)
    return train, test, valid


def _slices_as_targets(bought: list[int]) -> tuple:
    return bought[:-2], (bought[:-2], bought[-2:-1]), (bought[:-1], bought[-1:])


# --- 01.rank_of -----------------------------------------------------------------------------


def rank_of(scores: np.ndarray, target: int, history: list[int]) -> int:
    """Return the rank of the target among the items that compete; the best is 1.

    scores: one per item, shape (items,). Items of the history do not compete,
    unless the target is one of them. Equal scores count against the target.
    """
    better = scores >= scores[target]
    better[history] = False
    better[target] = False
    return 1 + int(better.sum())


def _grade_rank_of(attempt: Callable[..., Any]) -> None:
    def rank(scores: Sequence[float], target: int, history: list[int]) -> int:
        given = np.array(scores)
        got = attempt(given.copy(), target, list(history))
        expect(np.ndim(got) == 0, f"one number was expected; the shape of yours is {np.shape(got)}")
        return int(got)

    plain = rank([0.1, 0.9, 0.5, 0.7], 2, [])
    best = rank([0.1, 0.9, 0.5, 0.7], 1, [])
    expect(best != 0, "ranks are counted from 1: the best has rank 1, not 0")
    expect(best == 1, f"the item with the largest score has rank 1; you give {best}")
    expect(plain == 3, f"0.5 among 0.1, 0.9, 0.5 and 0.7: two are better, rank 3; you give {plain}")
    expect(
        rank([0.1, 0.9, 0.5, 0.7], 2, [1]) == 2,
        "item 1 is in the history and must not compete: the rank should fall from 3 to 2",
    )
    tied = rank([0.0] * 9, 4, [])
    expect(
        tied == 9,
        f"nine items with the same score: a scorer that knows nothing would get rank {tied} for"
        " each of them. Equal scores must count against the target",
    )
    expect(
        rank([0.1, 0.9, 0.5, 0.7], 3, [1, 3]) == 1,
        "a target that stands in the history (bought again) still competes with its own score",
    )


def _ties_help(scores: np.ndarray, target: int, history: list[int]) -> int:
    better = scores > scores[target]
    better[history] = False
    return 1 + int(better.sum())


def _from_zero(scores: np.ndarray, target: int, history: list[int]) -> int:
    return rank_of(scores, target, history) - 1


def _history_competes(scores: np.ndarray, target: int, history: list[int]) -> int:
    return rank_of(scores, target, [])


def _by_sorting(scores: np.ndarray, target: int, history: list[int]) -> int:
    scores[[item for item in history if item != target]] = -np.inf
    return 1 + np.argsort(-scores, kind="stable").tolist().index(target)


def _target_is_masked_too(scores: np.ndarray, target: int, history: list[int]) -> int:
    scores[history] = -np.inf
    better = scores >= scores[target]
    return int(better.sum())


def _smallest_first(scores: np.ndarray, target: int, history: list[int]) -> int:
    return rank_of(-scores, target, history)


# --- 01.three_metrics -----------------------------------------------------------------------


def three_metrics(ranks: np.ndarray, k: int) -> list[float]:
    """Return Recall@K, NDCG@K and MRR@K, each the mean over all customers.

    ranks: the rank of every customer's target, from 1, shape (customers,).
    """
    hit = ranks <= k
    ndcg = np.where(hit, 1 / np.log2(ranks + 1), 0)
    mrr = np.where(hit, 1 / ranks, 0)
    return [hit.mean(), ndcg.mean(), mrr.mean()]


def _grade_three_metrics(attempt: Callable[..., Any]) -> None:
    ranks = np.array([1, 3, 10, 11, 200])
    with np.errstate(all="ignore"):
        got = attempt(ranks.copy(), 10)
        expect(
            np.shape(got) == (3,),
            f"three numbers were expected, one for each metric; your shape is {np.shape(got)}",
        )
        recall, ndcg, mrr = (float(value) for value in got)
        ends = [float(attempt(np.array([rank]), 10)[0]) for rank in (10, 11)]
        first = [float(value) for value in attempt(np.array([1]), 10)]
    expect(
        abs(recall - 3 / 5 / 10) > 1e-6,
        "your recall is divided by K: that is precision. There is one item to be found, so a hit"
        " counts 1",
    )
    expect(ends[0] == 1, "rank 10 is among the first 10: with K=10 it is a hit")
    expect(ends[1] == 0, "rank 11 is not among the first 10: with K=10 it is a miss")
    expect_close(recall, 0.6, f"three of the five ranks are 10 or better; your recall is {recall}")
    expect(
        np.isfinite(first[1]) and abs(first[1] - 1) < 1e-6,
        f"a target at rank 1 should give NDCG 1; yours gives {first[1]:.3g}. Which logarithm, and"
        " of which number, is 1 there?",
    )
    right = three_metrics(ranks, 10)
    everything = [np.mean(1 / np.log2(ranks + 1)), np.mean(1 / ranks)]
    for name, value, other in zip(("NDCG", "MRR"), (ndcg, mrr), everything, strict=True):
        expect(
            abs(value - other) > 1e-6,
            f"beyond K a target counts nothing; your {name} still counts ranks 11 and 200",
        )
    expect_close(ndcg, right[1], f"the mean NDCG of the five ranks is not {ndcg:.4f}")
    expect_close(mrr, right[2], f"the mean MRR of the five ranks is not {mrr:.4f}")


def _precision(ranks: np.ndarray, k: int) -> list[float]:
    recall, ndcg, mrr = three_metrics(ranks, k)
    return [recall / k, ndcg, mrr]


def _below_k(ranks: np.ndarray, k: int) -> list[float]:
    return three_metrics(ranks, k - 1)


def _natural_logarithm(ranks: np.ndarray, k: int) -> list[float]:
    hit = ranks <= k
    return [hit.mean(), (hit / np.log(ranks + 1)).mean(), (hit / ranks).mean()]


def _logarithm_of_the_rank(ranks: np.ndarray, k: int) -> list[float]:
    hit = ranks <= k
    return [hit.mean(), (hit / np.log2(ranks)).mean(), (hit / ranks).mean()]


def _without_a_cut(ranks: np.ndarray, k: int) -> list[float]:
    hit = ranks <= k
    return [hit.mean(), (1 / np.log2(ranks + 1)).mean(), (1 / ranks).mean()]


def _mean_over_hits(ranks: np.ndarray, k: int) -> list[float]:
    hit = ranks <= k
    near = ranks[hit]
    return [hit.mean(), (1 / np.log2(near + 1)).sum() / max(len(near), 1), (hit / ranks).mean()]


def _one_per_customer(ranks: np.ndarray, k: int) -> list[np.ndarray]:
    hit = ranks <= k
    return [hit * 1.0, hit / np.log2(ranks + 1), hit / ranks]


EXERCISES = (
    Exercise(
        name="01.k_core",
        solution=k_core,
        grade=_grade_k_core,
        why="What is left is called a k-core. A filter that looks harmless can start a landslide,"
        " so a paper's filters belong beside its figures.",
        hints=(
            "collections.Counter counts customers and items in one line each.",
            "When somebody leaves, items lose purchases, and other items may now have too few:"
            " count again, and again, until nobody leaves.",
            "while True: count, keep what passes both limits, stop when nothing was dropped.",
        ),
        mistakes=(
            (_one_round, "Count again"),
            (_more_than, "exactly as many"),
            (_items_only, "Cid is still there"),
            (_as_a_set, "in another order"),
            (_customers_only, "a list of pairs (customer, item)"),
        ),
    ),
    Exercise(
        name="01.leave_one_out",
        solution=leave_one_out,
        grade=_grade_leave_one_out,
        why="Nothing that is asked for is ever among what is known: this is all that 'no leak'"
        " means, and it must hold for every customer.",
        hints=(
            "The newest purchase is the test's target, the one before it the target of validation.",
            "A history is what lay before its target. What lies before the newest purchase?",
            "Python counts from the end: bought[-1] is the newest, bought[:-1] all before it.",
        ),
        mistakes=(
            (_test_forgets_validation, "already in the past"),
            (_learns_from_validation, "the validation item is among those to learn from"),
            (_learns_from_all, "the test item is among those to learn from"),
            (_target_in_history, "contains the item to be found"),
            (_exchanged, "the other way round"),
            (_slices_as_targets, "one item, not a list"),
        ),
    ),
    Exercise(
        name="01.rank_of",
        solution=rank_of,
        grade=_grade_rank_of,
        why="Every figure of this course is made of such ranks, and the rule for equal scores is"
        " what keeps a scorer that knows nothing from looking perfect.",
        hints=(
            "Count the items that are better. No sorting is needed.",
            "Make an array of True and False, one for each item, and set False what does not"
            " compete.",
            "scores >= scores[target] also marks equal scores, and the target itself.",
        ),
        mistakes=(
            (_ties_help, "must count against the target"),
            (_from_zero, "the best has rank 1"),
            (_history_competes, "must not compete"),
            (_by_sorting, "must count against the target"),
            (_target_is_masked_too, "still competes with its own score"),
            (_smallest_first, "the largest score has rank 1"),
        ),
    ),
    Exercise(
        name="01.three_metrics",
        solution=three_metrics,
        grade=_grade_three_metrics,
        why="With one target a customer, all three metrics are functions of the rank alone; they"
        " differ only in how much the first places are worth.",
        hints=(
            "ranks <= k says for every customer whether the target was found.",
            "A hit counts 1 for Recall, 1 / log2(rank + 1) for NDCG and 1 / rank for MRR.",
            "True and False count as 1 and 0: (ranks <= k) / ranks is 0 beyond K.",
        ),
        mistakes=(
            (_precision, "that is precision"),
            (_below_k, "with K=10 it is a hit"),
            (_natural_logarithm, "Which logarithm"),
            (_logarithm_of_the_rank, "Which logarithm"),
            (_without_a_cut, "beyond K a target counts nothing"),
            (_mean_over_hits, "the mean NDCG of the five ranks"),
            (_one_per_customer, "three numbers were expected"),
        ),
    ),
)
