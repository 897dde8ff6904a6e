"""Purchases as sequences: filters, splits, batches.

Items are numbered 1..n; 0 is padding. Sequences are left-aligned and padded on the right, so the
encoder's hidden state at position k is the representation of the first k items.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.fast.distributed import processes

PAD = 0
Part = Literal["valid", "test"]


@dataclass(frozen=True)
class Sequences:
    """Every customer's purchases in order of time.

    Attributes
    ----------
    users
        Customer ids.
    items
        Item ids; ``items[0]`` stands for padding, item number i is ``items[i]``.
    events
        All item numbers, customer after customer, shape ``(events,)``.
    offsets
        Customer u owns ``events[offsets[u]:offsets[u + 1]]``; shape ``(users + 1,)``.
    cuts
        How many purchases of each customer come before the first that validates, and before the
        first that tests, ``(users, 2)``; None: the last tests and the last but one validates.
    """

    users: list[str]
    items: list[str]
    interactions: np.ndarray
    offsets: np.ndarray
    cuts: np.ndarray | None = None

    @property
    def n_items(self) -> int:
        """Number of items, padding not counted."""
        return len(self.items) - 1

    def fingerprint(self) -> str:
        """Return a short hash of all purchases, to tell whether a model was made from these."""
        digest = hashlib.sha256(json.dumps([self.users, self.items]).encode())
        digest.update(self.interactions.tobytes() + self.offsets.tobytes())
        digest.update(b"" if self.cuts is None else self.cuts.tobytes())
        return digest.hexdigest()[:16]

    def user_sequence(self, user: int) -> np.ndarray:
        """Return all purchases of customer number ``user``, oldest first."""
        return self.interactions[self.offsets[user] : self.offsets[user + 1]]

    def bounds(self) -> np.ndarray:
        """Return where each customer's held-out parts begin, and the last ends: ``(3, users)``."""
        length = np.diff(self.offsets)
        cuts = length[:, None] - [2, 1] if self.cuts is None else self.cuts
        return np.vstack([cuts.T, length])

    def train(self) -> list[np.ndarray]:
        """Return each customer's purchases before the first that validates or tests."""
        return [self.user_sequence(user)[:end] for user, end in enumerate(self.bounds()[0])]

    def training_targets(self, anchors: int = 0) -> int:
        """Return how many targets an epoch has, about: windows of long histories are not cut."""
        return int((self.bounds()[0] - 1).clip(min=0, max=anchors or None).sum())

    def cases(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Return who is asked what: customer number and place of the purchase to be foretold.

        Both are of shape ``(cases,)``, customer after customer. A customer's very first purchase
        is no case, since nothing comes before it.
        """
        first, end = self.bounds()[:2] if part == "valid" else self.bounds()[1:]
        first = first.clip(min=1)
        count = (end - first).clip(min=0)
        users = np.arange(len(self.users)).repeat(count)
        return users, np.arange(len(users)) - (count.cumsum() - count - first)[users]

    def held_out(self, part: Part) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the history before each case of ``part`` and the item that it should predict.

        With the default split, ``valid``: everything but the last two purchases predicts the last
        but one; ``test``: everything but the last purchase predicts the last one.
        """
        users, places = self.cases(part)
        ends = self.offsets[users] + places
        histories = [self.interactions[end - n : end] for end, n in zip(ends, places, strict=True)]
        return histories, self.interactions[ends].astype(np.int64)


def pad(sequences: Sequence[np.ndarray], max_len: int) -> Tensor:
    """Stack the newest ``max_len`` items of each sequence, padded on the right.

    >>> pad([np.array([4, 5]), np.array([6, 7, 8, 9])], max_len=3)
    tensor([[4, 5, 0],
            [7, 8, 9]])
    """
    cut = [s[-max_len:] for s in sequences]
    width = max(1, max((len(s) for s in cut), default=1))
    out = np.full((len(cut), width), PAD, dtype=np.int64)
    for row, sequence in enumerate(cut):
        out[row, : len(sequence)] = sequence
    return torch.from_numpy(out)


@dataclass(frozen=True)
class Batch:
    """Training sequences with the item that follows each position.

    Attributes
    ----------
    items
        Item numbers, ``(batch, time)``, padded on the right with 0.
    targets
        ``targets[b, k]`` follows ``items[b, k]``; 0 where nothing follows. Same shape.
    users
        Customer number of each row, ``(batch,)``.
    """

    items: Tensor
    targets: Tensor
    users: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """Return the same batch on another device."""
        return Batch(self.items.to(device), self.targets.to(device), self.users.to(device))


def windows(sequence: np.ndarray, max_len: int) -> list[np.ndarray]:
    """Cut a long sequence so that every item but the first is a target exactly once.

    A window holds up to ``max_len`` inputs and, shifted by one, as many targets. Windows are cut
    from the newest end, so the newest targets see the longest histories.

    >>> [w.tolist() for w in windows(np.arange(1, 8), max_len=4)]
    [[1, 2, 3], [3, 4, 5, 6, 7]]
    """
    ends = range(len(sequence), 1, -max_len)
    return [sequence[max(0, end - max_len - 1) : end] for end in reversed(ends)]


def prefixes(sequence: np.ndarray, max_len: int) -> list[np.ndarray]:
    """Return one window for each target: up to ``max_len`` items before it, and itself.

    >>> [w.tolist() for w in prefixes(np.array([1, 2, 3, 4]), max_len=2)]
    [[1, 2], [1, 2, 3], [2, 3, 4]]
    """
    return [sequence[max(0, end - max_len - 1) : end] for end in range(2, len(sequence) + 1)]


def training_batches(
    sequences: Sequences,
    max_len: int,
    batch_size: int,
    generator: torch.Generator,
    prefix_augmentation: bool = False,
    anchors: int = 0,
) -> Iterator[Batch]:
    """Yield one epoch of batches in random order.

    ``batch_size`` counts targets: a batch takes sequences until their targets reach it. With
    ``prefix_augmentation=True`` every target has a row of its own that ends before it. With ``anchors`` no
    more than so many targets of one sequence are kept, drawn anew each epoch: a batch of the same
    size then comes from more customers.
    """
    cut = prefixes if prefix_augmentation else windows
    pieces = [
        (user, window)
        for user, sequence in enumerate(sequences.train())
        for window in cut(sequence, max_len)
    ]
    if not pieces:
        raise UserError(
            "no training target: every customer has at most one purchase before those held out"
        )

    def batch_of(group: list[tuple[int, np.ndarray]]) -> Batch:
        # Neighbours of about one length need little padding; processes get rows of all lengths.
        group, (_, world) = sorted(group, key=lambda piece: len(piece[1])), processes()
        group = [piece for rank in range(world) for piece in group[rank::world]]
        items = pad([window[:-1] for _, window in group], max_len)
        targets = pad([window[1:] for _, window in group], max_len)
        if prefix_augmentation:
            last = (items > 0).sum(dim=1, keepdim=True) - 1
            targets = targets * (torch.arange(items.shape[1]) == last)
        elif 0 < anchors < items.shape[1]:
            lottery = (1 + torch.rand(targets.shape, generator=generator)) * (targets > 0)
            kept = torch.zeros_like(targets).scatter_(1, lottery.topk(anchors).indices, 1)
            targets = targets * kept
        return Batch(items, targets, torch.tensor([user for user, _ in group]))

    group: list[tuple[int, np.ndarray]] = []
    targets, last = 0, len(pieces) - 1
    for place, index in enumerate(torch.randperm(len(pieces), generator=generator).tolist()):
        group.append(pieces[index])
        own = 1 if prefix_augmentation else len(pieces[index][1]) - 1
        targets += min(own, anchors or own)
        if targets >= batch_size or place == last:
            yield batch_of(group)
            group, targets = [], 0
