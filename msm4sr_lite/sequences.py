"""Turn interactions into sequences, split them into parts, and make training batches.

Items are numbered 1..n; 0 is padding. Sequences are left-aligned and padded on the right, so the
encoder's hidden state at position k represents the first k items.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.fast import has_fast_form

PAD = 0
Window = tuple[int, np.ndarray]  # a user index, and consecutive items of the user's sequence
Part = Literal["valid", "test"]


@dataclass(frozen=True)
class Sequences:
    """All users' interactions, oldest first.

    Attributes
    ----------
    users
        User ids.
    items
        Item ids; ``items[0]`` stands for padding, item number i is ``items[i]``.
    interactions
        Item numbers, user after user, shape ``(interactions,)``.
    offsets
        User u has ``interactions[offsets[u]:offsets[u + 1]]``; shape ``(users + 1,)``.
    cuts
        For each user the position of the first validation and of the first test interaction,
        ``(users, 2)``. None: the last interaction is for testing, the one before for validation.
    """

    users: list[str]
    items: list[str]
    interactions: np.ndarray
    offsets: np.ndarray
    cuts: np.ndarray | None = None

    @property
    def n_items(self) -> int:
        """Number of items without padding."""
        return len(self.items) - 1

    def user_sequence(self, user: int) -> np.ndarray:
        """Return the item numbers of the user with this index, oldest first."""
        return self.interactions[self.offsets[user] : self.offsets[user + 1]]

    def bounds(self) -> np.ndarray:
        """Return where each user's validation part, test part and end begin: ``(3, users)``."""
        length = np.diff(self.offsets)
        cuts = length[:, None] - [2, 1] if self.cuts is None else self.cuts
        return np.vstack([cuts.T, length])

    def train(self) -> list[np.ndarray]:
        """Return each user's training part: the interactions before the first held-out one."""
        return [self.user_sequence(user)[:end] for user, end in enumerate(self.bounds()[0])]

    def item_counts(self) -> np.ndarray:
        """Return each item's number of training interactions, ``(items + 1,)``."""
        return np.bincount(np.concatenate(self.train()), minlength=len(self.items))

    def training_targets(self, per_sequence: int = 0) -> int:
        """Return the number of targets per epoch; approximate if ``per_sequence`` limits them."""
        return int((self.bounds()[0] - 1).clip(min=0, max=per_sequence or None).sum())

    def cases(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Return the test cases: user index and position of each target, both ``(cases,)``.

        A user's very first interaction is never a test case, since its history is empty.
        """
        firsts, ends = self.bounds()[:2] if part == "valid" else self.bounds()[1:]
        positions = [np.arange(max(first, 1), end) for first, end in zip(firsts, ends, strict=True)]
        users = np.repeat(np.arange(len(positions)), [len(of_user) for of_user in positions])
        return users, np.concatenate(positions)

    def held_out(self, part: Part) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the history and the target item of each test case of ``part``.

        Source: released code (leave one out). With the default split, the target in ``test`` is
        each user's last interaction, and the target in ``valid`` is the one before it.
        """
        users, positions = self.cases(part)
        starts, ends = self.offsets[users], self.offsets[users] + positions
        histories = [self.interactions[s:e] for s, e in zip(starts, ends, strict=True)]
        return histories, self.interactions[ends].astype(np.int64)


def pad(sequences: Sequence[np.ndarray], max_len: int) -> Tensor:
    """Stack the newest ``max_len`` items of each sequence, padded on the right: ``(rows, time)``.

    >>> pad([np.array([4, 5]), np.array([6, 7, 8, 9])], max_len=3)
    tensor([[4, 5, 0],
            [7, 8, 9]])
    """
    cut = [sequence[-max_len:] for sequence in sequences]
    out = np.full((len(cut), max([1, *map(len, cut)])), PAD, dtype=np.int64)
    for row, sequence in zip(out, cut, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(out)


@dataclass(frozen=True)
class Batch:
    """Training sequences, with the item that follows each position as its target.

    Attributes
    ----------
    items
        Item numbers, ``(batch, time)``, padded on the right with 0.
    targets
        ``targets[b, k]`` follows ``items[b, k]``; 0 where there is no target. Same shape.
    users
        User index of each row, ``(batch,)``.
    """

    items: Tensor
    targets: Tensor
    users: Tensor

    def to(self, device: torch.device | str) -> "Batch":
        """Return the same batch on another device."""
        return Batch(self.items.to(device), self.targets.to(device), self.users.to(device))


def windows(sequence: np.ndarray, max_len: int) -> list[np.ndarray]:
    """Cut a long sequence into windows; every item except the first is a target exactly once.

    A window holds up to ``max_len`` inputs and, shifted by one, as many targets. Windows are cut
    from the newest end, so the newest targets have the longest histories. Source: ours.

    >>> [w.tolist() for w in windows(np.arange(1, 8), max_len=4)]
    [[1, 2, 3], [3, 4, 5, 6, 7]]
    """
    ends = range(len(sequence), 1, -max_len)
    return [sequence[max(0, end - max_len - 1) : end] for end in reversed(ends)]


def prefixes(sequence: np.ndarray, max_len: int) -> list[np.ndarray]:
    """Return one window per target: up to ``max_len`` items before it, and the target itself.

    Source: released code (prefix augmentation).

    >>> [w.tolist() for w in prefixes(np.array([1, 2, 3, 4]), max_len=2)]
    [[1, 2], [1, 2, 3], [2, 3, 4]]
    """
    return [sequence[max(0, end - max_len - 1) : end] for end in range(2, len(sequence) + 1)]


@has_fast_form
def make_batch(
    rows: list[Window], max_len: int, generator: Generator, prefix_augmentation: bool, keep: int
) -> "Batch":
    """Make a batch from windows; ``keep`` is ``targets_per_sequence``."""
    items = pad([window[:-1] for _, window in rows], max_len)
    targets = pad([window[1:] for _, window in rows], max_len)
    if prefix_augmentation:  # the last item of a prefix is its only target
        last = (items != PAD).sum(dim=1, keepdim=True) - 1
        targets = targets * (torch.arange(items.shape[1]) == last)
    elif 0 < keep < items.shape[1]:
        priority = (1 + torch.rand(targets.shape, generator=generator)) * (targets != PAD)
        kept = priority.topk(keep).indices
        targets = targets * torch.zeros_like(targets).scatter_(1, kept, 1)
    return Batch(items, targets, torch.tensor([user for user, _ in rows]))


def training_batches(
    sequences: Sequences,
    max_len: int,
    batch_size: int,
    generator: Generator,
    prefix_augmentation: bool = False,
    targets_per_sequence: int = 0,
) -> Iterator[Batch]:
    """Yield the batches of one epoch in random order.

    The batches are made from ``Sequences.train()``. Training reads interactions in no other way.

    Parameters
    ----------
    sequences
        Users' sequences; only their training parts are used.
    max_len
        Longest input, in items.
    batch_size
        Number of targets per batch. A batch is full as soon as its sequences reach this number.
    generator
        Random numbers for the order and for the targets that are kept.
    prefix_augmentation
        Whether every target has its own row, which holds only the items before it.
    targets_per_sequence
        Number of random targets kept per sequence, drawn anew in every epoch; 0 keeps all.

    Raises
    ------
    UserError
        If no user has two interactions in the training part.
    """
    cut = prefixes if prefix_augmentation else windows
    train = enumerate(sequences.train())
    pool = [(user, window) for user, sequence in train for window in cut(sequence, max_len)]
    if not pool:
        raise UserError("no user has two training interactions; add some or hold out fewer")
    options = max_len, generator, prefix_augmentation, targets_per_sequence
    rows: list[Window] = []
    n_targets = 0
    for index in torch.randperm(len(pool), generator=generator).tolist():
        rows.append(pool[index])
        more = 1 if prefix_augmentation else len(pool[index][1]) - 1
        n_targets += min(more, targets_per_sequence or more)
        if n_targets >= batch_size:
            yield make_batch(rows, *options)
            rows, n_targets = [], 0
    if rows:
        yield make_batch(rows, *options)
