"""One training step of the small CLIP, many times: pictures, captions, losses, optimisers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from data_samples.make.captions import (
    LABELS,
    WORDS,
    caption,
    stitched_word,
    truth,
    wrong_words,
)
from data_samples.make.drawing import SIZE
from msm4sr_lite.features.clip.losses import cross_entropy, rate, soft_target_loss

GROUPS, WRONG, STITCHED = 24, 32, 8  # captions per step: of several words; true of nothing


@dataclass(frozen=True, kw_only=True)
class ClipTrainingConfig:
    """All that decides what comes out of the training (on the same machine)."""

    pictures: int = 15_000  # drawn once; a step sees a batch of them, shifted and re-lit
    steps: int = 2_400
    batch: int = 64
    learning_rate: float = 1.5e-3  # of Adam, at its highest
    muon_rate: float = 4e-3  # of Muon, at its highest
    weight_decay: float = 0.05
    seed: int = 7


def augment(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror, shift and re-light pictures; none of it changes a true word.

    Parameters
    ----------
    pictures
        uint8 ``(batch, 3, SIZE, SIZE)``.

    Returns
    -------
    pictures
        float32 of the same shape, 0 to 1.
    """
    batch, margin = len(pictures), 5
    padded = F.pad(pictures.float() / 255, (margin,) * 4, mode="replicate")
    corners = torch.randint(2 * margin + 1, (batch, 2), generator=generator).tolist()
    flips = torch.rand(batch, generator=generator) < 0.5
    light = 1 + 0.2 * (torch.rand(batch, 3, 1, 1, generator=generator) - 0.5)
    light[:, 1:] = light[:, :1] + 0.06 * (light[:, 1:] - 1)  # mostly alike in the three channels
    out = torch.empty(batch, *pictures.shape[1:])
    for k, (top, left) in enumerate(corners):
        view = padded[k, :, top : top + SIZE, left : left + SIZE]
        out[k] = view.flip(-1) if flips[k] else view
    return (out * light).clamp(0, 1)


def write_captions(
    words: Sequence[Sequence[str]], wrong: Sequence[str], rng: random.Random
) -> tuple[list[str], Tensor]:
    """Write the captions of one step.

    Some captions with several words of a picture; every label word alone, since single words are
    what the model will be asked for; and words that are true of nothing.

    Returns
    -------
    captions, says
        The captions, and which labels each says, bool ``(captions, labels)``. First come the
        label words in the order of ``WORDS``; last those that are true of nothing, which have
        no row in ``says``.
    """
    said: list[tuple[str, ...]] = [(word,) for word in WORDS]
    said += [tuple(rng.sample(own, rng.randint(2, len(own)))) for own in words[:GROUPS]]
    captions = [caption(some, rng) for some in said]
    nothing = rng.sample(list(wrong), WRONG) + [stitched_word(wrong, rng) for _ in range(STITCHED)]
    return captions + [caption([word], rng) for word in nothing], truth(said)


def kind_loss(logits: Tensor, holds: Tensor) -> Tensor:
    """Cross-entropy within each kind of word: which product, which colour, which pattern...

    In the whole dictionary colours are so easy that for long nothing else is learnt. Asking for
    each kind by itself lets the four be learnt side by side.

    Parameters
    ----------
    logits, holds
        ``(pictures, labels)``, labels in the order of ``WORDS``.
    """
    sizes = [len(words) for words in LABELS.values()]
    kinds = zip(logits.split(sizes, 1), holds.split(sizes, 1), strict=True)
    return torch.stack([cross_entropy(scores, true) for scores, true in kinds]).mean()


def make_optimizers(model: CLIPModel, recipe: ClipTrainingConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the transformers, Adam for the rest.

    Muon makes all directions of a matrix move alike. Products, which Adam learns last, come
    several times sooner with it.
    """
    weights = dict(model.named_parameters())
    matrices = [w for name, w in weights.items() if ".layers." in name and w.ndim == 2]
    tables = [w for name, w in weights.items() if ".layers." not in name and w.ndim > 1]
    vectors = [w for w in weights.values() if w.ndim < 2]
    decay = recipe.weight_decay
    muon = torch.optim.Muon(
        matrices, lr=recipe.muon_rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
    )
    groups: list[dict[str, Any]] = [
        {"params": tables, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return [muon, torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))]


def train(
    model: CLIPModel,
    tokenizer: CLIPTokenizer,
    processor: CLIPImageProcessorPil,
    pictures: Tensor,
    words: Sequence[Sequence[str]],
    recipe: ClipTrainingConfig,
) -> Iterator[float]:
    """Train the model in place; yield the loss of every step.

    Parameters
    ----------
    model, tokenizer, processor
        The parts of the CLIP.
    pictures
        uint8 ``(pictures, 3, SIZE, SIZE)``.
    words
        The label words that hold for each picture.
    recipe
        How to train.

    Yields
    ------
    loss
        Sum of both losses, in nats.
    """
    labels = truth(words)
    generator = torch.Generator().manual_seed(recipe.seed)
    rng = random.Random(f"captions {recipe.seed}")
    wrong = wrong_words()
    mean = torch.tensor(processor.image_mean)[:, None, None]
    std = torch.tensor(processor.image_std)[:, None, None]
    optimizers = make_optimizers(model, recipe)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, partial(rate, steps=recipe.steps))
        for optimizer in optimizers
    ]
    model.train()
    for _ in range(recipe.steps):
        chosen = torch.randint(len(pictures), (recipe.batch,), generator=generator)
        captions, says = write_captions([words[k] for k in chosen.tolist()], wrong, rng)
        # A caption holds if as many of its labels are true of the picture as it says.
        counts = labels[chosen].float() @ says.float().T
        holds = F.pad(counts == says.sum(1), (0, len(captions) - len(says)))
        tokens = tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
        pixels = (augment(pictures[chosen], generator) - mean) / std
        logits = model(pixel_values=pixels, **tokens).logits_per_image
        alone = slice(len(WORDS))
        loss = soft_target_loss(logits, holds) + kind_loss(logits[:, alone], holds[:, alone])
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        yield loss.item()
