"""Amazon reviews 2023: one JSON object a line, items named by ``parent_asin``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msm4sr_lite.dataset.cells import number, printable_id, text, texts
from msm4sr_lite.dataset.convert.amazon import pair
from msm4sr_lite.dataset.convert.records import (
    Interaction,
    ItemRow,
    Skipped,
    Source,
    first_url,
    item_row,
)
from msm4sr_lite.dataset.convert.tolerant import each_line
from msm4sr_lite.dataset.text_tables import json_object

NAME = "Amazon reviews 2023"
FILES = "reviews X.jsonl.gz or X.jsonl, and items meta_X.jsonl.gz or meta_X.jsonl"


def find(source: Path) -> Source | None:
    """Return the review file and the meta file beside it."""
    return pair(source, (".jsonl.gz", ".jsonl"))


def interactions(source: Source, skipped: Skipped) -> Iterator[Interaction]:
    """Yield the reviews; an item is a parent product with all its colours and sizes."""

    def review(line: str) -> Interaction:
        record = json_object(line)
        return Interaction(
            printable_id(record.get("user_id"), "user_id"),
            printable_id(record.get("parent_asin"), "parent_asin"),
            number(record.get("timestamp"), "timestamp") / 1000,
            number(record.get("rating"), "rating"),
        )

    expected = "one JSON object a line with user_id, parent_asin, rating, timestamp in milliseconds"
    return each_line(source.interactions, review, expected, skipped)


def items(source: Source, skipped: Skipped) -> Iterator[ItemRow]:
    """Yield the items."""
    expected = "one JSON object a line with parent_asin, title, store, categories, description"
    return each_line(source.items, _item, expected, skipped)


def _item(line: str) -> ItemRow:
    record = json_object(line)
    return item_row(
        printable_id(record.get("parent_asin"), "parent_asin"),
        title=text(record.get("title")),
        brand=text(record.get("store")),
        categories=texts(record.get("categories")) or texts(record.get("main_category")),
        description=text(record.get("description")) or text(record.get("features")),
        image_url=_main_image(record.get("images")),
    )


def _main_image(images: Any) -> str:
    """Return the address of the image called MAIN, else of the first, in the largest size."""
    if not isinstance(images, list):
        return ""
    found = [image for image in images if isinstance(image, dict)]
    found.sort(key=lambda image: image.get("variant") != "MAIN")
    return first_url(image.get(size) for image in found for size in ("hi_res", "large", "thumb"))
