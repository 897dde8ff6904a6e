"""RecBole atomic files: tab-separated tables whose header names each field and its type."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msm4sr_lite.dataset.convert import published
from msm4sr_lite.dataset.rows import printable_id
from msm4sr_lite.dataset.tables import read_header

OTHER_IDS = ("user_id", "review_id", "session_id")
# Names of these fields in the published datasets.
FIELDS = {
    "title": ("title", "item_name", "name", "movie_title", "product_name", "app_name"),
    "brand": ("brand", "store", "manufacturer", "artist"),
    "categories": ("categories", "category", "class", "genre", "genres", "tags"),
    "description": ("description", "desc", "overview", "abstract"),
}


def _find(source: Path) -> published.Source | None:
    """Return the interactions, and the items of the same name."""
    found = sorted(source.glob("*.inter")) if source.is_dir() else [source]
    found = [path for path in found if path.suffix == ".inter"]
    inter = published.only_file(found, source, ".inter files")
    if inter is None:
        return None
    items = inter.with_suffix(".item")
    return published.Source(inter, items if items.is_file() else None)


def _interactions(source: published.Source) -> Iterator[published.Interaction]:
    """Yield the interactions; ``rating`` is read where there is one."""
    item = _item_field(source)
    rating = "rating" if "rating" in read_header(source.interactions, "atomic") else ""
    return source.read(
        source.interactions,
        lambda row: published.interaction(row, "user_id", item, "timestamp", rating),
        columns=("user_id", item, "timestamp"),
        kind="atomic",
    )


def _items(source: published.Source) -> Iterator[dict[str, Any]]:
    """Yield the items; only the fields in ``FIELDS`` are used."""
    key = _item_field(source)

    def item(row: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {"item_id": printable_id(row[key], key)}
        for field, known in FIELDS.items():
            found[field] = next((row[name].strip() for name in known if name in row), "")
        # Categories are separated by commas; some published files put each name in quotes.
        names = (part.strip(" '\"[]") for part in found["categories"].split(", "))
        return found | {"categories": [name for name in names if name]}

    return source.read(source.items, item, columns=(key,), kind="atomic")


def _item_field(source: published.Source) -> str:
    """Return ``item_id``, or the only field that can replace it, such as ``product_id``."""
    header = read_header(source.interactions, "atomic")
    others = [name for name in header if name.endswith("_id") and name not in OTHER_IDS]
    return others[0] if "item_id" not in header and len(others) == 1 else "item_id"


RECBOLE = published.Format(
    "RecBole atomic files", "NAME.inter and NAME.item", _find, _interactions, _items
)
