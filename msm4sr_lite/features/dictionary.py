"""The dictionary: the candidate keywords of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.dataset.sources import read_column
from msm4sr_lite.features.word_lists import text_words, word_list

LONGEST_LABEL = 5  # words; anything longer is a text


def read_dictionary(source: str, items: Iterable[Item], folder: Path | None = None) -> list[str]:
    """Return the dictionary that ``source`` names.

    Parameters
    ----------
    source
        ``visual`` (the library's list), ``texts`` (nouns and adjectives of the items' texts),
        ``column:NAME`` (the labels in a column of the item file, such as ``column:colour``), a
        text file with one word or phrase per line, or several of these joined by ``+``. A word
        found twice stays at its first place.
    items
        The items of the dataset.
    folder
        The dataset folder; only ``column:`` needs it.

    Returns
    -------
    dictionary
        Words and phrases without repetition.

    Examples
    --------
    >>> read_dictionary("visual", [])[:3]
    ['black', 'white', 'grey']
    """
    items = list(items)
    names = [source] if Path(source).is_file() else source.split("+")
    found = [word.strip() for name in names for word in _words(name, source, items, folder)]
    return list(dict.fromkeys(word for word in found if word and word[0] != "#"))


def _words(name: str, source: str, items: list[Item], folder: Path | None) -> list[str]:
    if name == "visual":
        return word_list("visual_words")
    if name == "texts":
        return text_words(items)
    if name.startswith("column:"):
        return column_labels(name.removeprefix("column:"), items, folder)
    try:
        return Path(name).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError):
        raise UserError(
            f"dictionary {source!r}: {name!r} is neither visual, texts, column:NAME nor a UTF-8"
            f" text file with one word per line"
        ) from None


def column_labels(
    column: str, items: Iterable[Item], folder: Path | None, limit: int = 2000
) -> list[str]:
    """Return the labels in a column of the item file, the most frequent first, in lower case.

    A list in a cell holds several labels. Labels of more than five words are dropped.
    """
    if folder is None:
        raise UserError(f"dictionary column:{column}: needs a dataset folder with an item file")
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
            f"dictionary column:{column}: no labels of at most {LONGEST_LABEL} words in it; name"
            f" another column"
        )
    return short[:limit]
