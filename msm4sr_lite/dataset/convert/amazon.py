"""Amazon reviews of 2018 (and older releases) and of 2023: files with one object per line."""

import ast
import re
import warnings
from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

from msm4sr_lite.dataset.convert import published
from msm4sr_lite.dataset.rows import printable_id, text, texts
from msm4sr_lite.dataset.tables import json_object

Record = dict[str, Any]


def _release(
    year: int,
    ending: str,
    fields: tuple[str, str, str, str],
    unit: int,
    describe: Callable[[Record], Record],
) -> published.Format:
    """Return the format of one release.

    Parameters
    ----------
    year, ending
        Year of the release, and the ending of its file names, without ``.gz``.
    fields
        Names of a review's user, item, time and rating. The second also names the id of an item.
    unit
        Number of time units in a second: 1 for seconds, 1000 for milliseconds.
    describe
        Turns an item of the release into fields of ``items.jsonl``, without its id.
    """

    def review(line: str) -> published.Interaction:
        return published.interaction(_object(line), *fields, unit)

    def item(line: str) -> Record:
        record = _object(line)
        return {"item_id": printable_id(record.get(fields[1]), fields[1]), **describe(record)}

    endings = (f"{ending}.gz", ending)
    what, named = "one JSON object per line with", ", ".join(fields)
    return published.Format(
        f"Amazon reviews {year}",
        f"reviews X{ending} or X{ending}.gz, and items meta_X{ending} or meta_X{ending}.gz",
        lambda path: _pair(path, endings),
        lambda source: source.read(source.interactions, review, expected=f"{what} {named}"),
        lambda source: source.read(source.items, item, expected=f"{what} {fields[1]} and title"),
    )


def _object(line: str) -> Record:
    """Read a JSON object, or a Python dictionary as in the older files (read, never run)."""
    if not line.lstrip().startswith(("{'", "{u'")):
        return json_object(line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in texts
            record = ast.literal_eval(line.strip())
        return dict(record)
    except (SyntaxError, MemoryError, TypeError):
        raise ValueError("neither a JSON object nor a Python dictionary") from None


def _describe_2018(record: Record) -> Record:
    title, brand = text(record.get("title")), text(record.get("brand"))
    categories = record.get("category") or record.get("categories")
    if isinstance(categories, list) and categories and isinstance(categories[0], list):
        categories = categories[0]  # older files: several paths, the first is the main one
    brand = re.sub(r"^by\s*\n\s*", "", brand)
    names = ("imageURLHighRes", "imageURL", "imUrl")
    urls = [url for name in names for url in texts(record.get(name))]
    return {
        # The crawler did not understand some pages and took their script for the title.
        "title": "" if "getTime" in title else title,
        "brand": re.sub(r"^Visit Amazon's (.+) Page$", r"\1", brand),
        # Some paths end in remains of the web page, which are cut off.
        "categories": list(takewhile(lambda name: "</span>" not in name, texts(categories))),
        "description": text(record.get("description")) or text(record.get("feature")),
        "image_url": _first_url(urls),
    }


def _describe_2023(record: Record) -> Record:
    images = record.get("images")
    images = images if isinstance(images, list) else []
    found = [image for image in images if isinstance(image, dict)]
    found.sort(key=lambda image: image.get("variant") != "MAIN")
    urls = [image.get(size) for image in found for size in ("hi_res", "large", "thumb")]
    return {
        "title": text(record.get("title")),
        "brand": text(record.get("store")),
        "categories": texts(record.get("categories")) or texts(record.get("main_category")),
        "description": text(record.get("description")) or text(record.get("features")),
        "image_url": _first_url(urls),
    }


def _first_url(values: Iterable[Any]) -> str:
    """Return the first web address among the values; empty if there is none."""
    return next((v for v in values if isinstance(v, str) and v.startswith(("http:", "https:"))), "")


def _pair(source: Path, endings: tuple[str, str]) -> published.Source | None:
    """Return the review file ``source``, or the only one in that folder, with its ``meta_*`` file.

    In a folder, review files with a meta file beside them are preferred to others.
    """
    files = [source] if source.is_file() else [path for path in source.iterdir() if path.is_file()]
    found = {
        path: _meta(path, endings)
        for path in files
        if path.name.endswith(endings) and not path.name.startswith("meta_")
    }
    likely = [path for path, meta in found.items() if meta or source.is_file()]
    # Any data folder may hold .json files or an items.jsonl; Amazon's names are capitalised.
    likely = likely or [path for path in found if path.name[0].isupper()]
    reviews = published.only_file(likely, source, "review files")
    return published.Source(reviews, found[reviews]) if reviews else None


def _meta(reviews: Path, endings: tuple[str, str]) -> Path | None:
    """Return ``meta_Books.*`` for ``Books.*``, ``Books_5.*`` or ``reviews_Books_5.*``."""
    category = reviews.name.removesuffix(".gz").removesuffix(endings[1]).removeprefix("reviews_")
    category = re.sub(r"_\d+$", "", category)
    # The 2023 release keeps both kinds of files in folders side by side.
    folders = (reviews.parent, reviews.parent.parent / "meta_categories")
    paths = (folder / f"meta_{category}{ending}" for folder in folders for ending in endings)
    return next(filter(Path.is_file, paths), None)


RELEASE_2018 = _release(
    2018, ".json", ("reviewerID", "asin", "unixReviewTime", "overall"), 1, _describe_2018
)
# An item of 2023 is a parent product with all its colours and sizes.
RELEASE_2023 = _release(
    2023, ".jsonl", ("user_id", "parent_asin", "timestamp", "rating"), 1000, _describe_2023
)
