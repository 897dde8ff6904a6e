"""Build the feature table, and encode new items in the same way.

A slot holds one embedding. An item has one slot per sentence of its text and one per image. The
keywords of an image form a sentence, which the text encoder reads like any other.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from msm4sr_lite.config import FeatureConfig, UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.dataset.image_names import ImageError
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.features.embedding_cache import EmbeddingCache, content_key
from msm4sr_lite.features.image_keywords import image_stamp
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.sentences import text_slots
from msm4sr_lite.features.table_files import write_table
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.progress import bar
from msm4sr_lite.store.fingerprint import fingerprint, require_same, versions

_BLOCK = 2048  # number of new sentences that are sorted by length and stored together


FILLING = ("max_sentences", "image_slots", "text_units")  # settings that decide what fills slots


class ItemSentences(NamedTuple):
    """The sentences for the slots of one item: those of its text, and those of its images."""

    item_id: str
    text: list[str]
    image: list[str]


def slot_sentences(
    items: Iterable[Item],
    keywords: Mapping[str, Sequence[Sequence[str]]],
    max_sentences: int = 10,
    image_slots: Literal["images", "keywords"] = "images",
    text_units: Literal["sentences", "whole"] = "sentences",
) -> list[ItemSentences]:
    """Return the sentences for the slots of each item.

    Parameters
    ----------
    items
        The items.
    keywords
        ``item_id ->`` the keywords of each of its images.
    max_sentences
        Maximum number of sentences of an item's text.
    image_slots
        The sentence of an image slot; see ``image_sentences``.
    text_units
        Whether each sentence fills a text slot, or all of them one; see ``text_slots``.
    """
    return [
        ItemSentences(
            item.item_id,
            text_slots(item, max_sentences, text_units),
            image_sentences(keywords.get(item.item_id, []), image_slots),
        )
        for item in items
    ]


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


def content_hash(sentences: Iterable[ItemSentences]) -> str:
    """Return a short hash of all sentences and of the items that they belong to."""
    digest = hashlib.sha256()
    for slots in sentences:
        digest.update(json.dumps(slots).encode())
    return digest.hexdigest()[:16]


def hash_sources(item: Item, image_root: Path, max_images: int) -> list[str]:
    """Return short hashes of an item's text and of its images, by which changes are noticed.

    Of the images, names and sizes in bytes are compared; if a file is missing, the hash is empty.
    """
    texts = [item.title, item.brand, item.categories, item.description, item.text]
    stamps = [(name, image_stamp(image_root, name)) for name in item.images[:max_images]]
    if not all(stamp for _, stamp in stamps):
        return [fingerprint(texts), ""]
    return [fingerprint(texts), fingerprint([(name, stamp[0]) for name, stamp in stamps if stamp])]


def encode_slots(
    groups: Sequence[Sequence[str]],
    encoder: TextEncoder,
    advance: Callable[[int], object] = lambda count: None,
) -> Slots:
    """Encode some sentences per item in memory; the result begins with padding."""
    sentences = [sentence for group in groups for sentence in group]
    counts = np.array([0, *map(len, groups)], dtype=np.int64)
    return make_slots(encoder.encode(sentences, advance=advance), counts)


def make_features(
    folder: Path,
    sentences: Sequence[ItemSentences],
    encoder: TextEncoder,
    cache: EmbeddingCache,
    *,
    keywords: Path | None = None,
    manifest: dict[str, Any] | None = None,
    sources: Mapping[str, list[str]] | None = None,
    batch_size: int = 64,
) -> None:
    """Encode every sentence of a dataset and write the feature table, whole or not at all.

    New sentences are encoded in the order given, block by block, and each block is stored at once.
    A resumed run therefore forms the same batches as an uninterrupted one, and its embeddings are
    the same to the last bit.

    Parameters
    ----------
    folder
        Where to write; ``load_feature_table`` opens it.
    sentences
        The sentences to encode.
    encoder
        Encoder of both text and keywords.
    cache
        Embeddings (float16) that this encoder has already computed; new ones are added.
    keywords
        The folder of the keywords, which are copied to ``folder``; None if there are no images.
    manifest
        Additions to the manifest, such as how the keywords were made.
    sources
        Item id -> hashes of its text and images, see ``hash_sources``; None if they are unknown.
    batch_size
        Number of sentences in one forward pass.
    """
    found = (sentence for slots in sentences for sentence in (*slots.text, *slots.image))
    new = [sentence for sentence in dict.fromkeys(found) if _key(sentence) not in cache]
    with bar(total=len(new), name="features", unit="sentence") as progress:
        for start in range(0, len(new), _BLOCK):
            block = new[start : start + _BLOCK]
            cache.add([*map(_key, block)], encoder.encode(block, batch_size, progress.update))

    def embeddings(groups: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        texts = [sentence for group in groups for sentence in group]
        for start in range(0, len(texts), _BLOCK):
            yield cache.read([*map(_key, texts[start : start + _BLOCK])])

    description = encoder.describe()
    record = {
        "width": encoder.width,
        "text_encoder": description,
        "keywords": {},
        "content": fingerprint([content_hash(sentences), description]),
        "n_items": len(sentences),
        "versions": versions("torch", "transformers", "tokenizers"),
    }
    parts = {}
    for name in ("text", "image"):
        groups = [getattr(slots, name) for slots in sentences]
        counts = np.array([*map(len, groups)], dtype=np.int32)
        record[f"without_{name}"] = int((counts == 0).sum())
        parts[name] = counts, embeddings(groups)
    copied = [keywords / n for n in ("keywords.jsonl", "dictionary.txt")] if keywords else []
    write_table(
        folder,
        [slots.item_id for slots in sentences],
        parts,
        record | (manifest or {}),
        {file.name: file.read_text(encoding="utf-8") for file in copied if file.is_file()},
        sources,
    )


def _key(sentence: str) -> bytes:
    return content_key(sentence.encode())


def encode_new_items(
    items: Sequence[Item],
    image_root: Path,
    encoder: TextEncoder,
    tokenizer: KeywordTokenizer | None,
    manifest: dict[str, Any],
) -> tuple[FeatureTable, dict[str, list[list[str]]]]:
    """Encode items that were added after a feature table was made.

    Parameters
    ----------
    items
        The new items.
    image_root
        The folder that their images are named relative to.
    encoder
        The text encoder of the existing table.
    tokenizer
        The keyword tokenizer of the existing table; None if no item has an image.
    manifest
        The existing table's manifest, with the encoders and the numbers of keywords and sentences.

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
    differs, remedy = "differs from that of the features", "use the same encoder for new items"
    table_encoder = manifest.get("text_encoder", {})
    require_same(f"the text encoder {differs}", encoder.describe(), table_encoder, remedy)
    limit = made_by.get("max_images", default.max_images)
    images = [(item.item_id, name) for item in items for name in item.images[:limit]]
    keywords: dict[str, list[list[str]]] = {}
    if images:
        if tokenizer is None:
            raise UserError(f"item {images[0][0]!r} has an image; give a keyword tokenizer")
        require_same(f"the keyword tokenizer {differs}", tokenizer.describe(), made_by, remedy)
        opened = []
        for item_id, name in images:
            try:
                opened.append(open_image(image_root, name))
            except ImageError as error:
                place = f"image names are relative to {image_root} (image_root)"
                raise UserError(f"item {item_id!r}: image {error}; {place}") from None
        best = tokenizer.keywords(opened, made_by.get("n_keywords", default.n_keywords))
        for (item_id, _), words in zip(images, best, strict=True):
            keywords.setdefault(item_id, []).append([keyword.word for keyword in words])
    filling = [manifest.get(s, getattr(default, s)) for s in FILLING]
    sentences = slot_sentences(items, keywords, *filling)
    ids = ["", *(item.item_id for item in items)]
    text = encode_slots([slots.text for slots in sentences], encoder)
    image = encode_slots([slots.image for slots in sentences], encoder)
    sources = {item.item_id: hash_sources(item, image_root, limit) for item in items}
    return FeatureTable(ids, text, image, manifest, sources), keywords
