"""Exercises of notebook 08: cold items, a rank among candidates, chance, who gets a new item."""

from __future__ import annotations

import torch
from torch import Tensor

from course.checks import Exercise
from course.quiz import Question


def cold_targets(histories: list[list[int]], targets: list[int]) -> list[bool]:
    """Return for each user whether the target is strictly cold.

    histories: the item numbers of each user before the test
    targets: the item number to be found, one for each user
    An item is strictly cold if it occurs in no history at all.
    """
    known = {item for history in histories for item in history}
    return [target not in known for target in targets]


def _only_once(histories, targets):
    cold = cold_targets(histories, targets)
    return [c and targets.count(t) == 1 for c, t in zip(cold, targets, strict=True)]


def rank_among(scores: Tensor, target: int, candidates: Tensor) -> int:
    """Return the rank of an item among some candidates; 1 is the best.

    scores: one for each item number, higher is better; shape (items,)
    target: the item's number; candidates: numbers, the target may be one of them or not
    Only candidates compete. One with the same score stands before the target.
    """
    rivals = candidates[candidates != target]
    return 1 + int((scores[rivals] >= scores[target]).sum())


_SCORES = torch.tensor([9.0, 0.3, 0.8, 0.5, 0.9, 0.5, 0.5])


def share_offered(lists: Tensor, new: Tensor, k: int) -> float:
    """Return the share of users who get a new item among their first k.

    lists: scores of the items they can have today, shape (users, items)
    new: the new item's score for each user, shape (users,)
    Equal scores stand before the new item.
    """
    last = lists.topk(k, dim=1).values[:, -1]
    return (new > last).float().mean().item()


_LISTS = torch.tensor(
    [[0.9, 0.7, 0.5, 0.1], [0.1, 0.2, 0.8, 0.6], [0.4, 0.4, 0.3, 0.3], [0.6, 0.9, 0.1, 0.5],
     [0.7, 0.3, 0.2, 0.6]]
)  # fmt: skip
_NEW = torch.tensor([0.95, 0.65, 0.4, 0.55, 0.3])

