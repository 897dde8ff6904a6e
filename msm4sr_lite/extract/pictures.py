"""Open a picture as people have them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from msm4sr_lite.config import UserError

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
