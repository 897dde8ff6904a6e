"""Read a feature folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.features.pretrained import _first


def load_feature_table(folder: str | Path) -> FeatureTable:
    """Open a table that ``extract.table`` wrote; the vectors stay on disk until they are used.

    The folder holds ``items.json``, the item ids; for ``text`` and ``image``, ``<part>.npy``,
    float16 ``(slots, D)``, item after item, and ``<part>_counts.npy``, int32 ``(items + 1,)``,
    each item's number of them, first that of the padding, 0; and ``manifest.json``, how it was
    made.
    """
    folder = Path(folder)
    try:
        items = ["", *json.loads((folder / "items.json").read_text(encoding="utf-8"))]
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        text, image = (_load_slots(folder, name, len(items)) for name in ("text", "image"))
        if manifest.get("format", 1) != 1:
            raise ValueError(f"format {manifest['format']}, of a newer version of the library")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder}: not a feature table ({_first(error)}); make one with `msm4sr features`"
        ) from None
    return FeatureTable(items, text, image, manifest)


def _load_slots(folder: Path, name: str, size: int) -> Slots:
    vectors = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
    counts = np.load(folder / f"{name}_counts.npy", allow_pickle=False).astype(np.int64)
    if len(counts) != size or counts.sum() != len(vectors):
        raise ValueError(f"{name}.npy does not fit items.json")
    return make_slots(vectors, counts)


def read_keywords(folder: Path) -> dict[str, list[list[str]]]:
    """Read ``keywords.jsonl``: ``item_id ->`` the words of each picture, best first."""
    path = folder / "keywords.jsonl"
    found: dict[str, list[list[str]]] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            found.setdefault(record["item_id"], []).append(record["words"])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: cannot be read ({_first(error)}); make it with `msm4sr keywords`"
        ) from None
    return found
