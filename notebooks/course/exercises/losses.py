"""The losses and the training loop that notebook 06 builds; the exercises are in nb06."""

# mypy: disable-error-code="operator,assignment,call-arg"

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from course.attempts import WithGradients, differentiate, make_module
from course.exercises.encoder import M2SE, M2SE_SIZES, random_features
from course.exercises.nb01 import make_batch
from course.exercises.nb02 import cosine_scores
from course.exercises.nb04 import complementary_mixup, draw_positions, drop_items, last_kept


def false_negatives(targets: Tensor, users: Tensor | None = None) -> Tensor:
    """Return which rows must not be negatives of each other, True where they must not.

    targets: the next item of each row, shape (rows,). Rows with the same next item are
    marked, each row with itself too. If users are given, shape (rows,), rows of one
    user are marked as well. Result: shape (rows, rows).
    """
    masked = targets[:, None] == targets
    return masked if users is None else masked | (users[:, None] == users)


def next_item_loss(h: Tensor, z: Tensor, masked: Tensor, tau: float = 0.07) -> Tensor:
    """Return NIP, the InfoNCE loss of a batch with in-batch negatives.

    h: the state of each row; z: the embedding of its next item; both (rows, dim), of
    any length. masked: shape (rows, rows). Row i should choose item i; the logits are
    cosines divided by tau. Masked pairs off the diagonal do not count as negatives.
    Result: one number, the mean over the rows.
    """
    diagonal = torch.eye(len(h), dtype=torch.bool)
    logits = cosine_scores(h, z) / tau
    logits = logits.masked_fill(masked & ~diagonal, -torch.inf)
    return F.cross_entropy(logits, torch.arange(len(h)))


def cross_modal_loss(
    text: Tensor, image: Tensor, masked: Tensor, tau: float = 0.07
) -> Tensor:  # fmt: skip
    """Return CMCL: text and image of one sequence attract, other sequences repel.

    text, image: h_t and h_v of each row, shape (rows, dim). masked: shape (rows, rows),
    the diagonal included. For the anchor text_i the positive is image_i; the negatives
    are image_j and text_j of all rows j that are not masked. The same for the anchors
    image_i. Logits are cosines divided by tau. Result: the mean of both directions.
    """
    diagonal = torch.eye(len(text), dtype=torch.bool)
    losses = []
    for anchor, other in ((text, image), (image, text)):
        across, within = cosine_scores(anchor, other), cosine_scores(anchor, anchor)
        across = across.masked_fill(masked & ~diagonal, -torch.inf)
        within = within.masked_fill(masked, -torch.inf)
        logits = torch.cat([across, within], dim=1) / tau
        losses.append(F.cross_entropy(logits, torch.arange(len(text))))
    return (losses[0] + losses[1]) / 2


def pretraining_loss(
    model: nn.Module, features: dict, items: Tensor, targets: Tensor,
    generator: Generator, tau: float = 0.07, cmcl_weight: float = 0.01,
    drop_max: float = 0.2, mixup_max: float = 0.5,
) -> Tensor:  # fmt: skip
    """Return NIP_text + NIP_image + cmcl_weight * CMCL of a batch.

    items, targets: from make_batch; each row is a user.
    1. kept: real items that draw_positions(items, drop_max, generator) has not drawn;
       the first item of a row always stays. Shorten the sequences with drop_items.
    2. Embed the shortened sequences; exchange text and image with complementary_mixup
       at draw_positions(shortened, mixup_max, generator); encode with model(z).
    3. Each target (not 0) is predicted from the state of the last kept item at or
       before its position. NIP masks rows with the same target; CMCL also those of one
       user.
    """
    kept = (items != 0) & ~draw_positions(items, drop_max, generator)
    kept[:, 0] = True
    shortened = drop_items(items, kept)
    z = model.embed(features, shortened)
    swaps = draw_positions(shortened, mixup_max, generator)
    text, image = complementary_mixup(z["text"], z["image"], swaps)
    h = model({"text": text, "image": image})
    rows, position = targets.nonzero(as_tuple=True)
    place, target = last_kept(kept)[rows, position], targets[rows, position]
    text, image = h["text"][rows, place], h["image"][rows, place]
    z = model.embed(features, target)
    masked = false_negatives(target)
    nip = next_item_loss(text, z["text"], masked, tau)
    nip = nip + next_item_loss(image, z["image"], masked, tau)
    cmcl = cross_modal_loss(text, image, false_negatives(target, rows), tau)
    return nip + cmcl_weight * cmcl


