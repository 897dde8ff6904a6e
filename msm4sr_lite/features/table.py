"""Encode a whole shop: every sentence and every picture's keywords become slots."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.embedding_cache import EmbeddingCache, content_key
from msm4sr_lite.features.prefetch import blocks
from msm4sr_lite.features.provenance import describe_text_encoder
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.store.files import whole_folder, write_json
from msm4sr_lite.store.fingerprint import fingerprint, versions

if TYPE_CHECKING:
    from msm4sr_lite.features.text_encoder import TextEncoder

_BLOCK = 2048  # new sentences that are sorted by length and kept together


class ItemSentences(NamedTuple):
    """What fills the slots of one item: sentences of its text, and those of its pictures."""

    item_id: str
    text: list[str]
    image: list[str]


class Survey(NamedTuple):
    """Slots per item, ``(items,)``, and a short hash of all that goes into them."""

    text: np.ndarray
    image: np.ndarray
    content: str


@dataclass(frozen=True)
class DatasetSentences:
    """All sentences of a shop, read again each time they are asked for, so none need be kept.

    Attributes
    ----------
    items
        The shop's items.
    keywords
        The file ``keywords.jsonl``, its lines in the order of the items.
    limit
        Text slots per item.
    image_slots
        What fills an image slot; see ``image_sentences``.
    """

    items: Collection[Item]
    keywords: Path
    limit: int = 10
    image_slots: Literal["images", "keywords"] = "images"

    def __iter__(self) -> Iterator[ItemSentences]:
        groups = (group for group in _keyword_groups(self.keywords) if group[0] in self.ids)
        next_id, pictures = next(groups, ("", []))
        for item in self.items:
            own: list[list[str]] = []
            if item.item_id == next_id:
                own, (next_id, pictures) = pictures, next(groups, ("", []))
            image = image_sentences(own, self.image_slots)
            yield ItemSentences(item.item_id, item_sentences(item, self.limit), image)
        if next_id:
            raise UserError(
                f"{self.keywords}: item {next_id!r} stands in another order than in the shop;"
                f" run `msm4sr keywords` again"
            )

    @cached_property
    def ids(self) -> dict[str, None]:
        """The item ids, in order."""
        return dict.fromkeys(item.item_id for item in self.items)

    @cached_property
    def survey(self) -> Survey:
        """Count and hash everything once."""
        counts = np.zeros((2, len(self.items)), dtype=np.int32)
        digest = hashlib.sha256()
        for row, slots in enumerate(self):
            counts[:, row] = len(slots.text), len(slots.image)
            digest.update(json.dumps(slots).encode())
        return Survey(counts[0], counts[1], digest.hexdigest()[:16])


def image_sentences(
    pictures: Sequence[Sequence[str]], image_slots: Literal["images", "keywords"]
) -> list[str]:
    """Return what BERT reads for an item's pictures: each one's keywords together, or each word.

    >>> image_sentences([["red", "cup"], ["red", "lid"]], "images")
    ['red cup', 'red lid']
    >>> image_sentences([["red", "cup"], ["red", "lid"]], "keywords")
    ['red', 'cup', 'red', 'lid']
    """
    if image_slots == "keywords":
        return [word for words in pictures for word in words]
    return [" ".join(words) for words in pictures]


def _keyword_groups(path: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield item ids with the keywords of each of their pictures."""
    try:
        with path.open(encoding="utf-8") as stream:
            for item_id, lines in groupby(
                map(json.loads, stream), key=lambda line: line["item_id"]
            ):
                yield item_id, [[*map(str, line["words"])] for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error) or type(error).__name__
        raise UserError(
            f"{path}: cannot be read ({reason}); make it with `msm4sr keywords`"
        ) from None


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
    """Encode every sentence of a shop and write the feature table, whole or not at all.

    Parameters
    ----------
    folder
        Where the table goes; ``load_feature_table`` opens it.
    sentences
        What to encode.
    encoder
        Reads text and keywords alike.
    cache
        Vectors of this encoder that are known already (float16); new ones are added.
    manifest
        What the manifest should say besides, as how the keywords were made.
    batch_size
        Sentences that go through the model together.
    advance
        Is told how many more slots are done.
    """
    encode_sentences(_flat(sentences), encoder, cache, batch_size, advance)
    text, image, content = sentences.survey
    made_by = describe_text_encoder(encoder)
    facts = {
        "format": 1,
        "width": encoder.width,
        "text_encoder": made_by,
        "keywords": {},
        "max_sentences": sentences.limit,
        "image_slots_hold": sentences.image_slots,
        "content": fingerprint([content, made_by]),
        "items": len(text),
        "without_text": int((text == 0).sum()),
        "without_picture": int((image == 0).sum()),
        "text_slots": int(text.sum()),
        "image_slots": int(image.sum()),
        "versions": versions("torch", "transformers", "tokenizers"),
        **(manifest or {}),
    }
    write_table(
        folder,
        list(sentences.ids),
        {
            "text": (text, _rows((s for slots in sentences for s in slots.text), cache)),
            "image": (image, _rows((s for slots in sentences for s in slots.image), cache)),
        },
        facts,
        sentences.keywords,
    )


