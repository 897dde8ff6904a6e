"""Keywords of all pictures of a shop. One bad picture never stops the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from msm4sr_lite.keywords import KeywordTokenizer, PictureError, open_picture


@dataclass
class PictureKeywords:
    """What came out: one record per usable picture, and one per picture that was skipped."""

    found: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)


def extract_keywords(
    folder: Path,
    pictures: Iterable[tuple[str, str]],
    tokenizer: KeywordTokenizer,
    words: int,
    batch_size: int = 64,
) -> PictureKeywords:
    """Turn pictures into their best words.

    Parameters
    ----------
    folder
        The shop folder.
    pictures
        Pairs of item id and picture name.
    tokenizer
        The CLIP-like model with its dictionary.
    words
        N, words per picture.
    batch_size
        Pictures that go through the model together.
    """
    result = PictureKeywords()
    queue = iter(pictures)
    while batch := list(islice(queue, batch_size)):
        opened = []
        for item_id, name in batch:
            try:
                opened.append((item_id, name, open_picture(folder, name)))
            except PictureError as error:
                result.skipped.append({"item_id": item_id, "image": name, "reason": str(error)})
        if not opened:
            continue
        best = tokenizer.keywords([picture for *_, picture in opened], words)
        for (item_id, name, _), keywords in zip(opened, best, strict=True):
            result.found.append(
                {
                    "item_id": item_id,
                    "image": name,
                    "words": [keyword.word for keyword in keywords],
                    "scores": [round(keyword.score, 4) for keyword in keywords],
                }
            )
    return result
