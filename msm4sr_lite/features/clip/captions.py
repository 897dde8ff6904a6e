"""Captions from labels: label words alone, several words of one image, and made-up words."""

import random
from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from msm4sr_lite.features.dictionary import word_list

PROMPT = "a photo of a {}"  # the prompt of KeywordTokenizer, so the most frequent one here
TEMPLATES = (PROMPT, PROMPT, "{}", "a {}", "a picture of a {}", "this is a {}", "{}, a photo")


def write_captions(
    words: Sequence[str],
    true: Bool[Tensor, "images words"],
    rng: random.Random,
    n_negatives: int = 0,
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
    n_negatives
        Number of captions with a made-up word, which are true of no image.

    Returns
    -------
    captions, says
        First each word alone, in the order of ``words``; then one caption for each image with at
        least two true words, of two to four of them in random order; last the negatives.
        ``says`` tells which words each caption contains: none for a negative.
    """
    said = [[k] for k in range(len(words))]
    for row in true:
        known = row.nonzero().flatten().tolist()
        if len(known) > 1:
            said.append(rng.sample(known, rng.randint(2, min(4, len(known)))))
    spoken = [" ".join(words[k] for k in some) for some in said]
    spoken += [made_up_word(words, rng) for _ in range(n_negatives)]
    captions = [rng.choice(TEMPLATES).format(text) for text in spoken]
    says = torch.zeros(len(captions), len(words), dtype=torch.bool)
    for row, some in zip(says, said, strict=False):
        row[some] = True
    return captions, says


def made_up_word(words: Sequence[str], rng: random.Random) -> str:
    """Return the start of one ordinary word with the end of another, which is no label.

    A real word could be true of some image. Made-up ones consist of the same tokens; they teach
    the text encoder that a word it has not met is true of none.

    >>> made_up_word(["red"], random.Random(0))
    'traefs'
    """
    ordinary = word_list("visual_words")
    while True:
        start, end = rng.choice(ordinary), rng.choice(ordinary)
        word = start[: max(2, len(start) // 2)] + end[len(end) // 2 :]
        if word not in ordinary and word not in words:
            return word
