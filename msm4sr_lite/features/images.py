"""Open images of all common formats, and turn all images of a dataset into keywords.

An unusable image does not stop the others. An `ImageError` says in one line what is wrong with it.

CLIP turns every new image into an embedding, which takes most of the time. The embedding is kept in
an `EmbeddingCache` and compared with the dictionary. After a change of the dictionary, the prompt
or the number of keywords, CLIP therefore need not read the images again.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from msm4sr_lite.config import UserError
from msm4sr_lite.features.embedding_cache import EmbeddingCache, content_key
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.printable import first_line, reason_of

MAX_PIXELS = 64_000_000
MAX_ASPECT = 20
# EPS and similar formats are left out, since Pillow starts another program to draw them.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# Large images are refused below; Pillow's other warnings do not help the user.
warnings.filterwarnings("ignore", module=r"PIL\.")


class ImageError(UserError):
    """An image that cannot be used; other images are not affected."""


def open_image(root: Path, name: str) -> Image.Image:
    """Open an image as RGB: upright, with transparency on white, and only its first frame.

    If one side is more than 20 times the other, only the middle of the image is kept: resized as a
    whole, the image would be enormous.

    Parameters
    ----------
    root
        The folder that image names are relative to.
    name
        The image's path in it.

    Raises
    ------
    ImageError
        If the file is missing, outside the folder, not an image, damaged, or has more than 64
        million pixels (which is checked before decoding).
    """
    return _decode_image(_read_image(root, name), name)


def _read_image(root: Path, name: str) -> bytes:
    """Return the content of an image file in the folder ``root``."""
    if re.match(r"([a-z][a-z0-9+.-]*:)?//|data:", name, re.IGNORECASE):
        raise ImageError(f"{name[:200]}: a URL, not a file; download the image into images/")
    path = root / name
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            raise ValueError("lies outside the dataset folder; move it to images/")
        if path.exists() and not path.is_file():  # reading a pipe would never end
            raise ValueError("not a regular file; name an image file")
        return path.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: circular links
        raise ImageError(f"{name}: {reason_of(error)}") from None


def _decode_image(content: bytes, name: str) -> Image.Image:
    """Return the RGB image in the content of a file; ``name`` is for the messages."""
    try:
        with Image.open(io.BytesIO(content)) as image:  # reads the header only
            if image.format not in _FORMATS:
                raise UnidentifiedImageError
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{width} x {height}")
            return _as_rgb(_middle(_upright(image)))
    except UnidentifiedImageError:
        what = "not an image, or damaged" if content else "an empty file"
        raise ImageError(f"{name}: {what}; save it as one of {', '.join(_FORMATS)}") from None
    except Image.DecompressionBombError as error:
        most = f"at most {MAX_PIXELS // 10**6} million"
        raise ImageError(f"{name}: too many pixels ({error}); scale it down to {most}") from None
    except Exception as error:  # a damaged file can raise any exception
        raise ImageError(f"{name}: cannot be decoded ({first_line(error)}); replace it") from None


def _upright(image: Image.Image) -> Image.Image:
    """Apply the orientation in the EXIF data; ignore damaged EXIF data."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        image.load()  # raises if the pixels are also damaged
        return image


def _middle(image: Image.Image) -> Image.Image:
    """Crop an image with an extreme aspect ratio to its middle."""
    width, height = (min(side, MAX_ASPECT * min(image.size)) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":  # 16 bits per pixel or more, which Pillow would clip, not scale
        values = np.nan_to_num(np.asarray(image, dtype=np.float64)).clip(min=0)
        most = values.max()
        top = 255 if most <= 255 else max(65535, most)
        image = Image.fromarray((values / top * 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def extract_keywords(
    image_root: Path,
    images: Sequence[tuple[str, str]],
    tokenizer: KeywordTokenizer,
    n_keywords: int,
    cache: EmbeddingCache,
    *,
    batch_size: int = 64,
    workers: int = 2,
) -> Iterator[dict[str, Any]]:
    """Find the best keywords of each image, in the order given.

    The new images of a batch go through the model together, and their embeddings are stored at
    once. A resumed run therefore forms the same batches as an uninterrupted one, and its embeddings
    are the same to the last bit.

    Parameters
    ----------
    image_root
        The folder that image names are relative to.
    images
        Pairs of item id and image name.
    tokenizer
        The CLIP-like model with its dictionary.
    n_keywords
        N, number of keywords for one image.
    cache
        Embeddings (float32) that this model has already computed; new ones are added.
    batch_size
        Number of images in one forward pass.
    workers
        Threads that open and resize the next images while the model computes. Pillow and torch
        release Python's global lock while they work.

    Yields
    ------
    record
        ``item_id``, ``image``, ``keywords`` and ``scores``, best first. For an image that cannot
        be used: ``item_id``, ``image`` and ``reason``.
    """

    def opened(name: str) -> tuple[bytes, Mapping[str, Tensor] | None]:
        """Return the key of an image, and the model's input if the image is new."""
        content = _read_image(image_root, name)
        if (key := content_key(content)) in cache:
            return key, None
        image = _decode_image(content, name)
        try:
            return key, tokenizer.image_processor(images=[image], return_tensors="pt")
        except (ValueError, MemoryError) as error:
            raise ImageError(f"{name}: cannot be resized ({error}); replace it") from None

    with ThreadPoolExecutor(workers) as pool:
        starts = range(0, len(images), batch_size)
        cut = (images[start : start + batch_size] for start in starts)
        batches = ([(*image, pool.submit(opened, image[1])) for image in part] for part in cut)
        # While a batch is used, the threads open the images of the next one.
        for batch, _ in pairwise(chain(batches, [[]])):
            usable: list[tuple[str, str, bytes]] = []
            new: dict[bytes, Mapping[str, Tensor]] = {}
            for item_id, name, job in batch:
                try:
                    key, inputs = job.result()
                except ImageError as error:
                    yield {"item_id": item_id, "image": name, "reason": str(error)}
                    continue
                usable.append((item_id, name, key))
                if inputs is not None and key not in cache:
                    new[key] = inputs
            if new:
                first = next(iter(new.values()))
                joined = {name: torch.cat([one[name] for one in new.values()]) for name in first}
                cache.add(list(new), tokenizer.encode(joined).cpu().numpy())
            if usable:
                embeddings = torch.from_numpy(cache.read([key for *_, key in usable]))
                best = tokenizer.choose(embeddings, n_keywords)
                for (item_id, name, _), keywords in zip(usable, best, strict=True):
                    yield {
                        "item_id": item_id,
                        "image": name,
                        "keywords": [keyword.word for keyword in keywords],
                        "scores": [round(keyword.score, 4) for keyword in keywords],
                    }