EXERCISES = (
    Exercise(
        name="08.cold_targets",
        solution=cold_targets,
        cases=(([[1, 2, 3], [4, 2], [5, 6], [1], [3]], [4, 7, 2, 7, 8]),),
        otherwise="with histories [[1, 2], [3]] and targets [3, 4] the answer is [False, True]",
        why="Strict means: no interaction at all. A single interaction is enough for a model with"
        " ids to learn something of an item.",
        hints=(
            "First collect the items of all histories: a set of item numbers.",
            "A set comprehension over two loops: {item for history in histories for item in"
            " history}.",
            "Then ask for each target whether it is not in the set.",
        ),
        mistakes=(
            (
                lambda histories, targets: [t not in h for h, t in zip(histories, targets)],  # noqa: B905
                "item 4 is not in the history of user 0, but in that of user 1: look into all"
                " histories",
            ),
            (
                lambda histories, targets: cold_targets([*histories, targets], targets),
                "you find nothing cold: collect the items of the histories only, not the targets",
            ),
            (
                lambda *given: [not cold for cold in cold_targets(*given)],
                "you have marked the targets that occur in some history; negate it",
            ),
            (
                lambda h, t: [x if c else 9 for x, c in zip(t, cold_targets(h, t), strict=True)],
                "True or False was asked for each user, not the items",
            ),
            (
                lambda *given: [cold for cold in cold_targets(*given) if cold],
                "one answer for each of the five users was expected",
            ),
            (
                _only_once,
                "item 7 is in no history; being the target of two users does not make it known",
            ),
        ),
    ),
    Exercise(
        name="08.rank_among",
        solution=rank_among,
        cases=(
            (_SCORES, 3, torch.tensor([2, 3, 5, 6])),
            (_SCORES, 3, torch.tensor([2, 5, 6])),
        ),
        otherwise="among scores 0.8, 0.5 (target), 0.5 and 0.5 the target has rank 4",
        why="The same scores give another rank among other candidates. A metric without its"
        " candidate set says nothing.",
        hints=(
            "Take the target out of the candidates first: candidates[candidates != target].",
            "Count the rivals whose score is at least that of the target.",
            "The rank is one more than their number.",
        ),
        mistakes=(
            (
                lambda scores, target, candidates: rank_among(scores, target, torch.arange(7)),
                "items 0 and 4 have higher scores, but they are no candidates and must not compete",
            ),
            (
                lambda scores, target, c: 1 + int((scores[c[c != target]] > scores[target]).sum()),
                "items 5 and 6 have the same score as the target: count equal scores",
            ),
            (
                lambda scores, target, c: 1 + int((scores[c] >= scores[target]).sum()),
                "one rank too far: the target competes with itself; take it out of the candidates",
            ),
            (lambda *given: rank_among(*given) - 1, "ranks are counted from 1"),
            (
                lambda scores, target, c: int((scores[c] >= scores[target]).sum()),
                "the target need not be among the candidates: its rank is the same without it",
            ),
            (
                lambda scores, target, candidates: scores[candidates].argsort(descending=True),
                "one rank was expected, that of the target",
            ),
        ),
    ),
    Exercise(
        name="08.chance",
        solution=10 / 104,
        tolerance=1e-4,
        starter="chance = ...  # a number",
        otherwise="ten places for 104 candidates",
        why="0.096 among the cold items, 0.025 among all: a recall of 0.1 would be nothing in the"
        " first case and four times chance in the second.",
        hints=(
            "A guess puts the target on each place with the same probability.",
            "Ten places count. How many places are there?",
        ),
        mistakes=(
            (10 / 400, "this is the chance among all 400 items; here only the cold ones compete"),
            (1 / 104, "this is the chance of the first place; Recall@10 counts the first ten"),
            (1000 / 104, "this is the answer in percent; recall is a share between 0 and 1"),
        ),
    ),
    Exercise(
        name="08.share_offered",
        solution=share_offered,
        cases=((_LISTS, _NEW, 2), (_LISTS, _NEW, 1)),
        otherwise="compare each user's new score with the k-th best of the list",
        why="For a new item this counts more than its mean score: how many users will ever see it.",
        hints=(
            "To get in, the new item must beat the k-th best of a user's list.",
            "lists.topk(k, dim=1).values has the k best scores of each user, best first.",
            "Its last column is the score to beat; compare with > and take the mean.",
        ),
        mistakes=(
            (
                lambda lists, new, k: share_offered(lists, new, 1),
                "one user has it on the first place; asked is who has it among the first k",
            ),
            (
                lambda lists, new, k: (new >= lists.topk(k).values[:, -1]).float().mean(),
                "for user 2 the new item scores the same as the last of the first k: it stays"
                " behind",
            ),
            (
                lambda lists, new, k: (new >= lists.topk(k + 1).values[:, -1]).float().mean(),
                "you let the new item in behind the first k; it must beat the k-th best",
            ),
            (
                lambda lists, new, k: share_offered(lists, new, k) * len(new),
                "a share between 0 and 1 was asked; take the mean over the users",
            ),
            (
                lambda lists, new, k: new > lists.topk(k).values[:, -1],
                "one share was expected: take the mean over the users",
            ),
            (
                lambda lists, new, k: share_offered(lists, new, 2),
                "right for k = 2, wrong for k = 1: use k",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        "Your shop gets 50 new items. What has to be trained before M²SE can recommend them?",
        options=(
            (
                "Nothing",
                "Their embeddings are computed from texts and images with the weights as they are."
                " The ID embedding is left out.",
            ),
            (
                "Their ID embeddings",
                "Without interactions there is nothing to learn them from; the score works without"
                " them.",
            ),
            (
                "The MoE adaptors, since the experts have never seen these items",
                "The adaptors are functions of BERT's embeddings. They can be applied to any text"
                " or keyword sentence.",
            ),
        ),
    ),
    Question(
        "A paper reports Recall@10 = 0.40 on cold-start items. What must you know before you can"
        " call this good?",
        options=(
            (
                "Which items competed, and how many",
                "Among 104 cold items a random order reaches about 0.10, among 400 items 0.025.",
            ),
            (
                "How many parameters the model has",
                "The size of a model says nothing about what its metric means.",
            ),
            (
                "Whether the model has ID embeddings",
                "That explains how it works. The value needs the candidates and a baseline.",
            ),
        ),
    ),
)
