"""H&M purchases: ``transactions_train.csv``, ``articles.csv``, ``images/0xx/``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from msm4sr_lite.dataset.cells import printable_id
from msm4sr_lite.dataset.convert.records import (
    Interaction,
    ItemRow,
    Skipped,
    Source,
    item_row,
)
from msm4sr_lite.dataset.convert.tolerant import each_row

NAME = "H&M"
FILES = "transactions_train.csv and articles.csv, and images/ if wanted"
LEVELS = ("article", "product")
PRODUCT_DIGITS = 7  # of the ten of an article; the other three are colour and pattern
SHARED = ("index_name", "product_group_name", "product_type_name")
VARIANT = ("graphical_appearance_name", "colour_group_name")


def find(source: Path) -> Source | None:
    """Return the tables, and the images if they are there."""
    folder = source if source.is_dir() else source.parent
    path, articles, images = (
        folder / name for name in ("transactions_train.csv", "articles.csv", "images")
    )
    if not path.is_file() or source not in (folder, path):
        return None
    return Source(
        path, articles if articles.is_file() else None, images if images.is_dir() else None
    )


def interactions(source: Source, skipped: Skipped) -> Iterator[Interaction]:
    """Yield the purchases in the order of the file; their time is the start of the day (UTC)."""
    length = PRODUCT_DIGITS if source.level == "product" else None

    def purchase(row: dict[str, str]) -> Interaction:
        return Interaction(
            printable_id(row["customer_id"], "customer_id"),
            _article(row["article_id"])[:length],
            _midnight(row["t_dat"]),
        )

    columns = ("t_dat", "customer_id", "article_id")
    return each_row(source.interactions, purchase, columns, skipped)


def items(source: Source, skipped: Skipped) -> Iterator[ItemRow]:
    """Yield the articles or the products.

    A product has the text of its first article without colour and pattern, and the images of all
    its articles, which follow one another in the file.
    """
    columns = ("article_id", "prod_name", "detail_desc", *SHARED, *VARIANT)
    rows = each_row(
        source.items,
        lambda row: row | {"article_id": _article(row["article_id"])},
        columns,
        skipped,
    )
    if source.level != "product":
        for row in rows:
            yield _item(row["article_id"], (row["article_id"],), row, SHARED + VARIANT)
        return
    for product, group in groupby(rows, lambda row: row["article_id"][:PRODUCT_DIGITS]):
        articles = list(group)
        names = tuple(row["article_id"] for row in articles)
        yield _item(product, names, articles[0], SHARED)


def _item(
    item_id: str, image_names: tuple[str, ...], row: dict[str, str], categories: tuple[str, ...]
) -> ItemRow:
    fields: dict[str, Any] = {
        "title": row["prod_name"].strip(),
        "categories": [row[name].strip() for name in categories if row[name].strip()],
        "description": row["detail_desc"].strip(),
        "domain": row.get("index_group_name", "").strip(),
    }
    return item_row(item_id, *image_names, **fields)


def _article(value: str) -> str:
    """Return the ten digits; tools that read the column as a number drop the leading zero."""
    found = value.strip().zfill(10)
    if len(found) != 10 or not (found.isascii() and found.isdigit()):
        raise ValueError(f"article_id {value[:40]!r} is not of ten digits")
    return found


@lru_cache(maxsize=4096)
def _midnight(day: str) -> float:
    try:
        return datetime.strptime(day.strip(), "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ValueError(f"t_dat {day[:40]!r} is not a date like 2018-09-20") from None