def encode_sentences(
    sentences: Iterable[str],
    encoder: TextEncoder,
    cache: EmbeddingCache,
    batch_size: int = 64,
    advance: Callable[[int], object] = lambda count: None,
) -> None:
    """Put the vectors of all new sentences into ``cache``.

    New sentences are taken in the order given, block by block, and each block is kept at once. So a
    run that goes on after a stop forms the same batches as one that was never stopped, and its
    vectors are the same to the last bit.
    """
    block: dict[bytes, str] = {}

    def ticking(steps: Iterable[int]) -> Iterator[int]:
        for step in steps:
            yield step
            advance(min(batch_size, len(block) - step))

    def flush() -> None:
        if block:
            rows = encoder.encode(list(block.values()), batch_size, progress=ticking)
            cache.add(list(block), rows)
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


def _rows(sentences: Iterable[str], cache: EmbeddingCache) -> Iterator[np.ndarray]:
    for block in blocks(sentences, _BLOCK):
        keys = [content_key(sentence.encode()) for sentence in block]
        known = cache.read(keys)
        yield np.stack([known[key] for key in keys])


def write_table(
    folder: Path,
    items: Sequence[str],
    parts: Mapping[str, tuple[np.ndarray, Iterable[np.ndarray]]],
    manifest: dict[str, Any],
    keywords: Path | None = None,
) -> None:
    """Write a feature table as a folder, whole or not at all; ``load_feature_table`` opens it.

    Parameters
    ----------
    folder
        Where it goes.
    items
        Item ids, without the padding.
    parts
        For ``text`` and ``image``: slots per item ``(items,)``, and their vectors in item order as
        float16 blocks ``(slots of the block, D)``, which need not fit into memory together.
    manifest
        How it was made; ``width`` is D.
    keywords
        The ``keywords.jsonl`` it was made from, to keep a copy.
    """
    with whole_folder(folder) as draft:
        if keywords:
            shutil.copyfile(keywords, draft / "keywords.jsonl")
        for name, (counts, rows) in parts.items():
            np.save(draft / f"{name}_counts.npy", np.insert(counts, 0, 0).astype(np.int32))
            shape = (int(counts.sum()), manifest["width"])
            header = {"descr": "<f2", "fortran_order": False, "shape": shape}
            with (draft / f"{name}.npy").open("wb") as stream:
                np.lib.format.write_array_header_1_0(stream, header)
                for block in rows:
                    stream.write(block.astype("<f2").tobytes())
        (draft / "items.json").write_text(json.dumps(items), encoding="utf-8", newline="\n")
        write_json(draft / "manifest.json", manifest)
