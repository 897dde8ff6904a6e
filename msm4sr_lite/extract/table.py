"""Encode a whole shop: every sentence and every picture's keywords become slots."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from typing import Any, Literal

import numpy as np

from msm4sr_lite.extract.provenance import describe_text_encoder
from msm4sr_lite.features import FeatureTable, TextEncoder, item_sentences, make_slots
from msm4sr_lite.shop import Item


def make_features(
    items: Sequence[Item],
    keywords: dict[str, list[list[str]]],
    encoder: TextEncoder,
    *,
    sentences: int = 10,
    image_slots: Literal["pictures", "words"] = "pictures",
    record: dict[str, Any] | None = None,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> FeatureTable:
    """Encode every item's sentences and keyword sentences.

    Parameters
    ----------
    items
        The shop's items.
    keywords
        ``item_id ->`` the words of each of its pictures, best first.
    encoder
        Reads both.
    sentences
        Text slots kept per item.
    image_slots
        What fills an image slot; see ``image_sentences``.
    record
        What the manifest should say about the keywords.
    """
    texts = [item_sentences(item, sentences) for item in items]
    pictures = [image_sentences(keywords.get(item.item_id, []), image_slots) for item in items]
    flat = [s for group in texts for s in group] + [s for group in pictures for s in group]
    vectors = encoder.encode(flat, progress=progress)
    n_text = sum(map(len, texts))
    text, image = (
        make_slots(block, np.array([0, *map(len, groups)], dtype=np.int64))
        for block, groups in ((vectors[:n_text], texts), (vectors[n_text:], pictures))
    )
    manifest = {
        "format": 1,
        "width": encoder.width,
        "text_encoder": describe_text_encoder(encoder),
        "keywords": record or {},
        "max_sentences": sentences,
        "image_slots_hold": image_slots,
        "content": content_hash(items, keywords, image_slots),
        "items": len(items),
        "without_text": sum(not group for group in texts),
        "without_picture": sum(not group for group in pictures),
        "text_slots": n_text,
        "image_slots": len(flat) - n_text,
        "versions": {name: metadata.version(name) for name in ("torch", "transformers")},
    }
    return FeatureTable(["", *(item.item_id for item in items)], text, image, manifest)


def image_sentences(
    pictures: Sequence[Sequence[str]], image_slots: Literal["pictures", "words"]
) -> list[str]:
    """Return what BERT reads for an item's pictures: each one's keywords together, or each word.

    >>> image_sentences([["red", "cup"], ["red", "lid"]], "pictures")
    ['red cup', 'red lid']
    >>> image_sentences([["red", "cup"], ["red", "lid"]], "words")
    ['red', 'cup', 'red', 'lid']
    """
    if image_slots == "words":
        return [word for words in pictures for word in words]
    return [" ".join(words) for words in pictures]


def content_hash(
    items: Sequence[Item],
    keywords: dict[str, list[list[str]]],
    image_slots: Literal["pictures", "words"] = "pictures",
) -> str:
    """Return a short hash of every sentence and keyword that goes into a table."""
    digest = hashlib.sha256(b"" if image_slots == "pictures" else image_slots.encode())
    for item in items:
        digest.update(json.dumps([item.item_id, item_sentences(item, 10**6)]).encode())
        digest.update(json.dumps(keywords.get(item.item_id, [])).encode())
    return digest.hexdigest()[:16]
