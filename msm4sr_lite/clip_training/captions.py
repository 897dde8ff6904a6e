"""Captions from labels, and a text tower that learns to write them as vectors."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import CLIPTokenizer, VisionTextDualEncoderModel

from msm4sr_lite.clip_training.losses import rate

PROMPT = "a photo of a {}"  # what KeywordTokenizer asks with, and so the most frequent one here
TEMPLATES = (PROMPT, PROMPT, "{}", "a {}", "a picture of a {}", "this is a {}", "{}, a photo")
ALONE, TOGETHER = 256, 32  # captions of a step: of one word, of several words of one picture


def write_captions(
    words: Sequence[str], true: Bool[Tensor, "pictures words"], rng: random.Random
) -> tuple[list[str], Float[Tensor, "captions words"]]:
    """Write the captions of one step.

    Parameters
    ----------
    words
        All label words.
    true
        Which of them hold for each picture.

    Returns
    -------
    captions, says
        Single words, each at most once; then some of the words of pictures drawn by lot, in
        random order; and the share that each word has in each caption.
    """
    said = [[k] for k in rng.sample(range(len(words)), min(ALONE, len(words)))]
    for row in rng.choices(range(len(true)), k=TOGETHER):
        own = true[row].nonzero().flatten().tolist()
        if len(own) > 1:
            said.append(rng.sample(own, rng.randint(2, min(4, len(own)))))
    captions = [rng.choice(TEMPLATES).format(" ".join(words[k] for k in some)) for some in said]
    says = torch.zeros(len(said), len(words))
    for row, some in zip(says, said, strict=True):
        row[some] = 1 / len(some)
    return captions, says


def teach_words(
    model: VisionTextDualEncoderModel,
    tokenizer: CLIPTokenizer,
    words: Sequence[str],
    vectors: Float[Tensor, "words width"],
    true: Bool[Tensor, "pictures words"],
    seed: int,
    steps: int,
) -> float:
    """Train the text tower in place to turn words into the vectors that the pictures have chosen.

    A caption of several words aims at the middle of their vectors. No picture is looked at, so
    that a step costs little.

    Parameters
    ----------
    model, tokenizer
        The dual encoder; its picture tower stays as it is.
    words, vectors
        The label words and their unit vectors.
    true
        Which words hold for each picture, for captions of words that occur together.
    seed, steps
        For the captions; how many steps.

    Returns
    -------
    worst
        The lowest cosine of a word in ``PROMPT`` with its vector.
    """
    rng = random.Random(f"captions {seed}")
    parts = [*model.text_model.parameters(), *model.text_projection.parameters()]
    optimizer = torch.optim.AdamW(parts, lr=5e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(rate, steps=steps))
    model.train()
    for _ in range(steps):
        captions, says = write_captions(words, true, rng)
        target = F.normalize(says.to(vectors.device) @ vectors, dim=-1)
        loss = (1 - (caption_vectors(model, tokenizer, captions) * target).sum(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.inference_mode():
        prompts = [PROMPT.format(word) for word in words]
        return float((caption_vectors(model, tokenizer, prompts) * vectors).sum(1).min())


def caption_vectors(
    model: VisionTextDualEncoderModel, tokenizer: CLIPTokenizer, captions: Sequence[str]
) -> Float[Tensor, "captions width"]:
    """Return the unit vectors of captions."""
    tokens = tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt")
    found = model.get_text_features(**tokens.to(model.device)).pooler_output
    return F.normalize(found, dim=-1)
