"""The dictionary: which words a picture can be turned into."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.features import item_sentences
from msm4sr_lite.shop import Item


def word_list(name: str) -> list[str]:
    """Return a list of the library: ``visual_words`` (what pictures show) or ``stop_words``."""
    text = (
        resources.files("msm4sr_lite.extract").joinpath(f"{name}.txt").read_text(encoding="utf-8")
    )
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def shop_words(items: Iterable[Item], min_items: int = 2, limit: int = 2000) -> list[str]:
    """Return the words of the shop's own texts, most frequent first, ties in alphabetical order.

    A word counts once per item. Words of fewer than three letters, with digits, in fewer than
    ``min_items`` items, and common function words are left out.
    """
    counts: Counter[str] = Counter()
    stop = set(word_list("stop_words"))
    for item in items:
        text = " ".join(item_sentences(item, 10**6)).lower()
        counts.update(set(re.findall(r"[^\W\d_]{3,}", text)) - stop)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [word for word, count in ranked if count >= min_items][:limit]


def read_dictionary(source: str, items: Iterable[Item]) -> list[str]:
    """Return the dictionary that ``source`` names.

    ``visual`` (the library's list), ``shop`` (the shop's own words), ``visual+shop`` (both), or
    a text file with one word or phrase per line.
    """
    names = source.split("+")
    if set(names) <= {"visual", "shop"}:
        found = [
            w
            for name in names
            for w in (word_list("visual_words") if name == "visual" else shop_words(items))
        ]
    else:
        try:
            found = Path(source).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            raise UserError(
                f"dictionary {source!r}: neither visual, shop, visual+shop nor a UTF-8 text file"
            ) from None
    return list(dict.fromkeys(word.strip() for word in found if word.strip() and word[0] != "#"))
