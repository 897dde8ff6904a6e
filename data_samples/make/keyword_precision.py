"""How good are a CLIP's keywords? Ask it about drawings of which all true words are known."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from data_samples.make.captions import (
    DISTRACTORS,
    LABELS,
    WORDS,
    random_look,
    true_words,
)
from data_samples.make.drawing import Look, draw, save_png
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

TOP = 5
TEST_SEEDS = 1_000_000  # seeds from here on are never used in training
KIND = {word: kind for kind, words in LABELS.items() for word in words}


def held_out_pictures(count: int, view: int, seed: int) -> list[tuple[Look, Image.Image]]:
    """Draw looks that training never saw, and pass each picture through its PNG file."""
    rng = random.Random(f"test {seed} {view}")
    pictures = []
    for _ in range(count):
        look = random_look(rng, test=True)
        drawn = io.BytesIO()
        save_png(draw(look, view, TEST_SEEDS + rng.randrange(TEST_SEEDS)), drawn)
        pictures.append((look, Image.open(drawn).convert("RGB")))
    return pictures


def keyword_precision(folder: Path | str, count: int = 600, seed: int = 0) -> dict[str, Any]:
    """Measure the top-5 keywords of a CLIP folder on held-out drawings.

    Parameters
    ----------
    folder
        CLIP folder or hub id, loaded offline by the library's own keyword tokenizer.
    count
        Pictures per view.
    seed
        Chooses the test pictures.

    Returns
    -------
    report
        For "view_0" and "all_views": ``top5_precision`` (share of the five words that hold; a
        plain picture has four true words, so 1.0 cannot be reached: ``best_possible`` says how
        much can), ``recall`` (share of the true words of each kind that are among the five),
        ``precision`` (share of the words of each kind among the five that hold) and
        ``distractors`` (share of the five words that are distractors).
    """
    clip = KeywordTokenizer(str(folder), [*WORDS, *DISTRACTORS])
    views: list[list[tuple[Look, list[str]]]] = []
    for view in range(3):
        looks, pictures = zip(*held_out_pictures(count, view, seed), strict=True)
        top = clip.keywords(pictures, TOP)
        views.append([(a, [k.word for k in b]) for a, b in zip(looks, top, strict=True)])
    return {
        "dictionary": {"labels": len(WORDS), "distractors": len(DISTRACTORS)},
        "prompt": clip.prompt,
        "pictures_per_view": count,
        "seed": seed,
        "view_0": score(views[0]),
        "all_views": score([answer for answers in views for answer in answers]),
    }


def score(answers: Sequence[tuple[Look, Sequence[str]]]) -> dict[str, Any]:
    """Compare the words given for each look with those that are true of it.

    >>> look = Look("mug", "blue", "red", "striped", "tall")
    >>> score([(look, ["mug", "blue", "tall", "kite", "guitar"])])["top5_precision"]
    0.6
    """
    kinds = ("product", "colour", "accent", "pattern", "shape")
    asked, found = dict.fromkeys(kinds, 0), dict.fromkeys(kinds, 0)
    given, right = dict.fromkeys(LABELS, 0), dict.fromkeys(LABELS, 0)
    possible = 0
    for look, words in answers:
        truth = true_words(look)
        possible += len(truth)
        for kind in kinds:
            word = getattr(look, kind)
            if kind != "accent" or look.pattern != "plain":
                asked[kind] += 1
                found[kind] += word in words
        for word in words:
            if word in KIND:
                given[KIND[word]] += 1
                right[KIND[word]] += word in truth
    spoken = TOP * len(answers)
    return {
        "top5_precision": _share(sum(right.values()), spoken),
        "best_possible": _share(possible, spoken),
        "recall": {kind: _share(found[kind], asked[kind]) for kind in kinds},
        "precision": {kind: _share(right[kind], given[kind]) for kind in LABELS},
        "distractors": _share(spoken - sum(given.values()), spoken),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
