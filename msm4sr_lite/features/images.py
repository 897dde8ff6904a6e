"""Open a picture as people have them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item

MAX_PIXELS = 64_000_000
MAX_ASPECT = 20
# What shops have. EPS and its like are left out: to draw them, Pillow starts another program.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# We refuse large pictures ourselves; what else Pillow finds odd is not the shop's business.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class ItemImages:
    """The pictures of a shop as pairs of item id and picture name, at most ``limit`` an item."""

    items: Collection[Item]
    limit: int

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for item in self.items:
            for name in item.images[: self.limit]:
                yield item.item_id, name

    def __len__(self) -> int:
        return sum(min(len(item.images), self.limit) for item in self.items)


class ImageError(UserError):
    """One picture cannot be used; the others can."""


def open_image(folder: Path, name: str) -> Image.Image:
    """Open one picture of a shop as RGB: upright, transparency on white, the first of several.

    Of a picture more than 20 times as long as wide, the middle is taken: resized whole, it would
    be enormous.

    Raises
    ------
    PictureError
        If the file is missing, outside the folder, no picture, damaged, or has more than 64
        million pixels (refused before it is decoded).
    """
    if re.match(r"([a-z][a-z0-9+.-]*:)?//|data:", name, re.IGNORECASE):
        raise ImageError(f"{name[:200]}: a URL, not a file; download the picture into images/")
    try:
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ImageError(f"{name}: lies outside the shop folder; put it into images/")
        if path.is_dir():
            raise ImageError(f"{name}: a folder, not a picture; name a file in it")
        if path.exists() and not path.is_file():  # a pipe would wait for ever
            raise ImageError(f"{name}: not a regular file")
        with Image.open(path, formats=_formats()) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise ImageError(
                    f"{name}: {width} x {height} pixels are too many; scale it down to"
                    f" {MAX_PIXELS // 10**6} million"
                )
            return _as_rgb(_middle(_upright(picture)))
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except PermissionError:
        raise ImageError(f"{name}: may not be read; change the file's permissions") from None
    except UnidentifiedImageError:
        what = "not a picture, or damaged" if path.stat().st_size else "an empty file"
        raise ImageError(f"{name}: {what}; {', '.join(_FORMATS)} can be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{name}: too many pixels; scale it down") from None
    except Exception as error:  # decoders raise what they like at damaged files
        raise ImageError(f"{name}: cannot be decoded ({_first_line(error)})") from None


@cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]  # not all in every Pillow


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _upright(picture: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF data say; damaged EXIF data say nothing."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:
        picture.load()  # damaged pixels are another matter
        return picture


def _middle(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    short = MAX_ASPECT * min(width, height)
    if max(width, height) <= short:
        return picture
    left, top = max(0, width - short) // 2, max(0, height - short) // 2
    return picture.crop((left, top, left + min(width, short), top + min(height, short)))


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode[0] in "IF":  # 16 bits a pixel and more: Pillow would clip, not scale
        values = np.nan_to_num(np.asarray(picture, dtype=np.float64)).clip(min=0)
        most = values.max()
        top = 255 if most <= 255 else max(65535, most)
        picture = Image.fromarray((values / top * 255).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")
