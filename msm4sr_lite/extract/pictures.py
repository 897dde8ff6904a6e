"""Open the pictures of a shop and turn them into keywords. One bad picture stops no other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from msm4sr_lite.config import UserError
from msm4sr_lite.keywords import KeywordTokenizer

MAX_PIXELS = 64_000_000


class PictureError(UserError):
    """One picture cannot be used; the others can."""


def open_picture(folder: Path, name: str) -> Image.Image:
    """Open one picture of a shop as RGB, upright, transparency on white.

    Raises
    ------
    PictureError
        If the file is missing, outside the folder, no picture, damaged, or has more than 64
        million pixels (refused before it is decoded).
    """
    if re.match(r"[a-z][a-z0-9+.-]*://", name, re.IGNORECASE):
        raise PictureError(f"{name}: a URL, not a file; download the picture into images/")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PictureError(f"{name}: lies outside the shop folder; put it into images/")
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise PictureError(f"{name}: {width} x {height} pixels are too many; scale it down")
            return _as_rgb(ImageOps.exif_transpose(picture))
    except FileNotFoundError:
        raise PictureError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise PictureError(f"{name}: not a picture, or damaged") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{name}: too many pixels; scale it down") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError(f"{name}: cannot be decoded ({error})") from None


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel: Pillow would clip, not scale
        values = np.asarray(picture, dtype=np.float64)
        picture = Image.fromarray((values / max(255.0, values.max()) * 255).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


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
