"""What all Amazon releases share: a file of reviews, and one of items named like it."""

from __future__ import annotations

import re
from pathlib import Path

from msm4sr_lite.dataset.convert.records import Source, only_file


def pair(source: Path, endings: tuple[str, ...]) -> Source | None:
    """Return the review file that is ``source``, or the only one in it, with its ``meta_*`` file.

    In a folder, a review file that has a meta file beside it goes before others.
    """
    if source.is_file():
        named = source.name.endswith(endings) and not source.name.startswith("meta_")
        return Source(source, _meta(source, endings)) if named else None
    found = [
        path
        for path in source.iterdir()
        if path.name.endswith(endings) and not path.name.startswith("meta_") and path.is_file()
    ]
    likely = [path for path in found if _meta(path, endings)]
    # Any data folder may hold some .json or an items.jsonl; the names of the sets are capitalised.
    likely = likely or [path for path in found if path.name[0].isupper()]
    reviews = only_file(likely, source, "review files")
    return Source(reviews, _meta(reviews, endings)) if reviews else None


def _meta(reviews: Path, endings: tuple[str, ...]) -> Path | None:
    """Return ``meta_Books.*`` for ``Books.*``, ``Books_5.*`` or ``reviews_Books_5.*``."""
    ending = next(ending for ending in endings if reviews.name.endswith(ending))
    category = reviews.name.removesuffix(ending)
    category = re.sub(r"_\d+$", "", category.removeprefix("reviews_"))
    # The 2023 release keeps both kinds of files in folders side by side.
    for folder in (reviews.parent, reviews.parent.parent / "meta_categories"):
        for name in (f"meta_{category}{ending}" for ending in endings):
            if (folder / name).is_file():
                return folder / name
    return None
