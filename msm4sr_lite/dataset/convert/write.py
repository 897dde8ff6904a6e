"""The dataset folder that a conversion makes, written row by row."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert.published import Format, Interaction, Source
from msm4sr_lite.dataset.items import TEXT_FIELDS
from msm4sr_lite.progress import bar
from msm4sr_lite.store.files import write_json

IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
MAX_IMAGES = 10  # of one item
RECORD = "converted.json"
COUNTS = ["users", "items", "interactions", "items_with_text", "items_with_image"]
COUNTS += ["items_with_neither", "items_not_listed", "repeated_item_rows", "below_min_rating"]
WRITTEN = {"interactions.csv", "items.jsonl", "images", RECORD}


def write_dataset(
    draft: Path, format: Format, source: Source, min_rating: float | None, copy_images: bool
) -> dict[str, Any]:
    """Write a dataset folder; see ``convert_dataset``."""
    counts = dict.fromkeys(COUNTS, 0)
    rows = bar(format.interactions(source), name="interactions", unit="row")
    interacted = _write_interactions(draft / "interactions.csv", rows, min_rating, counts)
    if not interacted:
        raise UserError(
            f"{source.interactions}: no interaction has a rating of at least {min_rating:g};"
            f" lower min_rating"
        )
    images = find_images(source.images) if source.images else {}
    rows = bar(format.items(source), name="items", unit="row")
    with _new_file(draft / "items.jsonl") as stream:
        for row in _each_item(rows, interacted, counts):
            names = row.pop("image_names", [row["item_id"]])
            found = [images[name] for name in names if name in images][:MAX_IMAGES]
            for original, relative in found:
                target = draft / "images" / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                if not copy_images:
                    with suppress(OSError):  # the disk may not allow hard links
                        os.link(original.resolve(), target)
                if not target.exists():
                    shutil.copyfile(original, target)
            fields = {name: value for name, value in row.items() if value}
            has_text = any(fields.get(name) for name in TEXT_FIELDS)
            counts["items"] += 1
            counts["items_with_text"] += has_text
            counts["items_with_image"] += bool(found)
            counts["items_with_neither"] += not (has_text or found)
            if len(found) == 1:
                fields["image"] = f"images/{found[0][1]}"
            elif found:
                fields["images"] = [f"images/{relative}" for _, relative in found]
            stream.write(json.dumps(fields, ensure_ascii=False) + "\n")
    skipped = {"skipped_lines": source.skipped, "first_skipped": source.first_skipped}
    summary = {"format": format.name, **counts, **skipped}
    write_json(draft / RECORD, summary)
    return summary


def _write_interactions(
    path: Path, rows: Iterable[Interaction], min_rating: float | None, counts: dict[str, int]
) -> dict[str, None]:
    """Write ``interactions.csv``, with ratings if the first row has one; return the item ids."""
    rows = iter(rows)
    first = next(rows)
    header = ["user_id", "item_id", "timestamp", *(["rating"] if first.rating is not None else [])]
    if min_rating is not None and first.rating is None:
        raise UserError("min_rating: this dataset has no ratings; leave it out")
    users: set[str] = set()
    items: dict[str, None] = {}
    with _new_file(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(header)
        for row in chain([first], rows):
            if min_rating is not None and (row.rating or 0) < min_rating:
                counts["below_min_rating"] += 1
                continue
            counts["interactions"] += 1
            users.add(row.user_id)
            items[row.item_id] = None
            time = int(row.timestamp) if row.timestamp.is_integer() else row.timestamp
            table.writerow([row.user_id, row.item_id, time, row.rating][: len(header)])
    counts["users"] = len(users)
    return items


def _each_item(
    rows: Iterable[dict[str, Any]], interacted: dict[str, None], counts: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Yield the first row of each item; last come the items that only occur in interactions."""
    seen: set[str] = set()
    for row in rows:
        if row["item_id"] in seen:
            counts["repeated_item_rows"] += 1
        else:
            seen.add(row["item_id"])
            yield row
    for item_id in interacted:
        if item_id not in seen:
            counts["items_not_listed"] += 1
            yield {"item_id": item_id}


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


def _new_file(path: Path) -> TextIO:
    # What cannot be written as UTF-8, half a surrogate pair from a broken emoji, becomes "?".
    return path.open("w", encoding="utf-8", newline="\n", errors="replace")


def require_writable(out: Path, source: Source, force: bool) -> None:
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
