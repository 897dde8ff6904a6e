"""The dataset folder that a conversion makes, written row by row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, TypeVar

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert.images import ImageFolder
from msm4sr_lite.dataset.convert.records import Converter, Interaction, ItemRow, Skipped, Source
from msm4sr_lite.dataset.items import TEXT_FIELDS
from msm4sr_lite.progress import bar
from msm4sr_lite.store.files import whole_folder, write_json

T = TypeVar("T")

BLOCK = 4096  # rows held at once
MAX_IMAGES = 10  # of one item
RECORD = "converted.json"
WRITTEN = {"interactions.csv", "items.jsonl", "images", RECORD}


def write_dataset(
    converter: Converter,
    source: Source,
    out: Path,
    *,
    min_rating: float | None,
    copy_images: bool,
    force: bool,
) -> dict[str, Any]:
    """Write a dataset folder, completely or not at all; see ``convert_dataset``."""
    _require_writable(out, source, force)
    if source.items is None and source.images is None:
        raise UserError(
            f"{source.interactions}: no file of items beside it, so there is neither text nor"
            f" image; expected {converter.FILES}; name it with --items, or images with --images"
        )
    skipped = Skipped()
    images = ImageFolder(source.images) if source.images else None
    with whole_folder(out) as draft:
        with _new_file(draft / "items.jsonl") as stream:
            items = _ItemWriter(stream, draft / "images", images, copy_images)
            for rows in _blocks(bar(converter.items(source, skipped), name="items", unit="row")):
                items.add(rows)
            listed = len(items.seen)
            with _new_file(draft / "interactions.csv") as table:
                found = converter.interactions(source, skipped)
                blocks = _blocks(bar(found, name="interactions", unit="row"))
                counts = _write_interactions(table, blocks, items, min_rating)
        if not counts["interactions"]:
            raise UserError(
                f"{source.interactions}: no interaction has a rating of at least {min_rating:g};"
                f" lower min_rating"
            )
        summary = {
            "format": converter.NAME,
            "users": counts["users"],
            "items": len(items.seen),
            "interactions": counts["interactions"],
            "items_with_text": items.with_text,
            "items_with_image": items.with_image,
            "items_with_neither": items.with_neither,
            "items_not_listed": len(items.seen) - listed,
            "repeated_item_rows": items.repeated,
            "below_min_rating": counts["below_min_rating"],
            "skipped_lines": skipped.lines,
            "first_skipped": skipped.first,
        }
        write_json(draft / RECORD, summary)
    return summary


class _ItemWriter:
    """Writes ``items.jsonl`` and the images, each item once."""

    def __init__(
        self, stream: TextIO, target: Path, images: ImageFolder | None, copy: bool
    ) -> None:
        self.stream, self.target, self.images, self.copy = stream, target, images, copy
        self.seen = IdSet()
        self.repeated = self.with_text = self.with_image = self.with_neither = 0

    def add(self, rows: list[ItemRow]) -> None:
        """Write the rows of items that are new."""
        new = self.seen.add([row.fields["item_id"] for row in rows])
        self.repeated += len(rows) - int(new.sum())
        for row, is_new in zip(rows, new, strict=True):
            if is_new:
                self._write(row)

    def add_missing(self, item_ids: list[str]) -> None:
        """Write rows that hold nothing but an id for the items that were not listed."""
        new = self.seen.add(item_ids)
        for item_id, is_new in zip(item_ids, new, strict=True):
            if is_new:
                self._write(ItemRow({"item_id": item_id}, (item_id,)))

    def _write(self, row: ItemRow) -> None:
        fields = dict(row.fields)
        names = self._bring_images(row)
        if names:
            fields |= {"image": names[0]} if len(names) == 1 else {"images": names}
        has_text = any(fields.get(name) for name in TEXT_FIELDS)
        self.with_text += has_text
        self.with_image += bool(names)
        self.with_neither += not (has_text or names)
        self.stream.write(json.dumps(fields, ensure_ascii=False) + "\n")

    def _bring_images(self, row: ItemRow) -> list[str]:
        """Link or copy an item's images and return their names in the dataset."""
        if self.images is None:
            return []
        found = list(filter(None, map(self.images.find, row.image_names)))[:MAX_IMAGES]
        for path in found:
            self.images.bring(path, self.target, copy=self.copy)
        return [f"images/{path}" for path in found]