def train(
    model: nn.Module, loss_of: Callable, sequences: list[list[int]], epochs: int,
    lr: float, generator: Generator, max_len: int = 50, batch_size: int = 128,
    weight_decay: float = 0.0, report: Callable = print,
) -> list[float]:  # fmt: skip
    """Train a model in place; return the loss of every step.

    loss_of(items, targets): the loss of a batch. The optimizer is Adam. In each epoch:
    put the model into training mode; draw the order of the sequences with
    torch.randperm(len(sequences), generator=generator); make batches of batch_size
    sequences with make_batch; take a step on each, with gradients clipped to norm 5.
    After each epoch put the model into evaluation mode and call report(epoch, loss)
    with the number of the epoch, from 1, and the loss of its last batch.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay)
    losses = []
    for epoch in range(1, epochs + 1):
        model.train()
        order = torch.randperm(len(sequences), generator=generator)
        for rows in order.split(batch_size):
            items, targets = make_batch([sequences[row] for row in rows], max_len)
            loss = loss_of(items, targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        report(epoch, losses[-1])
    return losses


# ------------------------------------------------------------------ how attempts are used


def use_pretraining(loss: Callable, seed: int) -> WithGradients:
    """Compute the loss of a batch of three users with a small model."""
    model, generator = make_module(M2SE, (*M2SE_SIZES, 0)).eval(), Generator().manual_seed(seed)
    batch = make_batch([[1, 2, 3, 4, 5, 2], [5, 3, 1, 4], [2, 4, 1, 5, 3]], 50)
    return differentiate(lambda m: loss(m, random_features(5), *batch, generator), model)


class Toy(nn.Module):
    """A small model for the training loop; notes in which mode it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.next = nn.Parameter(torch.zeros(6))
        self.modes: list[bool] = []

    def forward(self, items: Tensor, targets: Tensor) -> Tensor:
        """Return a loss with steep gradients."""
        self.modes.append(self.training)
        return ((self.next[items] - targets.float() ** 2) ** 2).mean()


def use_train(attempt: Callable, sequences: list, *settings: float) -> list:
    """Train the small model; return all that can be seen of it."""
    model, generator, reports = Toy(), Generator().manual_seed(0), []

    def report(*args: float) -> None:
        reports.append([*args, model.training])

    epochs, lr, decay = settings
    losses = attempt(model, model, sequences, epochs, lr, generator, 3, 2, decay, report)
    return [losses, model.next.detach(), model.modes, reports]


# ------------------------------------------------------------------ mistakes


def raw_lengths(h, z, masked, tau=0.07):
    """Return NIP with dot products instead of cosines."""
    logits = (h @ z.T / tau).masked_fill(masked & ~torch.eye(len(h), dtype=torch.bool), -torch.inf)
    return F.cross_entropy(logits, torch.arange(len(h)))


def zero_logit(h, z, masked, tau=0.07):
    """Return NIP in which masked pairs get the logit 0."""
    logits = cosine_scores(h, z) / tau
    logits = logits.masked_fill(masked & ~torch.eye(len(h), dtype=torch.bool), 0)
    return F.cross_entropy(logits, torch.arange(len(h)))


def make_cross_modal(directions=2, within=True, mask=True, itself=False, rowwise=False):
    """Return CMCL with something missing."""

    def loss(text, image, masked, tau=0.07):
        masked, total = masked if mask else torch.eye(len(text), dtype=torch.bool), 0
        diagonal = torch.eye(len(text), dtype=torch.bool)
        for anchor, other in ((text, image), (image, text))[:directions]:
            pair = (text, image) if rowwise else (anchor, other)
            logits = cosine_scores(*pair).masked_fill(masked & ~diagonal, -torch.inf)
            if within:
                hidden = masked & ~diagonal if itself else masked
                same = cosine_scores(anchor, anchor).masked_fill(hidden, -torch.inf)
                logits = torch.cat([logits, same], dim=1)
            total = total + F.cross_entropy(logits / tau, torch.arange(len(text)))
        return total / directions

    return loss


def make_pretraining(place=last_kept, first_stays=True, by_target=True, by_user=True):
    """Return the loss of pre-training with a step that differs."""

    def loss(model, features, items, targets, generator, tau=0.07):
        kept = (items != 0) & ~draw_positions(items, 0.2, generator)
        kept[:, 0] |= first_stays
        shortened = drop_items(items, kept)
        z = model.embed(features, shortened)
        swaps = draw_positions(shortened, 0.5, generator)
        h = model(dict(zip(z, complementary_mixup(*z.values(), swaps), strict=True)))
        rows, position = targets.nonzero(as_tuple=True)
        target, at = targets[rows, position], place(kept)[rows, position].clamp_min(0)
        h, z = {m: states[rows, at] for m, states in h.items()}, model.embed(features, target)
        same = false_negatives(target) if by_target else torch.eye(len(target), dtype=torch.bool)
        users = false_negatives(target, rows) if by_user else same
        nip = sum(next_item_loss(h[m], z[m], same, tau) for m in h)
        return nip + 0.01 * cross_modal_loss(h["text"], h["image"], users, tau)

    return loss


def make_train(clear=True, step=True, clip=True, optimizer=torch.optim.Adam, shuffle=True, modes=1):
    """Return a training loop with a step that is missing or differs."""

    def loop(model, loss_of, sequences, epochs, lr, generator, max_len, size, decay, report):
        adam, losses = optimizer(model.parameters(), lr=lr, weight_decay=decay), []
        for epoch in range(1, epochs + 1):
            model.train(bool(modes))
            count = len(sequences)
            order = torch.randperm(count, generator=generator) if shuffle else torch.arange(count)
            for rows in order.split(size):
                loss = loss_of(*make_batch([sequences[row] for row in rows], max_len))
                if clear:
                    adam.zero_grad()
                loss.backward()
                if clip:
                    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                if step:
                    adam.step()
                losses.append(loss.item())
            model.train(modes == 2)
            report(epoch, losses[-1])
        return losses

    return loop
