"""Guess the languages of item texts, to warn when an English text encoder will not understand them.

The guess is coarse: the script of most letters and, for Latin letters, the most frequent function
words. Short titles without function words stay undecided.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from msm4sr_lite.dataset.rows import Item

N_ITEMS = 1_000  # looked at, from the start of the table
N_CHARACTERS = 2_000  # of each item
UNDECIDED = "undecided"
LEAST = 0.25  # share of texts in other languages that calls for another encoder
MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
FUNCTION_WORDS = {
    "English": "the and of with for from this is your are it to",
    "German": "der die das und mit für von ist ein eine auf nicht",
    "French": "le la les et avec pour des une est du dans vous",
    "Spanish": "el la los las con para del una es por que",
    "Italian": "il la gli con per della una è di che non",
    "Portuguese": "os as com para da uma é do não",
    "Dutch": "de het een en met voor van is niet op zijn je",
    "Polish": "na do jest nie się dla oraz od po",
}
SCRIPTS = {"CJK": "Chinese or Japanese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese"}


def guess_languages(items: Iterable[Item]) -> dict[str, float]:
    """Return the share of the texts in each language or script, the most frequent first.

    Examples
    --------
    >>> guess_languages([Item("a", "The mug for the garden"), Item("b", "Тёплая шапка")])
    {'English': 0.5, 'Cyrillic': 0.5}
    """
    texts = (
        "\n".join([item.title, *item.categories, item.description, item.text])[:N_CHARACTERS]
        for item in islice(items, N_ITEMS)
    )
    counts = Counter(map(guess_language, filter(str.strip, texts)))
    return {name: count / counts.total() for name, count in counts.most_common()}


def guess_language(text: str) -> str:
    """Return the language or script of one text, or ``"undecided"``.

    >>> guess_language("Eine Tasse für den Garten und die Küche"), guess_language("Blue mug")
    ('German', 'undecided')
    """
    letters = filter(str.isalpha, text)
    scripts = Counter(unicodedata.name(letter, "?").partition(" ")[0] for letter in letters)
    script = scripts.most_common(1)[0][0] if scripts else "?"
    if script != "LATIN":
        return SCRIPTS.get(script, script.capitalize()) if scripts else UNDECIDED
    words = Counter(re.findall(r"\w+", text.casefold()))
    hits = {name: sum(words[w] for w in known.split()) for name, known in FUNCTION_WORDS.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else UNDECIDED


def encoder_note(languages: dict[str, float]) -> list[str]:
    """Return a sentence that names a multilingual text encoder if many texts are not English."""
    other = sum(languages.values()) - languages.get("English", 0.0) - languages.get(UNDECIDED, 0.0)
    if other <= max(languages.get("English", 0.0), LEAST):
        return []
    return [
        f"many texts are not English; the default text encoder reads English only. Use a"
        f" multilingual one: text_encoder={MULTILINGUAL!r} (--text-encoder)"
    ]
