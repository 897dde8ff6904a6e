"""Turn all images of a dataset into keywords. One unusable image does not stop the others.

First, CLIP turns every new image into an embedding. This takes the time, and the result is kept in
an `EmbeddingCache`. Then every embedding is compared with the dictionary. So after a change of the
dictionary, the prompt or the number of keywords, CLIP need not read the images again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.features.embedding_cache import EmbeddingCache, content_key
from msm4sr_lite.features.images import ImageError, ItemImages, open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.prefetch import blocks, map_ahead
from msm4sr_lite.store.fingerprint import file_stamp

Inputs = dict[str, Tensor]  # what the image processor makes of one image, above all its pixels
WORKERS = 2
_BLOCK = 256  # images that are compared with the dictionary together


def extract_keywords(
    image_root: Path,
    images: ItemImages | Sequence[tuple[str, str]],
    tokenizer: KeywordTokenizer,
    n_keywords: int,
    cache: EmbeddingCache,
    *,
    batch_size: int = 64,
    workers: int = WORKERS,
) -> Iterator[dict[str, Any]]:
    """Find the best keywords of each image, in the order given.

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
        Embeddings (float32) that this model has computed already; new ones are added.
    batch_size
        Number of images in one forward pass.
    workers
        Threads that open and resize images while the model computes.

    Yields
    ------
    record
        First, for each image that was skipped: ``item_id``, ``image`` and ``reason``. Then, for
        each of the others: ``item_id``, ``image``, ``keywords`` and ``scores``, best first.
    """
    yield from encode_images(image_root, images, tokenizer, cache, batch_size, workers)
    yield from choose_keywords(images, tokenizer, n_keywords, cache)


def encode_images(
    image_root: Path,
    images: ItemImages | Sequence[tuple[str, str]],
    tokenizer: KeywordTokenizer,
    cache: EmbeddingCache,
    batch_size: int = 64,
    workers: int = WORKERS,
    advance: Callable[[int], object] = lambda count: None,
) -> Iterator[dict[str, Any]]:
    """Add the embeddings of all new images to ``cache``; yield a record for each unusable one.

    New images go through the model in the order given, and each batch is kept at once. So a run
    that resumes after a stop forms the same batches as one that was never stopped, and its
    embeddings are the same to the last bit. ``advance(n)`` is called when ``n`` more are done.
    """
    batch: dict[bytes, Inputs] = {}

    def flush() -> None:
        if batch:
            cache.add(list(batch), _encode(tokenizer, list(batch.values())))
            advance(len(batch))
            batch.clear()

    opener = _Opener(image_root, tokenizer, cache)
    for image in map_ahead(opener, images, workers, ahead=2 * batch_size):
        if not image.noted:
            cache.note_file(image.name, image.stamp, image.key)
        if image.key is None:
            yield {"item_id": image.item_id, "image": image.name, "reason": image.reason}
        elif image.inputs is not None and image.key not in batch and image.key not in cache:
            batch[image.key] = image.inputs
            if len(batch) == batch_size:
                flush()
            continue
        advance(1)
    flush()
    cache.commit()


def choose_keywords(
    images: ItemImages | Sequence[tuple[str, str]],
    tokenizer: KeywordTokenizer,
    n_keywords: int,
    cache: EmbeddingCache,
) -> Iterator[dict[str, Any]]:
    """Yield a record with the best keywords of each image whose embedding is in ``cache``."""
    for block in blocks(images, _BLOCK):
        keys = cache.file_keys(name for _, name in block)
        known = cache.read(keys.values())
        usable = [(item, name) for item, name in block if keys.get(name) in known]
        if not usable:
            continue
        embeddings = torch.from_numpy(np.stack([known[keys[name]] for _, name in usable]))
        chosen = tokenizer.choose(embeddings, n_keywords)
        for (item, name), keywords in zip(usable, chosen, strict=True):
            yield {
                "item_id": item,
                "image": name,
                "keywords": [keyword.word for keyword in keywords],
                "scores": [round(keyword.score, 4) for keyword in keywords],
            }


@dataclass(frozen=True)
class _Opened:
    """An image on its way: its key, and what CLIP reads if it is new; or why it is skipped."""

    item_id: str
    name: str
    stamp: tuple[int, int] | None = None
    key: bytes | None = None
    noted: bool = False
    inputs: Inputs | None = None
    reason: str = ""


class _Opener:
    """What the worker threads do to one image."""

    def __init__(self, root: Path, tokenizer: KeywordTokenizer, cache: EmbeddingCache) -> None:
        self.root, self.tokenizer, self.cache = root, tokenizer, cache
        self.resolved_root = root.resolve()

    def __call__(self, pair: tuple[str, str]) -> _Opened:
        item_id, name = pair
        stamp, key, noted = self._content(name)
        if key and key in self.cache:
            return _Opened(item_id, name, stamp, key, noted)
        try:
            image = open_image(self.root, name)
            inputs = dict(self.tokenizer.image_processor(images=[image], return_tensors="pt"))
        except ImageError as error:
            return _Opened(item_id, name, reason=str(error))
        except (ValueError, MemoryError) as error:
            return _Opened(item_id, name, reason=f"{name}: cannot be resized ({error})")
        if key is None:
            return _Opened(item_id, name, reason=f"{name}: changed while it was read; run again")
        return _Opened(item_id, name, stamp, key, noted, inputs)

    def _content(self, name: str) -> tuple[tuple[int, int] | None, bytes | None, bool]:
        """Return stamp and key of a file, and whether an earlier run has noted them.

        For anything but a readable file below the root it returns nothing: ``open_image`` says why.
        """
        path = self.root / name
        try:
            stamp = file_stamp(path)
            if stamp is None:
                return None, None, False
            if key := self.cache.file_key(name, stamp):
                return stamp, key, True
            if path.resolve().is_relative_to(self.resolved_root):
                return stamp, content_key(path.read_bytes()), False
        except OSError:
            pass
        return None, None, False


def _encode(tokenizer: KeywordTokenizer, inputs: list[Inputs]) -> np.ndarray:
    batch = {name: torch.cat([one[name] for one in inputs]) for name in inputs[0]}
    return tokenizer.encode(batch).cpu().numpy()
