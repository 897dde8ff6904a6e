"""Build the feature table: every sentence and the keywords of every image become slots.

An item has one slot, an embedding, per sentence of its text, and one per image. An image enters as
the sentence of its keywords, which the text encoder reads like any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.embedding_cache import EmbeddingCache, content_key
from msm4sr_lite.features.prefetch import blocks
from msm4sr_lite.features.provenance import describe_text_encoder
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.features.table_files import FORMAT, iterate_keywords, write_table
from msm4sr_lite.store.fingerprint import fingerprint, versions

if TYPE_CHECKING:
    from msm4sr_lite.features.text_encoder import TextEncoder

_BLOCK = 2048  # new sentences that are sorted by length and stored together


class ItemSentences(NamedTuple):
    """What fills the slots of one item: the sentences of its text, and those of its images."""

    item_id: str
    text: list[str]
    image: list[str]


class Survey(NamedTuple):
    """Slots per item, ``(items,)``, and a short hash of all sentences."""

    text: np.ndarray
    image: np.ndarray
    content: str


@dataclass(frozen=True)
class DatasetSentences:
    """All sentences of a dataset. Each iteration makes them anew, so none need be kept in memory.

    Attributes
    ----------
    items
        The items.
    keywords
        The file ``keywords.jsonl``, its lines in the order of the items; None if there are no
        images.
    max_sentences
        Text slots per item, at most.
    image_slots
        What fills an image slot; see ``image_sentences``.
    """

    items: Collection[Item]
    keywords: Path | None = None
    max_sentences: int = 10
    image_slots: Literal["images", "keywords"] = "images"

    def __iter__(self) -> Iterator[ItemSentences]:
        records = iterate_keywords(self.keywords) if self.keywords else iter(())
        known = (record for record in records if record[0] in self.ids)
        next_id, next_images = next(known, ("", []))
        for item in self.items:
            images: list[list[str]] = []
            if item.item_id == next_id:
                images, (next_id, next_images) = next_images, next(known, ("", []))
            yield ItemSentences(
                item.item_id,
                item_sentences(item, self.max_sentences),
                image_sentences(images, self.image_slots),
            )
        if next_id:
            raise UserError(
                f"{self.keywords}: item {next_id!r} is in another order than in the dataset;"
                f" run `msm4sr keywords` again"
            )

    @cached_property
    def ids(self) -> dict[str, None]:
        """The item ids, in order."""
        return dict.fromkeys(item.item_id for item in self.items)

    @cached_property
    def survey(self) -> Survey:
        """Number of slots and hash of the sentences."""
        counts = np.zeros((2, len(self.items)), dtype=np.int32)
        digest = hashlib.sha256()
        for row, slots in enumerate(self):
            counts[:, row] = len(slots.text), len(slots.image)
            digest.update(json.dumps(slots).encode())
        return Survey(counts[0], counts[1], digest.hexdigest()[:16])


def image_sentences(
    images: Sequence[Sequence[str]], image_slots: Literal["images", "keywords"]
) -> list[str]:
    """Return the image sentences of an item: the keywords of each image together, or one by one.

    >>> image_sentences([["red", "cup"], ["red", "lid"]], "images")
    ['red cup', 'red lid']
    >>> image_sentences([["red", "cup"], ["red", "lid"]], "keywords")
    ['red', 'cup', 'red', 'lid']
    """
    if image_slots == "keywords":
        return [keyword for keywords in images for keyword in keywords]
    return [" ".join(keywords) for keywords in images]


def make_features(
    folder: Path,
    sentences: DatasetSentences,
    encoder: TextEncoder,
    cache: EmbeddingCache,
    *,
    manifest: dict[str, Any] | None = None,
    batch_size: int = 64,
    advance: Callable[[int], object] = lambda count: None,
) -> None:
    """Encode every sentence of a dataset and write the feature table, whole or not at all.

    Parameters
    ----------
    folder
        Where to write; ``load_feature_table`` opens it.
    sentences
        What to encode.
    encoder
        Encodes text and keywords alike.
    cache
        Embeddings (float16) that this encoder has computed already; new ones are added.
    manifest
        Additions to the manifest, such as how the keywords were made.
    batch_size
        Number of sentences in one forward pass.
    advance
        ``advance(n)`` is called when ``n`` more slots are done.
    """
    encode_sentences(_flat(sentences), encoder, cache, batch_size, advance)
    text = _embeddings((s for slots in sentences for s in slots.text), cache)
    image = _embeddings((s for slots in sentences for s in slots.image), cache)
    write_table(
        folder,
        list(sentences.ids),
        {"text": (sentences.survey.text, text), "image": (sentences.survey.image, image)},
        _manifest(sentences, encoder) | (manifest or {}),
        sentences.keywords,
    )


def _manifest(sentences: DatasetSentences, encoder: TextEncoder) -> dict[str, Any]:
    text, image, content = sentences.survey
    encoded_by = describe_text_encoder(encoder)
    return {
        "format": FORMAT,
        "width": encoder.width,
        "text_encoder": encoded_by,
        "keywords": {},
        "max_sentences": sentences.max_sentences,
        "image_slots": sentences.image_slots,
        "content": fingerprint([content, encoded_by]),
        "n_items": len(text),
        "without_text": int((text == 0).sum()),
        "without_image": int((image == 0).sum()),
        "n_text_slots": int(text.sum()),
        "n_image_slots": int(image.sum()),
        "versions": versions("torch", "transformers", "tokenizers"),
    }


def encode_sentences(
    sentences: Iterable[str],
    encoder: TextEncoder,
    cache: EmbeddingCache,
    batch_size: int = 64,
    advance: Callable[[int], object] = lambda count: None,
) -> None:
    """Add the embeddings of all new sentences to ``cache``.

    New sentences are taken in the order given, block by block, and each block is kept at once. So a
    run that resumes after a stop forms the same batches as one that was never stopped, and its
    embeddings are the same to the last bit.
    """
    block: dict[bytes, str] = {}

    def counted(starts: Iterable[int]) -> Iterator[int]:
        for start in starts:
            yield start
            advance(min(batch_size, len(block) - start))

    def flush() -> None:
        if block:
            cache.add(list(block), encoder.encode(list(block.values()), batch_size, counted))
            block.clear()

    for sentence in sentences:
        key = content_key(sentence.encode())
        if key in block or key in cache:
            advance(1)
            continue
        block[key] = sentence
        if len(block) == _BLOCK:
            flush()
    flush()


def _flat(sentences: Iterable[ItemSentences]) -> Iterator[str]:
    for slots in sentences:
        yield from slots.text
        yield from slots.image


def _embeddings(sentences: Iterable[str], cache: EmbeddingCache) -> Iterator[np.ndarray]:
    for block in blocks(sentences, _BLOCK):
        keys = [content_key(sentence.encode()) for sentence in block]
        known = cache.read(keys)
        yield np.stack([known[key] for key in keys])
