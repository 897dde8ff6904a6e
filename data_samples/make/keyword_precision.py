"""Measure the keywords of a CLIP on drawings of held-out looks, whose true words are known.

python -m data_samples.make.keyword_precision data_samples/mini_clip
"""

from __future__ import annotations

import argparse
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from data_samples.make.drawing import Look, draw, save_png
from data_samples.make.labels import DISTRACTORS, LABELS, WORDS, random_look, true_words
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

TOP = 5
TEST_SEEDS = 1_000_000  # drawings for training use smaller seeds
KIND = {word: kind for kind, words in LABELS.items() for word in words}


def held_out_images(count: int, view: int, seed: int) -> list[tuple[Look, Image.Image]]:
    """Draw held-out looks, and read each image back from its PNG file."""
    rng = random.Random(f"test {seed} {view}")
    images = []
    for _ in range(count):
        look = random_look(rng, held_out=True)
        file = io.BytesIO()
        save_png(draw(look, view, TEST_SEEDS + rng.randrange(TEST_SEEDS)), file)
        images.append((look, Image.open(file).convert("RGB")))
    return images


def keyword_precision(folder: Path | str, count: int = 600, seed: int = 0) -> dict[str, Any]:
    """Measure the top-5 keywords of a CLIP folder on held-out drawings.

    Parameters
    ----------
    folder
        CLIP folder or hub id, loaded by the library's keyword tokenizer.
    count
        Images per view.
    seed
        Seed of the test images.

    Returns
    -------
    report
        For "view_0" and "all_views": ``top5_precision`` (share of the five words that are true; a
        plain image has four true words, so 1.0 cannot be reached: ``best_possible`` is the upper
        bound), ``recall`` (share of the true words of each kind that are among the five),
        ``precision`` (share of true ones among the words of each kind in the five) and
        ``distractors`` (share of distractors among the five).
    """
    clip = KeywordTokenizer(str(folder), [*WORDS, *DISTRACTORS])
    views: list[list[tuple[Look, list[str]]]] = []
    for view in range(3):
        looks, images = zip(*held_out_images(count, view, seed), strict=True)
        top = clip.keywords(images, TOP)
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
    total = TOP * len(answers)
    return {
        "top5_precision": _share(sum(right.values()), total),
        "best_possible": _share(possible, total),
        "recall": {kind: _share(found[kind], asked[kind]) for kind in kinds},
        "precision": {kind: _share(right[kind], given[kind]) for kind in LABELS},
        "distractors": _share(total - sum(given.values()), total),
    }


def _share(count: int, total: int) -> float:
    return round(count / total, 4) if total else 0.0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m data_samples.make.keyword_precision")
    parser.add_argument("clip", help="CLIP folder")
    print(json.dumps(keyword_precision(parser.parse_args().clip), indent=2))
