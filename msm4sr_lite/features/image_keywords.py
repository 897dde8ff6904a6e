"""Turn all pictures of a shop into keywords. One bad picture stops no other.

First every new picture becomes a vector of CLIP's (this takes the time, and is kept in a
`VectorCache`), then every vector is compared with the dictionary. So another dictionary, prompt or
number of words needs no picture again.
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
from msm4sr_lite.store.fingerprint import stamp as stamp_of

Inputs = dict[str, Tensor]  # what the processor makes of one picture, above all its pixels
WORKERS = 2
_BLOCK = 256  # pictures whose words are looked for together


def extract_keywords(
    folder: Path,
    pictures: ItemImages | Sequence[tuple[str, str]],
    tokenizer: KeywordTokenizer,
    words: int,
    cache: EmbeddingCache,
    *,
    batch_size: int = 64,
    workers: int = WORKERS,
) -> Iterator[dict[str, Any]]:
    """Turn pictures into their best words, kept in the order given.

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
    cache
        Vectors of this model that are known already (float32); new ones are added.
    batch_size
        Pictures that go through the model together.
    workers
        Threads that open and resize pictures while the model works.

    Yields
    ------
    record
        First, for each picture that was skipped, ``item_id``, ``image`` and ``reason``. Then, for
        each of the others, ``item_id``, ``image``, ``words`` and ``scores``, best first.
    """
    yield from encode_images(folder, pictures, tokenizer, cache, batch_size, workers)
    yield from choose_words(pictures, tokenizer, words, cache)


def encode_images(
    folder: Path,
    pictures: ItemImages | Sequence[tuple[str, str]],
    tokenizer: KeywordTokenizer,
    cache: EmbeddingCache,
    batch_size: int = 64,
    workers: int = WORKERS,
    advance: Callable[[int], object] = lambda count: None,
) -> Iterator[dict[str, Any]]:
    """Put the vectors of all new pictures into ``cache``; yield a record for each unusable one.

    New pictures go through the model in the order given, and each batch is kept at once. So a run
    that goes on after a stop forms the same batches as one that was never stopped, and its vectors
    are the same to the last bit. ``advance`` is told how many more pictures are done.
    """
    batch: dict[bytes, Inputs] = {}

    def flush() -> None:
        if batch:
            cache.add(list(batch), _vectors(tokenizer, list(batch.values())))
            advance(len(batch))
            batch.clear()

    opener = _Opener(folder, tokenizer, cache)
    for seen in map_ahead(opener, pictures, workers, ahead=2 * batch_size):
        if not seen.noted:
            cache.note_file(seen.name, seen.stamp, seen.key)
        if seen.key is None:
            yield {"item_id": seen.item_id, "image": seen.name, "reason": seen.reason}
        elif seen.inputs is not None and seen.key not in batch and seen.key not in cache:
            batch[seen.key] = seen.inputs
            if len(batch) == batch_size:
                flush()
            continue
        advance(1)
    flush()
    cache.commit()


def choose_words(
    pictures: ItemImages | Sequence[tuple[str, str]],
    tokenizer: KeywordTokenizer,
    words: int,
    cache: EmbeddingCache,
) -> Iterator[dict[str, Any]]:
    """Yield a record with the ``words`` best words of each picture whose vector is in ``cache``."""
    for block in blocks(pictures, _BLOCK):
        keys = cache.file_keys(name for _, name in block)
        vectors = cache.read(keys.values())
        usable = [(item, name) for item, name in block if keys.get(name) in vectors]
        if not usable:
            continue
        rows = torch.from_numpy(np.stack([vectors[keys[name]] for _, name in usable]))
        for (item, name), found in zip(usable, tokenizer.choose(rows, words), strict=True):
            yield {
                "item_id": item,
                "image": name,
                "words": [keyword.word for keyword in found],
                "scores": [round(keyword.score, 4) for keyword in found],
            }


@dataclass(frozen=True)
class _Seen:
    """A picture on its way: its key, and what CLIP reads if it is new; or why it is skipped."""

    item_id: str
    name: str
    stamp: tuple[int, int] | None = None
    key: bytes | None = None
    noted: bool = False
    inputs: Inputs | None = None
    reason: str = ""


class _Opener:
    """What the workers do to one picture."""

    def __init__(self, folder: Path, tokenizer: KeywordTokenizer, cache: EmbeddingCache) -> None:
        self.folder, self.tokenizer, self.cache = folder, tokenizer, cache
        self.root = folder.resolve()

    def __call__(self, pair: tuple[str, str]) -> _Seen:
        item_id, name = pair
        stamp, key, noted = self._content(name)
        if key and key in self.cache:
            return _Seen(item_id, name, stamp, key, noted)
        try:
            picture = open_image(self.folder, name)
            inputs = dict(self.tokenizer.images(images=[picture], return_tensors="pt"))
        except ImageError as error:
            return _Seen(item_id, name, reason=str(error))
        except (ValueError, MemoryError) as error:
            return _Seen(item_id, name, reason=f"{name}: cannot be resized ({error})")
        if key is None:
            return _Seen(item_id, name, reason=f"{name}: changed while it was read; run again")
        return _Seen(item_id, name, stamp, key, noted, inputs)

    def _content(self, name: str) -> tuple[tuple[int, int] | None, bytes | None, bool]:
        """Return the stamp and the key of a file, and whether they were noted in an earlier run.

        Of what is no readable file of the shop nothing is returned: `open_picture` tells why.
        """
        path = self.folder / name
        try:
            stamp = stamp_of(path)
            if stamp is None:
                return None, None, False
            if key := self.cache.file_key(name, stamp):
                return stamp, key, True
            if path.resolve().is_relative_to(self.root):
                return stamp, content_key(path.read_bytes()), False
        except OSError:
            pass
        return None, None, False


def _vectors(tokenizer: KeywordTokenizer, inputs: list[Inputs]) -> np.ndarray:
    batch = {name: torch.cat([one[name] for one in inputs]) for name in inputs[0]}
    return tokenizer.encode(batch).cpu().numpy()