def _write_interactions(
    stream: TextIO,
    blocks: Iterator[list[Interaction]],
    items: _ItemWriter,
    min_rating: float | None,
) -> dict[str, int]:
    """Write ``interactions.csv``; it has a column of ratings if the first interaction has one."""
    table = csv.writer(stream, lineterminator="\n")
    users = IdSet()
    written = below = 0
    rated = None
    for rows in blocks:
        if rated is None:
            rated = rows[0].rating is not None
            if min_rating is not None and not rated:
                raise UserError("min_rating: this dataset has no ratings; leave it out")
            table.writerow(["user_id", "item_id", "timestamp", *(["rating"] if rated else [])])
        kept = [row for row in rows if min_rating is None or (row.rating or 0) >= min_rating]
        below += len(rows) - len(kept)
        written += len(kept)
        users.add([row.user_id for row in kept])
        items.add_missing([row.item_id for row in kept])
        table.writerows(
            (row.user_id, row.item_id, _whole(row.timestamp), *([row.rating] if rated else []))
            for row in kept
        )
    return {"users": len(users), "interactions": written, "below_min_rating": below}


def _whole(seconds: float) -> float:
    return int(seconds) if seconds.is_integer() else seconds


def _blocks(rows: Iterable[T]) -> Iterator[list[T]]:
    rows = iter(rows)
    while block := list(islice(rows, BLOCK)):
        yield block


def _new_file(path: Path) -> TextIO:
    # What cannot be written as UTF-8, half a surrogate pair from a broken emoji, becomes "?".
    return path.open("w", encoding="utf-8", newline="\n", errors="replace")


def _require_writable(out: Path, source: Source, force: bool) -> None:
    """Refuse a target that holds other files, or the files that are to be read."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out}: is a file; give a folder to write into")
    used = [Path.cwd(), Path.home(), source.interactions, source.items, source.images]
    for path in filter(None, used):
        if path.resolve().is_relative_to(out.resolve()):
            raise UserError(
                f"{out}: holds {path}, which must not be replaced; choose another folder"
            )
    names = {path.name for path in out.iterdir()}
    if names and not force and (RECORD not in names or names - WRITTEN):
        other = sorted(names - WRITTEN) or sorted(names)
        raise UserError(
            f"{out}: holds {other[0]!r}, which no conversion wrote; choose another folder, or"
            f" replace this one with force (--force)"
        )


class IdSet:
    """A set of texts that keeps only their 64-bit hashes, in a few sorted arrays.

    Fifty million ids take 400 MB, and about as much again while the longest arrays are merged. A
    Python set of the texts would take 5 GB. The probability that any two of them have the same hash
    is 1 in 15,000; the second then counts as seen.

    >>> seen = IdSet()
    >>> seen.add(["a", "b", "a"]).tolist(), seen.add(["c", "a"]).tolist(), len(seen)
    ([True, True, False], [True, False], 3)
    """

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def add(self, ids: Sequence[str]) -> np.ndarray:
        """Add many at once and return for each, shape ``(len(ids),)``, whether it is new."""
        hashes = np.fromiter(map(hash, ids), np.int64, len(ids))
        unique, first = np.unique(hashes, return_index=True)
        known = np.zeros(len(unique), bool)
        for run in self._runs:
            place = np.searchsorted(run, unique)
            known |= run[np.minimum(place, len(run) - 1)] == unique
        new = np.zeros(len(ids), bool)
        new[first[~known]] = True
        if new.any():
            self._runs.append(unique[~known])
        # Runs at least double in length from last to first, so there are few, and each id is
        # merged few times; a stable sort merges two sorted runs in one pass.
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            merged = np.concatenate(self._runs[-2:])
            merged.sort(kind="stable")
            self._runs[-2:] = [merged]
        return new
