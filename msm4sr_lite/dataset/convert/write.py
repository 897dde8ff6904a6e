"""The dataset folder that a conversion makes, written row by row."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert.published import Format, Interaction, Source
from msm4sr_lite.dataset.items import TEXT_FIELDS
from msm4sr_lite.progress import bar
from msm4sr_lite.store.files import whole_folder, write_json

IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
MAX_IMAGES = 10  # of one item
RECORD = "converted.json"
WRITTEN = {"interactions.csv", "items.jsonl", "images", RECORD}


def write_dataset(
    format: Format,
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
            f" image; expected {format.files}; name it with --items, or images with --images"
        )
    with whole_folder(out) as draft:
        with _new_file(draft / "items.jsonl") as stream:
            items = _ItemWriter(stream, draft / "images", source.images, copy_images)
            for item in bar(format.items(source), name="items", unit="row"):
                items.write(item)
            listed = len(items.seen)
            rows = bar(format.interactions(source), name="interactions", unit="row")
            with _new_file(draft / "interactions.csv") as table:
                users, written, below = _write_interactions(table, rows, items, min_rating)
        if not written:
            raise UserError(
                f"{source.interactions}: no interaction has a rating of at least {min_rating:g};"
                f" lower min_rating"
            )
        summary = {
            "format": format.name,
            "users": users,
            "items": len(items.seen),
            "interactions": written,
            "items_with_text": items.counts["text"],
            "items_with_image": items.counts["image"],
            "items_with_neither": items.counts["neither"],
            "items_not_listed": len(items.seen) - listed,
            "repeated_item_rows": items.counts["repeated"],
            "below_min_rating": below,
            "skipped_lines": source.skipped,
            "first_skipped": source.first_skipped,
        }
        write_json(draft / RECORD, summary)
    return summary


class _ItemWriter:
    """Writes ``items.jsonl`` and the images, each item once, and counts what they have."""

    def __init__(self, stream: TextIO, target: Path, folder: Path | None, copy: bool) -> None:
        self.stream, self.target, self.copy = stream, target, copy
        self.images = find_images(folder) if folder else {}
        self.seen: set[str] = set()
        self.counts: Counter[str] = Counter()

    def write(self, item: dict[str, Any]) -> None:
        """Write an item that is new; its images become hard links where the disk allows it."""
        if item["item_id"] in self.seen:
            self.counts["repeated"] += 1
            return
        self.seen.add(item["item_id"])
        fields = {name: value for name, value in item.items() if value and name != "image_names"}
        named = item.get("image_names", [item["item_id"]])
        found = [self.images[name] for name in named if name in self.images][:MAX_IMAGES]
        for original, relative in found:
            copy = self.target / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not self.copy:
                with suppress(OSError):
                    os.link(original.resolve(), copy)
            if not copy.exists():
                shutil.copyfile(original, copy)
        names = [f"images/{relative}" for _, relative in found]
        if names:
            fields |= {"image": names[0]} if len(names) == 1 else {"images": names}
        has_text = any(fields.get(name) for name in TEXT_FIELDS)
        self.counts["text"] += has_text
        self.counts["image"] += bool(names)
        self.counts["neither"] += not (has_text or names)
        self.stream.write(json.dumps(fields, ensure_ascii=False) + "\n")


def find_images(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return the images anywhere below a folder, by their names without the endings.

    Each comes with its path relative to the folder. Where a name occurs twice, the first in
    alphabetical order of the folders counts.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; images must be in a folder")
    found: dict[str, tuple[Path, str]] = {}
    for path in sorted(folder.rglob("*.*"), key=lambda path: (path.parent, path.name)):
        relative = path.relative_to(folder).as_posix()
        # A dataset folder must be readable on every system.
        if path.suffix.lower() in IMAGE_ENDINGS and "\\" not in relative and path.is_file():
            found.setdefault(path.stem, (path, relative))
    return found


def _write_interactions(
    stream: TextIO, rows: Iterable[Interaction], items: _ItemWriter, min_rating: float | None
) -> tuple[int, int, int]:
    """Write ``interactions.csv``; it has a column of ratings if the first interaction has one.

    Returns the numbers of users, of interactions, and of those below ``min_rating``.
    """
    table = csv.writer(stream, lineterminator="\n")
    users: set[str] = set()
    written = below = 0
    for row in rows:
        if not written and not below:
            rated = row.rating is not None
            if min_rating is not None and not rated:
                raise UserError("min_rating: this dataset has no ratings; leave it out")
            table.writerow(["user_id", "item_id", "timestamp", *(["rating"] if rated else [])])
        if min_rating is not None and (row.rating or 0) < min_rating:
            below += 1
            continue
        written += 1
        users.add(row.user_id)
        if row.item_id not in items.seen:
            items.write({"item_id": row.item_id})
        time = int(row.timestamp) if row.timestamp.is_integer() else row.timestamp
        table.writerow([row.user_id, row.item_id, time, *([row.rating] if rated else [])])
    return len(users), written, below


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
