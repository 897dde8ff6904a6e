"""A student's pre-training while it runs: the loss beside that of a guess, and what it does to h.

The student's loop calls a function for the loss of a batch and another one after each epoch. A
``Learning`` stands in both places: it hands everything on and takes notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from course.session import is_static
from course.sphere import alignment, uniformity
from course.style import GREEN, VERMILION
from course.watch import FigurePlace
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.sequences import Sequences

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from msm4sr_lite.dataset.dataset import Item

USERS = range(200, 264)  # some users; their validation items are not trained on

Features = dict[str, tuple[Tensor, Tensor]]


class Frame(TypedDict):
    """The model at one step: cosines of h_t and z_t of the next items, and three measures."""

    cosines: Tensor  # (users, users)
    modalities: float  # alignment of h_t and h_v
    next_items: float  # alignment of h_t and z_t of the next item
    uniformity: float  # of h_t


@torch.no_grad()
def encode_users(
    parts: SimpleNamespace,
    model: nn.Module,
    features: Features,
    histories: Sequence[np.ndarray],
    answers: np.ndarray,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return h after each history, and z of each user's next item, for both modalities.

    Parameters
    ----------
    parts
        The student's parts, of ``load_parts``.
    model, features
        An ``M2SE`` of these parts, and the features of all items.
    histories, answers
        For each user the items so far, and the next one.
    """
    items, _ = parts.make_batch([[*history.tolist(), 0] for history in histories], 50)
    states = model(model.embed(features, items))  # type: ignore[operator]
    rows, last = torch.arange(len(items)), (items > 0).sum(dim=1) - 1
    h = {modality: state[rows, last] for modality, state in states.items()}
    return h, model.embed(features, torch.as_tensor(answers))  # type: ignore[operator]


def users_by_purpose(items: Sequence[Item | None], answers: np.ndarray, each: int = 8) -> list[int]:
    """Return the first users of the sample whose next item has each purpose, sorted by purpose.

    The purpose is in the title. Where there is none, the item is left out.

    Parameters
    ----------
    items
        Of the catalogue, entry i for item number i.
    answers
        The next item of each user.
    each
        Users of a purpose.
    """
    from data_samples.make.phrases import LABELS

    found: dict[str, list[int]] = {purpose: [] for purpose in LABELS}
    for user, answer in enumerate(answers):
        item = items[answer]
        title = item.title if item else ""
        for purpose, labels in LABELS.items():
            starts = any(title.lower().startswith(label.lower() + " ") for label in labels)
            if starts and len(found[purpose]) < each:
                found[purpose].append(user)
    return [user for users in found.values() for user in users]


def guess_loss(targets: Tensor, cmcl_weight: float = 0.01) -> float:
    """Return the loss of pre-training in nats if all candidates of each row get equal scores.

    Parameters
    ----------
    targets
        Of a batch, 0 where there is none, ``(users, time)``; the targets of a row have one user.
    cmcl_weight
        Lambda.

    Examples
    --------
    >>> round(guess_loss(torch.tensor([[1], [2], [3]]), 0.0), 4)  # 2 log 3
    2.1972
    """
    rows, position = targets.nonzero(as_tuple=True)
    target = targets[rows, position]
    same = target[:, None] == target
    negatives = (~same).sum(dim=1), (~(same | (rows[:, None] == rows))).sum(dim=1)
    nip, cmcl = (1 + negatives[0]).log().mean(), (1 + 2 * negatives[1]).log().mean()
    return float(2 * nip + cmcl_weight * cmcl)


