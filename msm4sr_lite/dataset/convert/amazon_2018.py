"""Amazon review data 2018, and the older releases of the same group: one object a line."""

from __future__ import annotations

import ast
import re
import warnings
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

NAME = "Amazon reviews 2018"
FILES = "reviews X_5.json.gz or X.json.gz, and items meta_X.json.gz"


def find(source: Path) -> Source | None:
    """Return the review file and the meta file beside it."""
    return pair(source, (".json.gz", ".json"))


def interactions(source: Source, skipped: Skipped) -> Iterator[Interaction]:
    """Yield the reviews."""

    def review(line: str) -> Interaction:
        record = _object(line)
        return Interaction(
            printable_id(record.get("reviewerID"), "reviewerID"),
            printable_id(record.get("asin"), "asin"),
            number(record.get("unixReviewTime"), "unixReviewTime"),
            number(record.get("overall"), "overall"),
        )

    expected = "one JSON object a line with reviewerID, asin, overall, unixReviewTime"
    return each_line(source.interactions, review, expected, skipped)


def items(source: Source, skipped: Skipped) -> Iterator[ItemRow]:
    """Yield the items."""
    expected = "one JSON object a line with asin, title, brand, category, description"
    return each_line(source.items, _item, expected, skipped)


def _item(line: str) -> ItemRow:
    record = _object(line)
    title = text(record.get("title"))
    categories = record.get("category") or record.get("categories")
    if isinstance(categories, list) and categories and isinstance(categories[0], list):
        categories = categories[0]  # older files: several paths, the first is the main one
    urls = [*texts(record.get("imageURLHighRes")), *texts(record.get("imageURL"))]
    return item_row(
        printable_id(record.get("asin"), "asin"),
        # Pages that the crawler did not understand left their script in the title.
        title="" if "getTime" in title else title,
        brand=_brand(text(record.get("brand"))),
        categories=_categories(texts(categories)),
        description=text(record.get("description")) or text(record.get("feature")),
        image_url=first_url([*urls, record.get("imUrl")]),
    )


def _brand(found: str) -> str:
    r"""Return the bare name of ``by\n  Norr`` and ``Visit Amazon's Norr Page``."""
    found = re.sub(r"^by\s*\n\s*", "", found)
    return re.sub(r"^Visit Amazon's (.+) Page$", r"\1", found)


def _categories(found: list[str]) -> list[str]:
    """Cut the path where the remains of the page begin."""
    end = next((place for place, name in enumerate(found) if "</span>" in name), len(found))
    return found[:end]


def _object(line: str) -> dict[str, Any]:
    """Read a JSON object, or a Python dictionary as in the older files (read, never run)."""
    if not line.lstrip().startswith(("{'", "{u'")):
        return json_object(line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in texts
            record = ast.literal_eval(line.strip())
    except (SyntaxError, MemoryError, TypeError):
        record = None
    if not isinstance(record, dict):
        raise ValueError("neither a JSON object nor a Python dictionary")
    return record
