"""The dictionary: the candidate keywords of images."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.dataset.folder import read_column
from msm4sr_lite.features.word_lists import text_words, word_list

LONGEST_LABEL = 5  # words; anything longer is a text
MOST_LABELS = 2000


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
    found: list[str] = []
    for name in [source] if Path(source).is_file() else source.split("+"):
        if name == "visual":
            found += word_list("visual_words")
        elif name == "texts":
            found += text_words(items)
        elif name.startswith("column:"):
            found += column_labels(name.removeprefix("column:"), items, folder)
        else:
            try:
                found += Path(name).read_text(encoding="utf-8-sig").splitlines()
            except (OSError, ValueError):
                raise UserError(
                    f"dictionary {source!r}: {name!r} is neither visual, texts, column:NAME nor a"
                    f" UTF-8 text file with one word per line"
                ) from None
    stripped = (word.strip() for word in found)
    return list(dict.fromkeys(word for word in stripped if word and word[0] != "#"))


def column_labels(column: str, items: Iterable[Item], folder: Path | None) -> list[str]:
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
    found = [
        label
        for label in sorted(counts, key=lambda label: (-counts[label], label))
        if len(label.split()) <= LONGEST_LABEL and any(map(str.isalpha, label))
    ]
    if not found:
        raise UserError(
            f"dictionary column:{column}: no labels of at most {LONGEST_LABEL} words in it; name"
            f" another column"
        )
    return found[:MOST_LABELS]
