"""Captions for drawn pictures: the words that are true of a look, and the sentences around them.

A caption is a set of label words ("tall", "blue", "mug") inside a template. It is true of a
picture if all its words are, so one caption is true of many pictures, and one picture makes
many captions true.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from transformers import CLIPTokenizer

from data_samples.make.drawing import (
    COLOURS,
    PATTERNS,
    PRODUCTS,
    SHAPES,
    Look,
)
from msm4sr_lite.features.clip.tokenizer import train_tokenizer
from msm4sr_lite.features.dictionary import word_list


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LABELS: dict[str, tuple[str, ...]] = {
    "product": PRODUCTS["home"] + PRODUCTS["outdoor"],
    "colour": tuple(COLOURS),
    "pattern": PATTERNS,
    "shape": SHAPES,
}
WORDS = tuple(word for words in LABELS.values() for word in words)
INDEX = {word: k for k, word in enumerate(WORDS)}

SYNONYMS = {  # other words for the same label; captions use them now and then
    "mug": "cup",
    "cushion": "pillow",
    "pan": "skillet",
    "backpack": "rucksack",
    "boot": "shoe",
    "jacket": "coat",
    "cap": "hat",
    "paddle": "oar",
    "striped": "stripes",
    "dotted": "dots",
    "checked": "checks",
    "floral": "flowers",
    "round": "curved",
    "tall": "slim",
    "square": "boxy",
}
# Nearly true of some drawings, or part of a template: never used as wrong captions.
UNCLEAR = _words(
    """plaid gingham tartan geometric printed flower rectangular oval spherical cylindrical narrow
    long thin pot jug kettle bag shoe hat vest parka raincoat light drawing photo picture dark
    multicoloured colourful two-tone monochrome gold silver burgundy navy coral violet"""
)
# Never used in training, never true of a picture: what the test adds to the dictionary.
DISTRACTORS = _words(
    """guitar bicycle banana tiger laptop toothbrush mountain necklace pizza keyboard helicopter
    violin dinosaur lipstick cactus newspaper hammer penguin stapler accordion"""
)
VOCABULARY = 1150  # tokens, 512 of them single bytes
TEMPLATES = (
    "{}",
    "{}",
    "a {}",
    "a photo of a {}",
    "a picture of a {}",
    "a drawing of a {}",
    "this is a {}",
    "something {}",
    "one {} thing",
    "a {} product",
)


def held_out(look: Look) -> bool:
    """Tell whether a look is kept for the test: one in ten, whatever its accent colour."""
    name = f"{look.product}/{look.colour}/{look.pattern}/{look.shape}"
    return zlib.crc32(name.encode()) % 10 == 0


def random_look(rng: random.Random, test: bool) -> Look:
    """Draw a look by lot, either for training or for the test."""
    while True:
        product = rng.choice(LABELS["product"])
        colour, accent = rng.sample(LABELS["colour"], 2)
        look = Look(product, colour, accent, rng.choice(PATTERNS), rng.choice(SHAPES))
        if held_out(look) == test:
            return look


def true_words(look: Look) -> tuple[str, ...]:
    """Return the label words that hold: product, colour, accent if it is seen, pattern, shape."""
    accent = () if look.pattern == "plain" else (look.accent,)
    return (look.product, look.colour, *accent, look.pattern, look.shape)


def truth(word_sets: Iterable[Iterable[str]]) -> Tensor:
    """Return which labels each set holds, bool ``(sets, labels)``."""
    rows = [[INDEX[word] for word in words] for words in word_sets]
    out = torch.zeros(len(rows), len(WORDS), dtype=torch.bool)
    for row, columns in enumerate(rows):
        out[row, columns] = True
    return out


def caption(words: Sequence[str], rng: random.Random) -> str:
    """Write a caption that says these words, in random order with the product last if it is there.

    >>> caption(["blue"], random.Random(3))
    'a photo of a blue'
    """
    things = [word for word in words if word in LABELS["product"]]
    others = [word for word in words if word not in LABELS["product"]]
    rng.shuffle(others)
    spoken = [
        SYNONYMS[word] if word in SYNONYMS and rng.random() < 0.15 else word
        for word in others + things
    ]
    return rng.choice(TEMPLATES).format(" ".join(spoken))


def wrong_words() -> list[str]:
    """Return ordinary words that are true of no drawing; the model learns to score them low."""
    known = {*WORDS, *SYNONYMS.values(), *UNCLEAR, *DISTRACTORS}
    return [word for word in word_list("visual_words") if word not in known]


def stitched_word(words: Sequence[str], rng: random.Random) -> str:
    """Return the start of one word with the end of another: a word that means nothing.

    Such words teach the text side that what it has not met is true of no picture either.
    """
    start, end = rng.choice(words), rng.choice(words)
    return start[: max(2, len(start) // 2)] + end[len(end) // 2 :]


def make_tokenizer(length: int) -> CLIPTokenizer:
    """Make the tokenizer of the small CLIP: every label word becomes one or a few tokens.

    Parameters
    ----------
    length
        Longest caption in tokens.
    """
    ordinary = [word for word in word_list("visual_words") if word not in DISTRACTORS]
    corpus = ordinary + 20 * [*WORDS, *SYNONYMS.values(), *(t.format("") for t in TEMPLATES)]
    return train_tokenizer(corpus, VOCABULARY, length)
