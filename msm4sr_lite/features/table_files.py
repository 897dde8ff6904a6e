"""Read and write feature tables and keywords.

A feature folder holds

``items.json``
    the item ids, a list;
``text.npy``, ``image.npy``
    the embeddings of all slots, float16 ``(slots, D)``, item after item;
``text_counts.npy``, ``image_counts.npy``
    the number of slots of each item, int32 ``(items + 1,)``, first 0 for the padding;
``keywords.jsonl``
    the keywords of each image that the image slots were made from;
``dictionary.txt``
    the candidate keywords, where they are known, one per line;
``manifest.json``
    how the table was made.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.features.pretrained import first_line
from msm4sr_lite.store.files import whole_folder, write_json, write_text

FORMAT = 2
DICTIONARY = "dictionary.txt"
Modalities = Mapping[str, tuple[np.ndarray, Iterable[np.ndarray]]]


def load_feature_table(folder: str | Path) -> FeatureTable:
    """Open a feature table; the embeddings stay on disk until they are used.

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
    try:
        items = ["", *json.loads((folder / "items.json").read_text(encoding="utf-8"))]
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if (found := manifest.get("format", FORMAT)) != FORMAT:
            age = "a newer" if found > FORMAT else "an older"
            raise ValueError(f"format {found}, of {age} version of the library")
        text, image = (_load_slots(folder, name, len(items)) for name in ("text", "image"))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder}: not a feature table ({first_line(error)}); make one with `msm4sr features`"
        ) from None
    return FeatureTable(items, text, image, manifest)


def _load_slots(folder: Path, name: str, size: int) -> Slots:
    embeddings = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
    counts = np.load(folder / f"{name}_counts.npy", allow_pickle=False).astype(np.int64)
    if len(counts) != size or counts.sum() != len(embeddings):
        raise ValueError(f"{name}.npy does not fit items.json")
    return make_slots(embeddings, counts)


def write_table(
    folder: Path,
    items: Sequence[str],
    modalities: Modalities,
    manifest: dict[str, Any],
    keywords: Path | None = None,
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
        as float16 blocks ``(slots of the block, D)``, which need not fit into memory together.
    manifest
        How the table was made; ``width`` is D.
    keywords
        The ``keywords.jsonl`` it was made from, to keep a copy; None if there are no images.
    """
    with whole_folder(folder) as draft:
        if keywords:
            shutil.copyfile(keywords, draft / "keywords.jsonl")
            if (words := keywords.with_name(DICTIONARY)).is_file():
                shutil.copyfile(words, draft / DICTIONARY)
        else:
            (draft / "keywords.jsonl").touch()
        for name, (counts, blocks) in modalities.items():
            np.save(draft / f"{name}_counts.npy", np.insert(counts, 0, 0).astype(np.int32))
            shape = (int(counts.sum()), manifest["width"])
            header = {"descr": "<f2", "fortran_order": False, "shape": shape}
            with (draft / f"{name}.npy").open("wb") as stream:
                np.lib.format.write_array_header_1_0(stream, header)
                for block in blocks:
                    stream.write(block.astype("<f2").tobytes())
        (draft / "items.json").write_text(json.dumps(items), encoding="utf-8", newline="\n")
        write_json(draft / "manifest.json", manifest)


def read_keywords(folder: str | Path) -> dict[str, list[list[str]]]:
    """Read ``keywords.jsonl`` of a feature folder or of the stage ``keywords``.

    Returns
    -------
    keywords
        ``item_id ->`` the keywords of each of its images, best first.
    """
    found: dict[str, list[list[str]]] = {}
    for item_id, images in iterate_keywords(Path(folder) / "keywords.jsonl"):
        found.setdefault(item_id, []).extend(images)
    return found


def iterate_keywords(path: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield item ids with the keywords of each of their images, in the order of the file."""
    try:
        with path.open(encoding="utf-8") as stream:
            records = map(json.loads, stream)
            for item_id, images in groupby(records, key=lambda record: record["item_id"]):
                yield item_id, [[*map(str, image["keywords"])] for image in images]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: cannot be read ({first_line(error)}); make it with `msm4sr keywords`"
        ) from None


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> int:
    """Write records as JSON lines and return their number."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for record in records:
            count += 1
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    return count


def save_feature_table(
    folder: Path,
    table: FeatureTable,
    keywords: dict[str, list[list[str]]],
    dictionary: Sequence[str] = (),
) -> None:
    """Write a feature table that is in memory, with its keywords and their dictionary."""
    folder.mkdir(parents=True, exist_ok=True)
    records = (
        {"item_id": item, "keywords": words}
        for item in table.items[1:]
        for words in keywords.get(item, [])
    )
    parts = {
        name: (slots.counts.numpy()[1:].astype(np.int32), _item_blocks(slots))
        for name, slots in (("text", table.text), ("image", table.image))
    }
    write_table(folder, table.items[1:], parts, table.manifest)
    write_records(folder / "keywords.jsonl", records)
    if dictionary:
        write_text(folder / DICTIONARY, "".join(f"{word}\n" for word in dictionary))


def _item_blocks(slots: Slots) -> Iterator[np.ndarray]:
    """Yield the embeddings of one item after the other."""
    for start, count in zip(slots.starts[1:].tolist(), slots.counts[1:].tolist(), strict=True):
        yield slots.vectors[start : start + count].numpy()


def read_dictionary_file(folder: Path) -> list[str]:
    """Return the candidate keywords that a feature folder was made with; empty if unknown."""
    path = folder / DICTIONARY
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
