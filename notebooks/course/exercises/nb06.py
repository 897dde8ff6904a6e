"""Exercises of notebook 06: the loss of a batch, its value at collapse, and false negatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course.checks import Exercise


def nip(h: Tensor, g: Tensor, tau: float) -> Tensor:
    """Return the next-item loss of a batch in which all other rows are negatives.

    h: states, g: embeddings of the next items, both of shape (rows, dim), any length.
    Row i should choose item i. Result: one number, the mean over the rows.
    """
    normalize = torch.nn.functional.normalize
    scores = normalize(h, dim=1) @ normalize(g, dim=1).T / tau
    return (scores.logsumexp(dim=1) - scores.diagonal()).mean()


def _no_unit_vectors(h, g, tau):
    scores = h @ g.T / tau
    return (scores.logsumexp(dim=1) - scores.diagonal()).mean()


_H, _G = 3 * torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))


def negatives(targets: Tensor, users: Tensor) -> Tensor:
    """Return which rows are negatives of which in CMCL, True where they are.

    targets, users: shape (rows,); the result: shape (rows, rows).
    No row is a negative of itself, nor are rows that share their next item,
    nor rows of one user.
    """
    same = (targets[:, None] == targets) | (users[:, None] == users)
    return ~same


_SAME_TARGET = "rows 0 and 2 have the same next item: pushing them apart would be a mistake"

EXERCISES = (
    Exercise(
        name="06.nip",
        solution=nip,
        cases=((_H, _G, 0.5),),
        otherwise="this is not the loss of these six rows",
        why="A row of scores, a softmax, the right answer on the diagonal: contrastive learning is"
        " classification with the batch as the list of classes.",
        hints=(
            "Unit vectors first: F.normalize(x, dim=1). Then one matrix product gives all cosines.",
            "Divide by tau. The right answers stand on the diagonal of the matrix.",
            "The loss of a row is scores.logsumexp(dim=1) minus its entry on the diagonal.",
        ),
        mistakes=(
            (
                lambda h, g, tau: nip(g, h, tau),
                "your rows are items that choose a user; here each user chooses among the items",
            ),
            (_no_unit_vectors, "the embeddings come in any length: make them unit vectors first"),
            (
                lambda h, g, tau: nip(h, g, 1.0),
                "the temperature has no effect in yours; scores are divided by it",
            ),
            (
                lambda h, g, tau: -nip(h, g, tau),
                "the loss is the log of a sum minus one of its terms; it cannot be negative",
            ),
            (
                lambda h, g, tau: nip(h, g, tau) * len(h),
                "this is the sum over the rows; the mean was asked",
            ),
            (
                lambda h, g, tau: nip(h, g, tau).expand(len(h)),
                "one number was expected: take the mean over the rows",
            ),
        ),
    ),
    Exercise(
        name="06.collapse",
        solution=math.log(2 * 64 - 1),
        tolerance=1e-3,
        starter="collapse = ...  # a number",
        otherwise="how many candidates does a row choose among, all equally good?",
        why="log 127 = 4.84. A loss that stays at this value says that nothing has been learned:"
        " all embeddings may be equal (representation collapse).",
        hints=(
            "If all embeddings are equal, all candidates of a row are equally likely.",
            "Choosing among n equal candidates costs log n. Count them: the positive, the images"
            " of the other rows, the texts of the other rows.",
        ),
        mistakes=(
            (
                math.log(64),
                "log 64 is the value of NIP; CMCL has negatives within a modality as well",
            ),
            (
                math.log(128),
                "of 2 x 64 embeddings a row meets all but one: it is no negative of itself",
            ),
            (math.log10(127), "the natural logarithm is meant: math.log, not log10"),
            (127.0, "the number of candidates is not yet the loss; its log is"),
        ),
    ),
    Exercise(
        name="06.negatives",
        solution=negatives,
        cases=((torch.tensor([7, 8, 7, 9, 7]), torch.tensor([1, 1, 2, 3, 1])),),
        otherwise="some pair is still wrong; compare rows 1 and 2, 2 and 3",
        why="False negatives are the quiet damage of contrastive learning: the loss would teach the"
        " model that a right answer is wrong.",
        hints=(
            "targets[:, None] == targets compares every row with every row.",
            "Two reasons to exclude a pair are joined by | (or).",
            "~ turns True and False round.",
        ),
        mistakes=(
            (
                lambda targets, users: ~negatives(targets, users),
                "you have marked the pairs that are no negatives; negate it",
            ),
            (
                lambda targets, users: targets[:, None] != targets,
                "rows 0 and 1 are one user, one interaction apart: nearly the same sequence, so"
                " no negatives",
            ),
            (lambda targets, users: users[:, None] != users, _SAME_TARGET),
            (lambda targets, users: ~torch.eye(len(targets), dtype=torch.bool), _SAME_TARGET),
            (
                lambda t, u: ~((t[:, None] == t) & (u[:, None] == u)),
                "either reason is enough to exclude a pair: join them by or, not by and",
            ),
            (
                lambda targets, users: targets != targets[0],
                "one answer for each pair of the five rows was expected",
            ),
        ),
    ),
)
