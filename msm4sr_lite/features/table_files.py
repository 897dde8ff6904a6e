"""Read and write feature tables and keywords.

A feature folder holds

``items.json``
    the item ids, a list;
``sources.json``
    hashes of the text and images of each item, by which changes of the dataset are noticed;
``text.npy``, ``image.npy``
    the embeddings of all slots, float16 ``(slots, D)``, item after item;
``text_counts.npy``, ``image_counts.npy``
    the number of slots of each item, int32 ``(items + 1,)``; the first entry is 0 for padding;
``keywords.jsonl``
    the keywords of each image, from which the image slots were made;
``dictionary.txt``
    the candidate keywords, one per line, if they are known;
``manifest.json``
    how the table was made;
``SHA256SUMS``
    checksums of all these files.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, with_config
from typing_extensions import TypedDict

from msm4sr_lite.config import UserError
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.printable import first_line
from msm4sr_lite.store.checksums import reading, verify_folder
from msm4sr_lite.store.files import json_line, require_folder, whole_folder, write_json
from msm4sr_lite.store.schemas import (
    FORMAT,
    OPEN,
    FeatureManifest,
    ItemId,
    ItemIds,
    parse_json,
    read_json,
)

MODALITIES = ("text", "image")
ARRAYS = [f"{name}{part}.npy" for name in MODALITIES for part in ("", "_counts")]
FILES = ("manifest.json", "items.json", "sources.json", "keywords.jsonl", *ARRAYS)
REMEDY = "compute the features again"
BLOCK = 100_000  # embeddings checked at once
Sources = dict[str, tuple[str, str]]


@with_config(OPEN)
class ImageKeywords(TypedDict):
    """A line of ``keywords.jsonl``: the keywords of one image."""

    item_id: ItemId
    keywords: Annotated[list[str], Field(min_length=1)]


@with_config(OPEN)
class SkippedImage(TypedDict):
    """A line of ``skipped.jsonl``: an image that could not be used."""

    item_id: ItemId


def load_feature_table(folder: str | Path) -> FeatureTable:
    """Open a feature table; embeddings are mapped from disk.

    Parameters
    ----------
    folder
        A feature folder, as ``compute_features`` writes it.

    Raises
    ------
    UserError
        If the folder holds no feature table, its files do not fit together, or another version of
        the library wrote it.
    """
    folder = Path(folder)
    require_folder(folder, "the features")
    verify_folder(folder, FILES, REMEDY)
    manifest: dict[str, Any] = read_json(folder / "manifest.json", FeatureManifest, REMEDY)
    listed = read_json(folder / "items.json", ItemIds, REMEDY)
    sources = read_json(folder / "sources.json", Sources, REMEDY)
    try:
        if len(set(listed)) < len(listed):
            raise ValueError("items.json: an item id occurs twice")
        shape = len(listed) + 1, manifest["width"]
        text, image = (load_slots(folder, name, *shape) for name in MODALITIES)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder}: not a feature table ({first_line(error)}); {REMEDY}") from None
    return FeatureTable(["", *listed], text, image, manifest, sources)


def load_slots(folder: Path, name: str, size: int, width: int) -> Slots:
    """Open the embeddings of one modality; ``ValueError`` says what is wrong with its files."""
    embeddings = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
    counts = np.load(folder / f"{name}_counts.npy", allow_pickle=False)
    if embeddings.dtype != np.float16 or embeddings.shape[1:] != (width,):
        raise ValueError(f"{name}.npy is not a table of float16 of width {width}")
    if counts.dtype != np.int32 or counts.shape != (size,) or counts[0] or counts.min() < 0:
        raise ValueError(f"{name}_counts.npy does not fit items.json")
    counts = counts.astype(np.int64)
    if counts.sum() != len(embeddings):
        raise ValueError(f"{name}.npy does not fit {name}_counts.npy")
    for start in range(0, len(embeddings), BLOCK):
        if not np.isfinite(embeddings[start : start + BLOCK]).all():
            raise ValueError(f"{name}.npy has values that are not finite")
    return make_slots(embeddings, counts)


def write_table(
    folder: Path,
    items: Sequence[str],
    modalities: Mapping[str, tuple[np.ndarray, Iterable[np.ndarray]]],
    manifest: dict[str, Any],
    files: Mapping[str, str] | None = None,
    sources: Mapping[str, list[str]] | None = None,
) -> None:
    """Write a feature table as a folder, whole or not at all; ``load_feature_table`` opens it.

    Parameters
    ----------
    folder
        Where to write.
    items
        Item ids, without the padding.
    modalities
        For ``text`` and ``image``: slots per item ``(items,)``, and their embeddings in item order
        as float16 blocks ``(slots of the block, D)``. Only one block is in memory at a time.
    manifest
        How the table was made; ``width`` is D.
    files
        The contents of ``keywords.jsonl`` and ``dictionary.txt``, if there are any.
    sources
        Hashes of the items' texts and images, see ``FeatureTable``.
    """
    manifest = {**manifest, "format": FORMAT}
    with whole_folder(folder, checksums=True) as draft:
        texts = {"keywords.jsonl": "", "items.json": json.dumps(items), **(files or {})}
        texts["sources.json"] = json.dumps(sources or {})
        for name, text in texts.items():
            (draft / name).write_text(text, encoding="utf-8", newline="\n")
        for name, (counts, blocks) in modalities.items():
            np.save(draft / f"{name}_counts.npy", np.insert(counts, 0, 0).astype(np.int32))
            shape = (int(counts.sum()), manifest["width"])
            header = {"descr": "<f2", "fortran_order": False, "shape": shape}
            with (draft / f"{name}.npy").open("wb") as stream:
                np.lib.format.write_array_header_1_0(stream, header)
                for block in blocks:
                    if not np.isfinite(block).all():
                        raise UserError(
                            f"{folder}: the {name} encoder gives embeddings that are not finite in"
                            f" float16; use another one"
                        )
                    stream.write(block.astype("<f2").tobytes())
        write_json(draft / "manifest.json", manifest)


def save_feature_table(
    folder: Path,
    table: FeatureTable,
    keywords: Mapping[str, Sequence[Sequence[str]]],
    dictionary: Sequence[str] = (),
) -> None:
    """Write a feature table from memory, with its keywords and their dictionary."""
    files = {
        "keywords.jsonl": "".join(
            json_line({"item_id": item, "keywords": words})
            for item in table.items[1:]
            for words in keywords.get(item, [])
        )
    }
    if dictionary:
        files["dictionary.txt"] = "".join(f"{word}\n" for word in dictionary)
    modalities = {}
    for name, slots in (("text", table.text), ("image", table.image)):
        vectors, counts = slots.vectors.numpy(), slots.counts[1:].numpy()
        places = zip(slots.starts[1:].tolist(), counts.tolist(), strict=True)
        modalities[name] = counts, [vectors[start : start + count] for start, count in places]
    sources = {item: table.sources[item] for item in table.items if item in table.sources}
    manifest = {**table.manifest, "width": table.width}
    write_table(folder, table.items[1:], modalities, manifest, files, sources)


def read_keywords(folder: str | Path) -> dict[str, list[list[str]]]:
    """Read ``keywords.jsonl`` of a feature folder or of the stage ``keywords``.

    Returns
    -------
    keywords
        ``item_id ->`` the keywords of each of its images, best first.
    """
    path = Path(folder) / "keywords.jsonl"
    found: dict[str, list[list[str]]] = {}
    with reading(path, "compute the keywords first"), path.open("rb") as stream:
        for line in stream:
            record = parse_json(line, ImageKeywords)
            words = [*map(sys.intern, record["keywords"])]  # each word once in memory
            found.setdefault(record["item_id"], []).append(words)
    return found


def read_keyword_folder(folder: Path) -> tuple[dict[str, list[list[str]]], dict[str, Any]]:
    """Return the keywords of a folder ``keywords``, and how they were made.

    Raises
    ------
    UserError
        If there are none, or a file has changed since it was written.
    """
    require_folder(folder, "the keywords, or compute the keywords first")
    remedy = f"delete {folder} and compute the keywords again"
    verify_folder(folder, ("record.json", "keywords.jsonl", "skipped.jsonl"), remedy)
    read_dictionary_file(folder)  # it will be copied beside the features
    made_by: dict[str, Any] = read_json(folder / "record.json", dict[str, Any], remedy)
    made_by.pop("made_from", None)
    return read_keywords(folder), made_by


def read_skipped(folder: Path) -> set[str]:
    """Return the ids of items with an image that could not be used, from ``skipped.jsonl``."""
    path = folder / "skipped.jsonl"
    remedy = f"delete {folder} and compute the keywords again"
    with reading(path, remedy), path.open("rb") as stream:
        return {parse_json(line, SkippedImage)["item_id"] for line in stream}


def read_dictionary_file(folder: Path) -> list[str]:
    """Return the candidate keywords that a feature folder was made with; empty if unknown."""
    path = folder / "dictionary.txt"
    if not path.exists():
        return []
    with reading(path, REMEDY):
        return path.read_text(encoding="utf-8").splitlines()
