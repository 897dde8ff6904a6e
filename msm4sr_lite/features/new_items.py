"""Encode new items from their texts and images as an existing feature table was made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from msm4sr_lite.config import FeatureConfig, UserError
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.provenance import describe_text_encoder, describe_tokenizer
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.features.table import image_sentences
from msm4sr_lite.store.fingerprint import first_difference

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Item
    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
    from msm4sr_lite.features.text_encoder import TextEncoder

_DECISIVE = ("weights", "pooling", "prompt", "threshold", "diversity", "dictionary")


def encode_new_items(
    items: Sequence[Item],
    image_root: Path,
    encoder: TextEncoder,
    tokenizer: KeywordTokenizer | None,
    manifest: dict[str, Any],
) -> tuple[FeatureTable, dict[str, list[list[str]]]]:
    """Encode items that came after a feature table was made.

    Parameters
    ----------
    items
        The new items.
    image_root
        The folder that their images are named relative to.
    encoder
        The text encoder of the existing table.
    tokenizer
        Its keyword tokenizer; None if no item has an image.
    manifest
        The existing table's manifest: numbers of keywords and sentences, and the encoders.

    Returns
    -------
    table
        Slots of the new items; entry i belongs to ``items[i - 1]``, entry 0 is padding.
    keywords
        ``item_id ->`` the keywords of each image, best first.

    Raises
    ------
    UserError
        If the encoders are not those of the table, an image cannot be opened, or there is an image
        and no tokenizer.
    """
    _require_same("text encoder", describe_text_encoder(encoder), manifest.get("text_encoder", {}))
    keywords = _keywords(items, image_root, tokenizer, manifest.get("keywords", {}))
    limit = manifest.get("max_sentences", FeatureConfig.max_sentences)
    filling = manifest.get("image_slots", FeatureConfig.image_slots)
    texts = [item_sentences(item, limit) for item in items]
    images = [image_sentences(keywords.get(item.item_id, []), filling) for item in items]
    names = ["", *(item.item_id for item in items)]
    return FeatureTable(names, _slots(texts, encoder), _slots(images, encoder), manifest), keywords


def _keywords(
    items: Sequence[Item],
    image_root: Path,
    tokenizer: KeywordTokenizer | None,
    made_by: dict[str, Any],
) -> dict[str, list[list[str]]]:
    limit = made_by.get("max_images", FeatureConfig.max_images)
    images = [(item.item_id, name) for item in items for name in item.images[:limit]]
    if not images:
        return {}
    if tokenizer is None:
        raise UserError(f"item {images[0][0]!r} has an image; give a keyword tokenizer")
    _require_same("keyword tokenizer", describe_tokenizer(tokenizer), made_by)
    opened = [open_image(image_root, name) for _, name in images]
    n = made_by.get("n_keywords", FeatureConfig.n_keywords)
    keywords: dict[str, list[list[str]]] = {}
    for (item_id, _), best in zip(images, tokenizer.keywords(opened, n), strict=True):
        keywords.setdefault(item_id, []).append([keyword.word for keyword in best])
    return keywords


def _slots(groups: Sequence[Sequence[str]], encoder: TextEncoder) -> Slots:
    embeddings = encoder.encode([sentence for group in groups for sentence in group])
    return make_slots(embeddings, np.array([0, *map(len, groups)], dtype=np.int64))


def _require_same(what: str, this: dict[str, Any], table: dict[str, Any]) -> None:
    """Compare what determines the embeddings, as far as the table's manifest names it."""
    if key := first_difference(_DECISIVE, this, table):
        raise UserError(
            f"the {what} differs from that of the features in {key} ({this[key]}, there"
            f" {table[key]}); new items must be encoded as the others were"
        )
