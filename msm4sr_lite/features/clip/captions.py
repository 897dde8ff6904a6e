"""Captions from labels: every label word alone, and several words of one picture together."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

PROMPT = "a photo of a {}"  # what KeywordTokenizer asks with, and so the most frequent one here
TEMPLATES = (PROMPT, PROMPT, "{}", "a {}", "a picture of a {}", "this is a {}", "{}, a photo")


def write_captions(
    words: Sequence[str], true: Bool[Tensor, "pictures words"], rng: random.Random
) -> tuple[list[str], Bool[Tensor, "captions words"]]:
    """Write the captions of one step.

    Parameters
    ----------
    words
        All label words.
    true
        Which of them hold for the pictures that get a caption of several words.

    Returns
    -------
    captions, says
        First every word alone, in the order of ``words``, then one caption for each picture that
        says some of its words in random order; and which words each caption says.
    """
    said = [[k] for k in range(len(words))]
    for row in true:
        own = row.nonzero().flatten().tolist()
        if len(own) > 1:
            said.append(rng.sample(own, rng.randint(2, min(4, len(own)))))
    captions = [rng.choice(TEMPLATES).format(" ".join(words[k] for k in some)) for some in said]
    says = torch.zeros(len(said), len(words), dtype=torch.bool)
    for row, some in zip(says, said, strict=True):
        row[some] = True
    return captions, says
