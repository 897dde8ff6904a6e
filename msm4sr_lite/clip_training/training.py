"""Train the picture tower beside a vector for each word; stop when retrieval stands still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from transformers import CLIPImageProcessorPil, VisionTextDualEncoderModel

from msm4sr_lite.clip_training.losses import cross_entropy, rate
from msm4sr_lite.clip_training.pictures import augment
from msm4sr_lite.config import UserError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides what comes out of the training (on the same machine)."""

    epochs: int = 20  # at most
    patience: int = 6  # epochs without better held-out retrieval
    batch: int = 32
    learning_rate: float = 3e-3  # of AdamW, at its highest
    weight_decay: float = 0.05
    text_steps: int = 600  # of the text tower, after the pictures
    size: int = 80  # side of a square picture in pixels; others get the same area
    width: float = 0.5  # factor of the channels of the picture tower
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise UserError(f"epochs must be at least 1; got {self.epochs}")


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training pictures brought."""

    number: int
    loss: float  # mean over the steps, in nats
    score: float  # average precision of the held-out pictures' labels, 0 to 1
    best: bool  # whether none before was higher


@dataclass(frozen=True)
class Batchable:
    """Pictures with their truth.

    Attributes
    ----------
    pixels
        uint8 ``(pictures, 3, height, width)``.
    true
        Which label words hold, bool ``(pictures, words)``.
    """

    pixels: UInt8[Tensor, "pictures 3 height width"]
    true: Bool[Tensor, "pictures words"]


def train(
    model: VisionTextDualEncoderModel,
    processor: CLIPImageProcessorPil,
    vectors: Float[nn.Parameter, "words width"],
    kinds: Sequence[Sequence[int]],
    learn: Batchable,
    held_out: Batchable,
    recipe: Recipe,
) -> Iterator[Epoch]:
    """Train the picture tower and the words' vectors in place; keep those of the best epoch.

    The words' vectors are free here. The text tower learns them afterwards
    (``captions.teach_words``): asked to find them while the pictures are still moving, it holds
    both up.

    Parameters
    ----------
    model, processor
        The dual encoder and what prepares its pictures.
    vectors
        One for each label word, of any length, on the model's device.
    kinds
        For each label column, which of the words are its labels.
    learn, held_out
        Pictures to learn from, and others that decide when to stop.
    recipe
        How to train.

    Yields
    ------
    epoch
        After every pass over ``learn``.
    """
    device = model.device
    # Channels last: a quarter off the time of the convolutions on a CPU.
    order_channels(model, torch.channels_last)
    mean = torch.tensor(processor.image_mean, device=device)[:, None, None]
    std = torch.tensor(processor.image_std, device=device)[:, None, None]
    generator = torch.Generator().manual_seed(recipe.seed)
    batches = max(1, len(learn.pixels) // recipe.batch)
    weights = [*model.vision_model.parameters(), *model.visual_projection.parameters()]
    weights += [model.logit_scale, vectors]
    groups: list[dict[str, Any]] = [
        {"params": [w for w in weights if w.ndim > 1]},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, partial(rate, steps=recipe.epochs * batches)
    )
    best, best_epoch = -1.0, 0
    kept: tuple[dict[str, Tensor], Tensor] = ({}, vectors.data)
    for number in range(1, recipe.epochs + 1):
        model.train()
        total = 0.0
        order = torch.randperm(len(learn.pixels), generator=generator)
        for chosen in order[: batches * recipe.batch].view(batches, -1):
            pixels = (augment(learn.pixels[chosen].to(device), generator) - mean) / std
            scores = model.logit_scale.exp() * cosines(model, pixels, vectors)
            loss = word_loss(scores, learn.true[chosen].to(device), kinds)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 2.0)
            optimizer.step()
            schedule.step()
            with torch.no_grad():  # CLIP's bound: the scores never become all or nothing
                model.logit_scale.clamp_(max=4.6)
            total += loss.item()
        model.eval()
        with torch.inference_mode():
            parts = [
                cosines(model, (part.to(device) / 255 - mean) / std, vectors).cpu()
                for part in held_out.pixels.split(64)
            ]
        found = average_precision(torch.cat(parts), held_out.true)
        yield Epoch(number, total / batches, found, found >= best)
        if found >= best:  # of equals the later: it has learnt for longer
            best, best_epoch = found, number
            state = {name: value.clone() for name, value in model.state_dict().items()}
            kept = (state, vectors.detach().clone())
        elif number - best_epoch >= recipe.patience:
            break
    model.load_state_dict(kept[0])
    vectors.data = kept[1]
    order_channels(model, torch.contiguous_format)  # as safetensors wants it


def order_channels(model: VisionTextDualEncoderModel, order: torch.memory_format) -> None:
    """Lay the weights of the convolutions out in memory in this order; their values stay."""
    for weight in model.vision_model.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=order)


def cosines(
    model: VisionTextDualEncoderModel,
    pixels: Float[Tensor, "pictures 3 height width"],
    vectors: Float[Tensor, "words dim"],
) -> Float[Tensor, "pictures words"]:
    """Return the cosine of every picture with every word."""
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    found = model.get_image_features(pixel_values=pixels).pooler_output
    return F.normalize(found, dim=-1) @ F.normalize(vectors, dim=-1).T


def word_loss(
    scores: Float[Tensor, "pictures words"],
    true: Bool[Tensor, "pictures words"],
    kinds: Sequence[Sequence[int]],
) -> Float[Tensor, ""]:
    """Sum of two losses: each picture against all words, and against the words of each kind.

    Unlike in CLIP all words that hold are right answers, in equal shares, and the words of other
    pictures are not their pictures' alone. Ranked among all words they learn how common they
    are, which a dictionary of unequally frequent labels needs; ranked within their kind
    (product, colour, pattern...) rare kinds are learnt as soon as common ones.
    """
    losses = []
    for words in (range(true.shape[1]), *kinds):
        own = true[:, list(words)]
        some = own.any(1)  # pictures without a label of this kind teach nothing here
        if some.any():
            losses.append(cross_entropy(scores[some][:, list(words)], own[some]))
    return losses[0] + torch.stack(losses[1:]).mean()


def average_precision(
    scores: Float[Tensor, "pictures words"], true: Bool[Tensor, "pictures words"]
) -> float:
    """Mean over the pictures of the average precision of their words in score order.

    >>> scores = torch.tensor([[3.0, 2.0, 1.0]])
    >>> average_precision(scores, torch.tensor([[True, False, True]]))  # (1/1 + 2/3) / 2
    0.8333333...
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    hits = true.gather(1, order).double()
    precision = hits.cumsum(1) / torch.arange(1, hits.shape[1] + 1)
    return float(((precision * hits).sum(1) / hits.sum(1)).mean())
