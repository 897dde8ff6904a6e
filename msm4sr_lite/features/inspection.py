"""Check a feature table against its encoder and its dataset, and describe it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from msm4sr_lite.config import FeatureConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.device import resolve_device
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.sentences import text_slots
from msm4sr_lite.features.table import FILLING, encode_slots, hash_sources, slot_sentences
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.features.text_encoder import load_table_encoder
from msm4sr_lite.progress import bar
from msm4sr_lite.similarity import normalize

TOLERANCE = 1e-3  # embeddings of two machines may differ by this much
_BLOCK = 100_000  # embeddings in memory at once


def feature_folder(folder: str | Path) -> Path:
    """Return a feature folder itself, or the one in a run folder."""
    folder = Path(folder)
    return folder if (folder / "manifest.json").is_file() else folder / "features"


def check_features(
    dataset: Dataset, folder: str | Path, *, text_encoder: str | None = None, device: str = "cpu"
) -> dict[str, Any]:
    """Encode texts and stored keywords again, and compare them with the stored embeddings.

    Parameters
    ----------
    dataset
        The dataset that the table was made from.
    folder
        A feature folder, or a run folder that holds one.
    text_encoder
        Folder or hub id of the table's text encoder; None: where it was when the table was made.
    device
        ``auto``, ``cpu`` or ``cuda``.

    Returns
    -------
    report
        For ``text`` and ``image``: ``n_embeddings`` and ``largest_difference``.

    Raises
    ------
    UserError
        If items, texts or the text encoder have changed, or an embedding differs by more than 1e-3.
    """
    folder = feature_folder(folder)
    stored, again = load_feature_table(folder), "compute the features again"
    if gone := [item for item in stored.items[1:] if item not in dataset.items]:
        raise UserError(f"{folder}: item {gone[0]!r} is no longer in the dataset; {again}")
    items = [dataset.items[item] for item in stored.items[1:]]
    filling = {name: stored.manifest[name] for name in FILLING if name in stored.manifest}
    sentences = slot_sentences(items, read_keywords(folder), **filling)
    encoder = load_table_encoder(stored.manifest, resolve_device(device), text_encoder)
    report = {}
    for part in ("text", "image"):
        old, groups = getattr(stored, part), [getattr(slots, part) for slots in sentences]
        if old.counts[1:].tolist() != [*map(len, groups)]:
            raise UserError(f"{folder}: the dataset's {part} has changed since; {again}")
        total = len({sentence for group in groups for sentence in group})
        with bar(total=total, name=f"features: check {part}", unit="sentence") as progress:
            new = encode_slots(groups, encoder, progress.update)
        gaps = (old.vectors.float() - new.vectors.float()).abs()
        largest = float(gaps.max()) if gaps.numel() else 0.0
        if not largest <= TOLERANCE:
            problem = f"{part} embeddings differ by {largest:.1e}, more than {TOLERANCE:g}"
            raise UserError(f"{folder}: {problem}; {again} with this text encoder")
        report[part] = {"n_embeddings": len(old.vectors), "largest_difference": largest}
    return report


def report_features(table: FeatureTable) -> dict[str, Any]:
    """Describe a feature table: its size, how it was made, and how similar its embeddings are.

    Returns
    -------
    report
        ``n_items``, ``width``, the manifest's ``text_encoder`` and ``keywords``, and for each of
        ``text`` and ``image``:

        - ``n_slots``, ``items_without``: numbers of slots, and of items without any
        - ``mean_slots``, ``max_slots``: slots per item, for items that have any
        - ``n_distinct``: number of distinct embeddings
        - ``mean_cosine``: mean over all pairs of slots; None if there are fewer than two. A value
          far above 0 means that the embeddings are anisotropic: they point in similar directions.
    """
    manifest = table.manifest
    report: dict[str, Any] = {"n_items": len(table.items) - 1, "width": table.width}
    report |= {name: manifest.get(name, {}) for name in ("text_encoder", "keywords")}
    for name, slots in (("text", table.text), ("image", table.image)):
        counts, n = slots.counts[1:], len(slots.vectors)
        filled = counts[counts > 0].double()
        blocks = slots.vectors.split(_BLOCK)
        total = torch.stack([normalize(block).double().sum(dim=0) for block in blocks]).sum(dim=0)
        report[name] = {
            "n_slots": n,
            "items_without": len(counts) - len(filled),
            "mean_slots": float(filled.mean()) if len(filled) else 0.0,
            "max_slots": int(slots.counts.max()),
            "n_distinct": len(set(map(bytes, slots.vectors.numpy()))),
            # The squared sum of n unit vectors is the sum of all n² cosines; n of these are 1, the
            # cosines of the vectors with themselves.
            "mean_cosine": float((total @ total - n) / (n * (n - 1))) if n > 1 else None,
        }
    return report


def changed_items(
    dataset: Dataset, table: FeatureTable, item_ids: Iterable[str] | None = None
) -> list[str]:
    """Return the ids of items whose text or images differ from those that the table was made from.

    Parameters
    ----------
    dataset
        The dataset as it is now.
    table
        Features. Items for which it does not know the hashes of text and images count as unchanged.
    item_ids
        The items to check; None: all. Those that the dataset does not have are skipped.

    Returns
    -------
    item_ids
        Items with other texts or images, then items of which an image file is missing.
    """
    limit = table.manifest.get("keywords", {}).get("max_images", FeatureConfig.max_images)
    found, missing, compared = [], [], 0
    for item_id in dataset.items if item_ids is None else item_ids:
        item, known = dataset.items.get(item_id), table.sources.get(item_id)
        if item and known:
            now = hash_sources(item, dataset.image_root, limit)
            compared += known[1] != ""
            if now[0] != known[0] or (now[1] and known[1] and now[1] != known[1]):
                found.append(item_id)
            elif known[1] and not now[1]:
                missing.append(item_id)
    # Without any image file, the dataset is a copy without images.
    return found + missing if len(missing) < compared else found


def table_fits(dataset: Dataset, table: FeatureTable, *, images: bool = True) -> bool:
    """Return whether a table has every item of a dataset, with the same text and images.

    If the table does not know the hashes of an item, the item must have one text slot per sentence
    and, with ``images``, not more image slots than images.
    """
    if not dataset.items.keys() <= set(table.items) or changed_items(dataset, table):
        return False
    limit = table.manifest.get("max_sentences", FeatureConfig.max_sentences)
    units = table.manifest.get("text_units", FeatureConfig.text_units)
    images &= table.manifest.get("image_slots", "images") == "images"
    unknown = [item for key, item in dataset.items.items() if key not in table.sources]
    part = table.for_items(["", *(item.item_id for item in unknown)])
    counts = zip(unknown, part.text.counts[1:], part.image.counts[1:], strict=True)
    return all(
        n_text == len(text_slots(item, limit, units))
        and not (images and n_image > len(item.images))
        for item, n_text, n_image in counts
    )
