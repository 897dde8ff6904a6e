"""H&M transactions: ``transactions_train.csv``, ``articles.csv``, ``images/0xx/``."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from msm4sr_lite.dataset.convert import published
from msm4sr_lite.dataset.rows import printable_id

FILES = "transactions_train.csv and articles.csv, and images/ if wanted"
LEVELS = {"article": 10, "product": 7}  # digits; the last three are colour and pattern
SHARED = ("index_name", "product_group_name", "product_type_name")
VARIANT = ("graphical_appearance_name", "colour_group_name")


def _find(source: Path) -> published.Source | None:
    """Return the tables, and the images if they are there."""
    found = published.find_pair(source, {"transactions_train.csv": "articles.csv"})
    if found and (images := found.interactions.parent / "images").is_dir():
        found.images = images
    return found


def _interactions(source: published.Source) -> Iterator[published.Interaction]:
    """Yield the interactions; their time is the start of the day (UTC)."""
    digits = LEVELS[source.level or "article"]

    def interaction(row: dict[str, str]) -> published.Interaction:
        return published.Interaction(
            printable_id(row["customer_id"], "customer_id"),
            _article(row["article_id"])[:digits],
            _midnight(row["t_dat"].strip()),
        )

    columns = ("t_dat", "customer_id", "article_id")
    return source.read(source.interactions, interaction, columns=columns)


@lru_cache(maxsize=4096)
def _midnight(day: str) -> float:
    """Return the start of a day (UTC) in seconds."""
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()


def _items(source: published.Source) -> Iterator[dict[str, Any]]:
    """Yield the articles or the products.

    A product has the text of its first article without colour and pattern, and the images of all
    its articles, which follow one another in the file.
    """
    digits = LEVELS[source.level or "article"]
    categories = SHARED if source.level == "product" else SHARED + VARIANT

    def article(row: dict[str, str]) -> dict[str, Any]:
        number = _article(row["article_id"])
        return {
            "item_id": number[:digits],
            "title": row["prod_name"].strip(),
            "categories": [row[name].strip() for name in categories if row[name].strip()],
            "description": row["detail_desc"].strip(),
            "domain": row.get("index_group_name", "").strip(),
            "image_names": [number],
        }

    columns = ("article_id", "prod_name", "detail_desc", *SHARED, *VARIANT)
    articles = source.read(source.items, article, columns=columns)
    if source.level != "product":
        yield from articles
        return
    for _, group in groupby(articles, lambda item: item["item_id"]):
        first, *others = group
        names = [name for item in (first, *others) for name in item["image_names"]]
        yield first | {"image_names": names}


def _article(value: str) -> str:
    """Return the ten digits; restore the leading zero, which tools that read numbers drop."""
    found = value.strip().zfill(10)
    if len(found) != 10 or not (found.isascii() and found.isdigit()):
        raise ValueError(f"article_id {value[:40]!r} does not have ten digits")
    return found


HM = published.Format("H&M", FILES, _find, _interactions, _items, tuple(LEVELS))
