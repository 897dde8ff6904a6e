"""Read and write feature tables and keywords.

A feature folder holds

``items.json``
    the item ids, a list;
``text.npy``, ``image.npy``
    the embeddings of all slots, float16 ``(slots, D)``, item after item;
``text_counts.npy``, ``image_counts.npy``
    the number of slots of each item, int32 ``(items + 1,)``; the first entry is 0 for padding;
``keywords.jsonl``
    the keywords of each image, from which the image slots were made;
``dictionary.txt``
    the candidate keywords, one per line, if they are known;
``manifest.json``
    how the table was made.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.features.pretrained import first_line
from msm4sr_lite.store.files import whole_folder, write_json

FORMAT = 2


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
            raise ValueError(f"format {found}, but this version of the library reads {FORMAT}")
        text, image = (_load_slots(folder, name, len(items)) for name in ("text", "image"))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{folder}: not a feature table ({first_line(error)}); compute the features again"
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
    modalities: Mapping[str, tuple[np.ndarray, Iterable[np.ndarray]]],
    manifest: dict[str, Any],
    files: Mapping[str, str] | None = None,
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
    """
    with whole_folder(folder) as draft:
        texts = {"keywords.jsonl": "", "items.json": json.dumps(items), **(files or {})}
        for name, text in texts.items():
            (draft / name).write_text(text, encoding="utf-8", newline="\n")
        for name, (counts, blocks) in modalities.items():
            np.save(draft / f"{name}_counts.npy", np.insert(counts, 0, 0).astype(np.int32))
            shape = (int(counts.sum()), manifest["width"])
            header = {"descr": "<f2", "fortran_order": False, "shape": shape}
            with (draft / f"{name}.npy").open("wb") as stream:
                np.lib.format.write_array_header_1_0(stream, header)
                for block in blocks:
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
    write_table(folder, table.items[1:], modalities, table.manifest, files)


def read_keywords(folder: str | Path) -> dict[str, list[list[str]]]:
    """Read ``keywords.jsonl`` of a feature folder or of the stage ``keywords``.

    Returns
    -------
    keywords
        ``item_id ->`` the keywords of each of its images, best first.
    """
    path = Path(folder) / "keywords.jsonl"
    found: dict[str, list[list[str]]] = {}
    try:
        with path.open(encoding="utf-8") as stream:
            for record in map(json.loads, stream):
                words = [*map(sys.intern, record["keywords"])]  # each word once in memory
                found.setdefault(record["item_id"], []).append(words)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: cannot be read ({first_line(error)}); compute the keywords first"
        ) from None
    return found


def read_dictionary_file(folder: Path) -> list[str]:
    """Return the candidate keywords that a feature folder was made with; empty if unknown."""
    path = folder / "dictionary.txt"
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def json_line(record: dict[str, Any]) -> str:
    """Return a record as a line of a JSON lines file."""
    return json.dumps(record, ensure_ascii=False) + "\n"