class Learning:
    """Notes of a training, and a figure of it that is redrawn while it runs.

    Parameters
    ----------
    parts, model, features
        As for :func:`encode_users`.
    sequences
        The histories of all users; the validation items are what Recall@20 asks for.
    users
        Whose cosines and measures the frames hold.
    every
        Steps from frame to frame.

    Attributes
    ----------
    excess
        Of every step, the loss minus that of a guess in the same batch.
    recalls
        After each epoch.
    film
        Step -> ``Frame``.
    """

    def __init__(
        self,
        parts: SimpleNamespace,
        model: nn.Module,
        features: Features,
        sequences: Sequences,
        users: Sequence[int],
        every: int = 5,
    ) -> None:
        self._users = list(users)
        self._parts, self._model, self._features, self._every = parts, model, features, every
        self._histories, self._answers = sequences.held_out("valid")
        self._items, self._place = sequences.n_items, FigurePlace()
        self.excess: list[float] = []
        self.recalls: list[float] = []
        self.ends: list[int] = []  # steps at which an epoch ended
        self.film: dict[int, Frame] = {}

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the model's score of every item after each history."""
        lists = [history.tolist() for history in histories]
        with torch.no_grad():
            found: Tensor = self._parts.score_histories(self._model, self._features, lists)
        return found

    def watch(self, loss_of: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
        """Return the same loss function, which now takes notes."""

        def watched(items: Tensor, targets: Tensor) -> Tensor:
            if len(self.excess) % self._every == 0:
                self._take_frame()
            loss = loss_of(items, targets)
            self.excess.append(loss.item() - guess_loss(targets))
            if not is_static() and len(self.excess) % (2 * self._every) == 0:
                self._place.show(*self.draw())
            return loss

        return watched

    def report(self, epoch: int, loss: float) -> None:
        """Measure Recall@20 after an epoch; the figure shows it."""
        self._model.eval()
        ranks = target_ranks(self, self._histories, self._answers)
        self.recalls.append(float(metrics(ranks, [20])["recall@20"].mean()))
        self.ends.append(len(self.excess))
        self._take_frame()
        if not is_static():
            self._place.show(*self.draw())

    def finish(self) -> None:
        """Show the figure of the whole training."""
        self._place.show(*self.draw())

    def _take_frame(self) -> None:
        was_training = self._model.training
        self._model.eval()
        histories = [self._histories[user] for user in self._users]
        given = self._parts, self._model, self._features, histories, self._answers[self._users]
        h, z = encode_users(*given)
        self.film[len(self.excess)] = Frame(
            cosines=self._parts.cosine_scores(h["text"], z["text"]),
            modalities=alignment(h["text"], h["image"]),
            next_items=alignment(h["text"], z["text"]),
            uniformity=uniformity(h["text"]),
        )
        self._model.train(was_training)

    def draw(self) -> tuple[Figure, str]:
        """Draw the loss so far and Recall@20 after each epoch; return figure and alt."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
        steps, chance = len(self.excess), 20 / self._items
        left.plot(range(1, steps + 1), self.excess, linestyle="-", linewidth=1.4)
        left.axhline(0, color="#777777", linestyle=":", label="a guess")
        left.set(title=f"Step {steps} (the first: {self.excess[0]:+.0f} nats)", xlabel="step")
        left.set(ylabel="loss minus a guess, nats", ylim=(-1.6, 3))
        left.legend()
        right.plot(self.ends, self.recalls, marker="o", color=GREEN, linestyle="-")
        right.axhline(chance, color=VERMILION, linestyle=":", label="chance")
        last = f"{self.recalls[-1]:.2f}" if self.recalls else "not measured yet"
        right.set(title=f"Recall@20: {last}", xlabel="step", ylabel="Recall@20, validation")
        right.set(ylim=(0, 0.4), xlim=left.get_xlim())
        right.legend()
        return figure, self._describe(chance)

    def _describe(self, chance: float) -> str:
        start, end = self.excess[0], float(np.mean(self.excess[-10:]))
        path = f"{_side(start)} that of a guess at the first step, {_side(end)} it at the last ones"
        text = f"The loss is {path} ({len(self.excess)} steps)."
        if not self.recalls:
            return text
        return (
            f"{text} Recall@20 after {len(self.recalls)} epochs: {self.recalls[-1]:.1f};"
            f" chance: {chance:.2f}."
        )


def _side(excess: float) -> str:
    if abs(excess) < 0.1:
        return "about"
    return "above" if excess > 0 else "below"
