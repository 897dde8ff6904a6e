"""Captions from labels: every label word alone, and several words of one image together."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

PROMPT = "a photo of a {}"  # the prompt of KeywordTokenizer, so the most frequent one here
TEMPLATES = (PROMPT, PROMPT, "{}", "a {}", "a picture of a {}", "this is a {}", "{}, a photo")


def write_captions(
    words: Sequence[str], true: Bool[Tensor, "images words"], rng: random.Random
) -> tuple[list[str], Bool[Tensor, "captions words"]]:
    """Write the captions of one step.

    Parameters
    ----------
    words
        All label words.
    true
        Which words are true of each image of the step.
    rng
        Chooses words and templates.

    Returns
    -------
    captions, says
        First each word alone, in the order of ``words``; then one caption for each image with at
        least two true words, of two to four of them in random order. ``says`` tells which words
        each caption contains.
    """
    said = [[k] for k in range(len(words))]
    for row in true:
        known = row.nonzero().flatten().tolist()
        if len(known) > 1:
            said.append(rng.sample(known, rng.randint(2, min(4, len(known)))))
    captions = [rng.choice(TEMPLATES).format(" ".join(words[k] for k in some)) for some in said]
    says = torch.zeros(len(said), len(words), dtype=torch.bool)
    for row, some in zip(says, said, strict=True):
        row[some] = True
    return captions, says
