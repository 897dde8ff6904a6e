"""Amazon reviews 2023: one JSON object a line, items named by ``parent_asin``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msm4sr_lite.dataset.convert.amazon import json_object, pair
from msm4sr_lite.dataset.convert.lines import each_line
from msm4sr_lite.dataset.convert.records import (
    Event,
    ItemRow,
    Skipped,
    Source,
    first_url,
    identifier,
    item_row,
    number,
    text,
    texts,
)

NAME = "Amazon reviews 2023"
WANTS = "reviews X.jsonl.gz or X.jsonl, and items meta_X.jsonl.gz or meta_X.jsonl"


def find(source: Path) -> Source | None:
    """Return the review file and the meta file beside it."""
    return pair(source, (".jsonl.gz", ".jsonl"))


def events(source: Source, skipped: Skipped) -> Iterator[Event]:
    """Yield the reviews; the item is the parent product, of which colours and sizes are parts."""

    def review(line: str) -> Event:
        record = json_object(line)
        return Event(
            identifier(record.get("user_id"), "user_id"),
            identifier(record.get("parent_asin"), "parent_asin"),
            number(record.get("timestamp"), "timestamp") / 1000,
            number(record.get("rating"), "rating"),
        )

    wants = "one JSON object a line with user_id, parent_asin, rating, timestamp in milliseconds"
    return each_line(source.events, review, wants, skipped)


def items(source: Source, skipped: Skipped) -> Iterator[ItemRow]:
    """Yield the products."""
    wants = "one JSON object a line with parent_asin, title, store, categories, description"
    return each_line(source.items, _item, wants, skipped)


def _item(line: str) -> ItemRow:
    record = json_object(line)
    return item_row(
        identifier(record.get("parent_asin"), "parent_asin"),
        title=text(record.get("title")),
        brand=text(record.get("store")),
        categories=texts(record.get("categories")) or texts(record.get("main_category")),
        description=text(record.get("description")) or text(record.get("features")),
        image_url=_main_picture(record.get("images")),
    )


def _main_picture(images: Any) -> str:
    """Return the address of the picture called MAIN, else of the first, as large as there is."""
    if not isinstance(images, list):
        return ""
    found = [image for image in images if isinstance(image, dict)]
    found.sort(key=lambda image: image.get("variant") != "MAIN")
    return first_url(image.get(size) for image in found for size in ("hi_res", "large", "thumb"))
