"""Train the dual encoder on pictures and label words; stop when held-out retrieval stands still."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPTokenizer, VisionTextDualEncoderModel

from msm4sr_lite.config import UserError
from msm4sr_lite.features.clip.captions import PROMPT, write_captions
from msm4sr_lite.features.clip.images import augment
from msm4sr_lite.features.clip.losses import cross_entropy, rate, soft_target_loss


@dataclass(frozen=True, kw_only=True)
class ClipTrainingConfig:
    """All that decides what comes out of the training (on the same machine)."""

    epochs: int = 60  # at most
    patience: int = 6  # epochs without better held-out retrieval
    batch: int = 32
    learning_rate: float = 3e-3  # of AdamW, at its highest
    weight_decay: float = 0.05
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
    tokenizer: CLIPTokenizer,
    processor: CLIPImageProcessorPil,
    words: Sequence[str],
    kinds: Sequence[Sequence[int]],
    learn: Batchable,
    held_out: Batchable,
    recipe: ClipTrainingConfig,
) -> Iterator[Epoch]:
    """Train the model in place; at the end it holds the weights of its best epoch.

    Parameters
    ----------
    model, tokenizer, processor
        The parts of the dual encoder; the model's device is used.
    words
        All label words.
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
    spread_words(model, tokenizer, words)
    generator = torch.Generator().manual_seed(recipe.seed)
    rng = random.Random(f"captions {recipe.seed}")
    batches = max(1, len(learn.pixels) // recipe.batch)
    groups: list[dict[str, Any]] = [
        {"params": [w for w in model.parameters() if w.ndim > 1]},
        {"params": [w for w in model.parameters() if w.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups,
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, partial(rate, steps=recipe.epochs * batches)
    )
    best, best_epoch, weights = -1.0, 0, {}
    for number in range(1, recipe.epochs + 1):
        model.train()
        total = 0.0
        order = torch.randperm(len(learn.pixels), generator=generator)
        for chosen in order[: batches * recipe.batch].view(batches, -1):
            true = learn.true[chosen]
            captions, says = write_captions(words, true, rng)
            pixels = augment(learn.pixels[chosen].to(device), generator)
            pixels = ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)
            tokens = tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
            logits = model(pixel_values=pixels, **tokens.to(device)).logits_per_image
            loss = step_loss(logits, true.to(device), says.to(device), kinds)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()
            schedule.step()
            with torch.no_grad():  # CLIP's bound: the scores never become all or nothing
                model.logit_scale.clamp_(max=4.6)
            total += loss.item()
        found = average_precision(
            cosines(model, tokenizer, words, held_out.pixels, mean, std), held_out.true
        )
        yield Epoch(number, total / batches, found, found >= best)
        if found >= best:  # of equals the later: it has learnt for longer
            best, best_epoch = found, number
            weights = {name: value.clone() for name, value in model.state_dict().items()}
        elif number - best_epoch >= recipe.patience:
            break
    model.load_state_dict(weights)
    order_channels(model, torch.contiguous_format)  # as safetensors wants it


def order_channels(model: VisionTextDualEncoderModel, order: torch.memory_format) -> None:
    """Lay the weights of the convolutions out in memory in this order; their values stay."""
    for weight in model.vision_model.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=order)


@torch.no_grad()
def spread_words(
    model: VisionTextDualEncoderModel, tokenizer: CLIPTokenizer, words: Sequence[str]
) -> None:
    """Take out of the untrained text projection what all words share.

    Most of an untrained text vector comes from the prompt around the word: the cosine of any two
    words is about 0.97, and for the first few hundred steps there would be little to learn from.
    """
    prompts = [PROMPT.format(word) for word in words]
    tokens = tokenizer(prompts, padding=True, truncation=True, return_tensors="pt").to(model.device)
    shared = F.normalize(model.text_model(**tokens).pooler_output.mean(0), dim=0)
    weight = model.text_projection.weight
    weight -= torch.outer(weight @ shared, shared)


def step_loss(
    logits: Float[Tensor, "pictures captions"],
    true: Bool[Tensor, "pictures words"],
    says: Bool[Tensor, "captions words"],
    kinds: Sequence[Sequence[int]],
) -> Float[Tensor, ""]:
    """Sum of three losses: all captions, all single words, and the words of each kind.

    Single words are what the model will be asked for. Ranked among all words they learn how
    common they are, which a dictionary of unequally frequent labels needs; ranked within their
    kind (product, colour, pattern...) rare kinds are learnt as soon as common ones.
    """
    words = true.shape[1]
    # A caption holds if as many of its words are true of the picture as it says.
    holds = true.float() @ says.float().T == says.sum(1)
    alone, losses = logits[:, :words], [soft_target_loss(logits, holds)]
    for columns in (range(words), *kinds):
        own = true[:, list(columns)]
        some = own.any(1)  # pictures without a label of this kind teach nothing here
        if some.any():
            losses.append(cross_entropy(alone[some][:, list(columns)], own[some]))
    return losses[0] + losses[1] + torch.stack(losses[2:]).mean()


@torch.inference_mode()
def cosines(
    model: VisionTextDualEncoderModel,
    tokenizer: CLIPTokenizer,
    words: Sequence[str],
    pixels: UInt8[Tensor, "pictures 3 height width"],
    mean: Tensor,
    std: Tensor,
    batch: int = 64,
) -> Float[Tensor, "pictures words"]:
    """Return the cosines of pictures and words, up to the model's positive factor."""
    model.eval()
    prompts = [PROMPT.format(word) for word in words]
    tokens = tokenizer(prompts, padding=True, truncation=True, return_tensors="pt")
    tokens = tokens.to(model.device)
    parts = [
        model(pixel_values=(part.to(model.device) / 255 - mean) / std, **tokens).logits_per_image
        for part in pixels.split(batch)
    ]
    return torch.cat(parts).cpu()


def average_precision(
    scores: Float[Tensor, "pictures words"], true: Bool[Tensor, "pictures words"]
) -> float:
    """Mean over the pictures of the average precision of their words in score order.

    >>> scores = torch.tensor([[3.0, 2.0, 1.0]])
    >>> round(average_precision(scores, torch.tensor([[True, False, True]])), 4)  # (1/1 + 2/3) / 2
    0.8333
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    hits = true.gather(1, order).double()
    precision = hits.cumsum(1) / torch.arange(1, hits.shape[1] + 1)
    return float(((precision * hits).sum(1) / hits.sum(1)).mean())
