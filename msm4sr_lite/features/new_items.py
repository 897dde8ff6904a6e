"""Features of new items from their texts and images, for ``Recommender.add_items``."""

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


def describe(
    items: Sequence[Item],
    folder: Path,
    encoder: TextEncoder,
    tokenizer: KeywordTokenizer | None,
    manifest: dict[str, Any],
) -> tuple[FeatureTable, dict[str, list[list[str]]]]:
    """Read items as those of a feature table were read.

    Parameters
    ----------
    items
        What is new.
    folder
        Where their pictures lie.
    encoder
        The text encoder of the table.
    tokenizer
        Its keyword tokenizer; None if no item has a picture.
    manifest
        The table's ``manifest``: how many words and sentences an item gets, and which encoders have
        read them.

    Returns
    -------
    table, keywords
        Slots of the new items, entry i for ``items[i - 1]``; and ``item_id ->`` the words of each
        picture.

    Raises
    ------
    UserError
        If the encoders are not those of the table, a picture cannot be read, or there is a picture
        and no tokenizer.
    """
    _require_same("text encoder", describe_text_encoder(encoder), manifest.get("text_encoder", {}))
    most = FeatureConfig.max_images
    pictures = [(item.item_id, name) for item in items for name in item.images[:most]]
    keywords: dict[str, list[list[str]]] = {}
    if pictures:
        if tokenizer is None:
            raise UserError(f"item {pictures[0][0]!r} has a picture; give a keyword tokenizer")
        made = manifest.get("keywords", {})
        _require_same("keyword tokenizer", describe_tokenizer(tokenizer), made)
        opened = [open_image(folder, name) for _, name in pictures]
        count = made.get("words", FeatureConfig.n_keywords)
        for (item_id, _), words in zip(pictures, tokenizer.keywords(opened, count), strict=True):
            keywords.setdefault(item_id, []).append([keyword.word for keyword in words])
    filling, limit = manifest.get("image_slots_hold", "images"), manifest.get("max_sentences", 10)
    texts = [item_sentences(item, limit) for item in items]
    images = [image_sentences(keywords.get(item.item_id, []), filling) for item in items]
    names = ["", *(item.item_id for item in items)]
    return FeatureTable(names, _slots(texts, encoder), _slots(images, encoder), manifest), keywords


def _slots(groups: Sequence[Sequence[str]], encoder: TextEncoder) -> Slots:
    vectors = encoder.encode([sentence for group in groups for sentence in group])
    return make_slots(vectors, np.array([0, *map(len, groups)], dtype=np.int64))


def _require_same(part: str, this: dict[str, Any], table: dict[str, Any]) -> None:
    """Compare what decides the vectors, where the table's manifest tells it."""
    decisive = ("weights", "pooling", "prompt", "threshold", "diversity", "dictionary")
    if key := first_difference(decisive, this, table):
        raise UserError(
            f"the {part} differs from the features' one in {key} ({this[key]}, there"
            f" {table[key]}); new items must be read as the others were"
        )
