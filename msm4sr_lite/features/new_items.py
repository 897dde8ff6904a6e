"""Encode new items from their texts and images as an existing feature table was made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msm4sr_lite.config import FeatureConfig, UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.table import encode_slots, slot_sentences
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.store.fingerprint import first_difference

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
    default, made_by = FeatureConfig(), manifest.get("keywords", {})
    _require_same("text encoder", encoder, manifest.get("text_encoder", {}))
    limit = made_by.get("max_images", default.max_images)
    images = [(item.item_id, name) for item in items for name in item.images[:limit]]
    keywords: dict[str, list[list[str]]] = {}
    if images:
        if tokenizer is None:
            raise UserError(f"item {images[0][0]!r} has an image; give a keyword tokenizer")
        _require_same("keyword tokenizer", tokenizer, made_by)
        opened = [open_image(image_root, name) for _, name in images]
        best = tokenizer.keywords(opened, made_by.get("n_keywords", default.n_keywords))
        for (item_id, _), words in zip(images, best, strict=True):
            keywords.setdefault(item_id, []).append([keyword.word for keyword in words])
    sentences = slot_sentences(
        items,
        keywords,
        manifest.get("max_sentences", default.max_sentences),
        manifest.get("image_slots", default.image_slots),
    )
    ids = ["", *(item.item_id for item in items)]
    text, image = (encode_slots([slots[k] for slots in sentences], encoder) for k in (1, 2))
    return FeatureTable(ids, text, image, manifest), keywords


def _require_same(
    what: str, encoder: TextEncoder | KeywordTokenizer, table: dict[str, Any]
) -> None:
    """Compare what determines the embeddings, as far as the table's manifest names it."""
    this = encoder.describe()
    if key := first_difference(_DECISIVE, this, table):
        raise UserError(
            f"the {what} differs from that of the features in {key} ({this[key]}, there"
            f" {table[key]}); new items must be encoded as the others were"
        )
