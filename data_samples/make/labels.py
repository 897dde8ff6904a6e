"""The label words that are true of a drawing, and which looks are held out for tests."""

from __future__ import annotations

import random
import zlib

from data_samples.make.drawing import COLOURS, PATTERNS, PRODUCTS, SHAPES, Look

LABELS: dict[str, tuple[str, ...]] = {
    "product": PRODUCTS["home"] + PRODUCTS["outdoor"],
    "colour": tuple(COLOURS),
    "pattern": PATTERNS,
    "shape": SHAPES,
}
WORDS = tuple(word for words in LABELS.values() for word in words)
# True of no drawing and used in no training: the test adds them to the dictionary.
DISTRACTORS = (
    *("guitar", "bicycle", "banana", "tiger", "laptop", "toothbrush", "mountain", "necklace"),
    *("pizza", "keyboard", "helicopter", "violin", "dinosaur", "lipstick", "cactus", "newspaper"),
    *("hammer", "penguin", "stapler", "accordion"),
)


def is_held_out(look: Look) -> bool:
    """Return whether a look is kept for tests: one in ten, whatever its accent colour."""
    name = f"{look.product}/{look.colour}/{look.pattern}/{look.shape}"
    return zlib.crc32(name.encode()) % 10 == 0


def random_look(rng: random.Random, held_out: bool) -> Look:
    """Draw a random look, either a held-out one or one for training."""
    while True:
        product = rng.choice(LABELS["product"])
        colour, accent = rng.sample(LABELS["colour"], 2)
        look = Look(product, colour, accent, rng.choice(PATTERNS), rng.choice(SHAPES))
        if is_held_out(look) == held_out:
            return look


def true_words(look: Look) -> tuple[str, ...]:
    """Return the label words of a look; the accent colour only where it can be seen.

    >>> true_words(Look("mug", "blue", "red", "plain", "tall"))
    ('mug', 'blue', 'plain', 'tall')
    """
    accent = () if look.pattern == "plain" else (look.accent,)
    return (look.product, look.colour, *accent, look.pattern, look.shape)
