"""Open images of all common formats, and say in one line why one cannot be used."""

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
from msm4sr_lite.features.pretrained import first_line

MAX_PIXELS = 64_000_000
MAX_ASPECT = 20
# Not EPS and similar formats: to draw them, Pillow starts another program.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# Large images are refused below; Pillow's other warnings do not help the user.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class ItemImages:
    """The images of items as pairs of item id and image name, at most ``limit`` per item."""

    items: Collection[Item]
    limit: int

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for item in self.items:
            for name in item.images[: self.limit]:
                yield item.item_id, name

    def __len__(self) -> int:
        return sum(min(len(item.images), self.limit) for item in self.items)


class ImageError(UserError):
    """One image cannot be used; the others can."""


def open_image(root: Path, name: str) -> Image.Image:
    """Open an image as RGB: upright, transparency on white, the first frame of several.

    An image that is more than 20 times as long as wide is cropped to its middle: resized whole, it
    would be enormous.

    Parameters
    ----------
    root
        The folder that image names are relative to.
    name
        The image's path in it.

    Raises
    ------
    ImageError
        If the file is missing, outside the folder, no image, damaged, or has more than 64 million
        pixels (refused before it is decoded).
    """
    if re.match(r"([a-z][a-z0-9+.-]*:)?//|data:", name, re.IGNORECASE):
        raise ImageError(f"{name[:200]}: a URL, not a file; download the image into images/")
    try:
        path = root / name
        if not path.resolve().is_relative_to(root.resolve()):
            raise ImageError(f"{name}: lies outside the dataset folder; put it into images/")
        if path.is_dir():
            raise ImageError(f"{name}: a folder, not an image; name a file in it")
        if path.exists() and not path.is_file():  # a pipe would wait for ever
            raise ImageError(f"{name}: not a regular file")
        with Image.open(path, formats=_formats()) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ImageError(
                    f"{name}: {width} x {height} pixels are too many; scale it down to at"
                    f" most {MAX_PIXELS // 10**6} million"
                )
            return _as_rgb(_middle(_upright(image)))
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except PermissionError:
        raise ImageError(f"{name}: permission denied; change the file's permissions") from None
    except UnidentifiedImageError:
        what = "not an image, or damaged" if path.stat().st_size else "an empty file"
        raise ImageError(f"{name}: {what}; {', '.join(_FORMATS)} can be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{name}: too many pixels; scale it down") from None
    except Exception as error:  # decoders raise anything at damaged files
        raise ImageError(f"{name}: cannot be decoded ({first_line(error)})") from None


@cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]  # not all in every Pillow


def _upright(image: Image.Image) -> Image.Image:
    """Apply the orientation in the EXIF data; ignore damaged EXIF data."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        image.load()  # raises if the pixels are damaged, too
        return image


def _middle(image: Image.Image) -> Image.Image:
    width, height = image.size
    short = MAX_ASPECT * min(width, height)
    if max(width, height) <= short:
        return image
    left, top = max(0, width - short) // 2, max(0, height - short) // 2
    return image.crop((left, top, left + min(width, short), top + min(height, short)))


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":  # 16 bits per pixel and more: Pillow would clip, not scale
        values = np.nan_to_num(np.asarray(image, dtype=np.float64)).clip(min=0)
        most = values.max()
        top = 255 if most <= 255 else max(65535, most)
        image = Image.fromarray((values / top * 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
