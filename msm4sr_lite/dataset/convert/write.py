"""The shop folder, written row by row."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, TypeVar

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.convert.id_set import IdSet
from msm4sr_lite.dataset.convert.images import PictureFolder
from msm4sr_lite.dataset.convert.records import (
    Event,
    Format,
    ItemRow,
    Skipped,
    Source,
)
from msm4sr_lite.dataset.items import TEXT_FIELDS
from msm4sr_lite.store.files import whole_folder, write_json

T = TypeVar("T")

CHUNK = 4096  # rows held at once
MOST_PICTURES = 10  # of one item, as many as a shop folder may name
RECORD = "converted.json"
OURS = {"interactions.csv", "items.jsonl", "images", RECORD}


def convert(
    form: Format,
    source: Source,
    out: Path,
    *,
    min_rating: float | None = None,
    copy_images: bool = False,
    force: bool = False,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] = lambda rows, _: rows,
) -> dict[str, Any]:
    """Write a shop folder, whole or not at all.

    Every event is kept, repeated ones too: what they mean is decided when sequences are built. Of
    several rows of one item the first counts. An item that occurs only among the events gets a
    row without text, so that no purchase is lost here.

    Parameters
    ----------
    form, source
        As ``formats.find`` returns them.
    out
        The shop folder. One that this function wrote earlier is replaced.
    min_rating
        Events with a lower rating are left out.
    copy_images
        Copy the pictures rather than linking them.
    force
        Replace ``out`` whatever it holds.
    progress
        Wraps the rows of each file; gets their name.

    Returns
    -------
    summary
        Counts: what went in, what was left out; also in ``converted.json``.

    Raises
    ------
    UserError
        If a file cannot be read as this format, or ``out`` may not be replaced.
    """
    _may_write(out, source, force)
    if source.items is None and source.images is None:
        raise UserError(
            f"{source.events}: no file of items beside it, so there is neither text nor picture;"
            f" expected {form.WANTS}; name it with --items, or pictures with --images"
        )
    skipped = Skipped()
    pictures = PictureFolder(source.images) if source.images else None
    with whole_folder(out) as draft:
        with _new(draft / "items.jsonl") as stream:
            items = _Items(stream, draft / "images", pictures, copy_images)
            for rows in _chunks(progress(form.items(source, skipped), "items")):
                items.add(rows)
            listed = len(items.seen)
            with _new(draft / "interactions.csv") as table:
                rows_of_events = progress(form.events(source, skipped), "interactions")
                counts = _write_events(table, _chunks(rows_of_events), items, min_rating)
        if not counts["interactions"]:
            raise UserError(
                f"{source.events}: no purchase left with a rating of at least {min_rating:g};"
                f" lower --min-rating"
            )
        summary = {
            "format": form.NAME,
            "users": counts["users"],
            "items": len(items.seen),
            "interactions": counts["interactions"],
            "items_with_text": items.with_text,
            "items_with_picture": items.with_picture,
            "items_with_neither": items.with_neither,
            "items_not_listed": len(items.seen) - listed,
            "repeated_item_rows": items.repeated,
            "below_min_rating": counts["below_min_rating"],
            "skipped_lines": skipped.lines,
            "first_skipped": skipped.first,
        }
        write_json(draft / RECORD, summary)
    return summary


class _Items:
    """Writes ``items.jsonl`` and the pictures, each item once."""

    def __init__(
        self, stream: TextIO, images: Path, pictures: PictureFolder | None, copy: bool
    ) -> None:
        self.stream, self.images, self.pictures, self.copy = stream, images, pictures, copy
        self.seen = IdSet()
        self.repeated = self.with_text = self.with_picture = self.with_neither = 0

    def add(self, rows: list[ItemRow]) -> None:
        """Write the rows of items that are new."""
        new = self.seen.add([row.fields["item_id"] for row in rows])
        self.repeated += len(rows) - int(new.sum())
        for row, is_new in zip(rows, new, strict=True):
            if is_new:
                self._write(row)

    def add_missing(self, item_ids: list[str]) -> None:
        """Write bare rows of the items that were not listed."""
        new = self.seen.add(item_ids)
        for item_id, is_new in zip(item_ids, new, strict=True):
            if is_new:
                self._write(ItemRow({"item_id": item_id}, (item_id,)))

    def _write(self, row: ItemRow) -> None:
        fields = dict(row.fields)
        found = self._pictures(row)
        if found:
            fields |= {"image": found[0]} if len(found) == 1 else {"images": found}
        has_text = any(fields.get(name) for name in TEXT_FIELDS)
        self.with_text += has_text
        self.with_picture += bool(found)
        self.with_neither += not (has_text or found)
        self.stream.write(json.dumps(fields, ensure_ascii=False) + "\n")

    def _pictures(self, row: ItemRow) -> list[str]:
        """Bring an item's pictures and return their names in the shop."""
        if self.pictures is None:
            return []
        found = list(filter(None, map(self.pictures.find, row.pictures)))[:MOST_PICTURES]
        for path in found:
            self.pictures.bring(path, self.images, copy=self.copy)
        return [f"images/{path}" for path in found]


def _write_events(
    stream: TextIO, chunks: Iterator[list[Event]], items: _Items, min_rating: float | None
) -> dict[str, int]:
    """Write ``interactions.csv``; it has a column of ratings if the first event has one."""
    table = csv.writer(stream, lineterminator="\n")
    users = IdSet()
    written = below = 0
    rated = None
    for events in chunks:
        if rated is None:
            rated = events[0].rating is not None
            if min_rating is not None and not rated:
                raise UserError("--min-rating: these data have no ratings; leave it out")
            table.writerow(["user_id", "item_id", "timestamp", *(["rating"] if rated else [])])
        kept = [e for e in events if min_rating is None or (e.rating or 0) >= min_rating]
        below += len(events) - len(kept)
        written += len(kept)
        users.add([event.user_id for event in kept])
        items.add_missing([event.item_id for event in kept])
        table.writerows(
            (e.user_id, e.item_id, _whole(e.timestamp), *([e.rating] if rated else []))
            for e in kept
        )
    return {"users": len(users), "interactions": written, "below_min_rating": below}


def _whole(seconds: float) -> float:
    return int(seconds) if seconds.is_integer() else seconds


def _chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    rows = iter(rows)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _new(path: Path) -> TextIO:
    # What cannot be written as UTF-8, half a surrogate pair from a broken emoji, becomes "?".
    return path.open("w", encoding="utf-8", newline="\n", errors="replace")


def _may_write(out: Path, source: Source, force: bool) -> None:
    """Refuse a target that holds something else, or the very data that are to be read."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out}: is a file; --out names a folder")
    used = [Path.cwd(), Path.home(), source.events, source.items, source.images]
    for path in filter(None, used):
        if path.resolve().is_relative_to(out.resolve()):
            raise UserError(
                f"{out}: holds {path}, which must not be replaced; choose another --out"
            )
    names = {path.name for path in out.iterdir()}
    if names and not force and (RECORD not in names or names - OURS):
        other = sorted(names - OURS) or sorted(names)
        raise UserError(
            f"{out}: holds {other[0]!r}, which no conversion wrote; choose another --out, or"
            f" replace the folder with --force"
        )
