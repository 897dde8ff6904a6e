"""The dictionary: which words a picture can be turned into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.dataset.folder import read_column
from msm4sr_lite.features.word_lists import dataset_words, word_list

LONGEST_LABEL = 5  # words; what is longer is a text


def read_dictionary(source: str, items: Iterable[Item], folder: Path | None = None) -> list[str]:
    """Return the dictionary that ``source`` names.

    Parameters
    ----------
    source
        ``visual`` (the library's list), ``shop`` (nouns and adjectives of the shop's own texts),
        ``column:NAME`` (the labels in a column of the shop's item file, such as ``column:colour``),
        a text file with one word or phrase per line, or several of these joined by ``+``. The
        first mention of a word counts.
    items
        The shop's items.
    folder
        The shop folder; only ``column:`` needs it.
    """
    items = list(items)
    parts = [source] if Path(source).is_file() else source.split("+")
    found = [word.strip() for part in parts for word in _words(part, source, items, folder)]
    return list(dict.fromkeys(word for word in found if word and word[0] != "#"))


def _words(part: str, source: str, items: list[Item], folder: Path | None) -> list[str]:
    if part == "visual":
        return word_list("visual_words")
    if part == "dataset":
        return dataset_words(items)
    if part.startswith("column:"):
        return column_labels(part.removeprefix("column:"), items, folder)
    try:
        return Path(part).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError):
        raise UserError(
            f"dictionary {source!r}: {part!r} is neither visual, shop, column:NAME nor a UTF-8"
            f" text file with one word per line"
        ) from None


def column_labels(
    column: str, items: Iterable[Item], folder: Path | None, limit: int = 2000
) -> list[str]:
    """Return the labels in a column of the item file, the most frequent first, in lower case.

    A list in a cell holds several labels. Those of more than five words are texts and left out.
    """
    if folder is None:
        raise UserError(f"dictionary column:{column}: needs the shop folder")
    wanted = {item.item_id for item in items}
    counts: Counter[str] = Counter()
    for item_id, labels in read_column(folder, column):
        if item_id in wanted:
            counts.update({" ".join(label.lower().split()) for label in labels})
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    short = [
        label
        for label in ranked
        if len(label.split()) <= LONGEST_LABEL and any(map(str.isalpha, label))
    ]
    if not short:
        raise UserError(
            f"dictionary column:{column}: no labels there (words, at most {LONGEST_LABEL} of them"
            f" each); name a column that has some"
        )
    return short[:limit]
