"""Make the dictionary: the candidate keywords of images.

One source of keywords is the items' English texts. Rules find their nouns and adjectives without a
model or a download. All occurrences of a word are counted. An occurrence with the neighbours of a
noun or an adjective counts in favour of the word ("a *striped* cup", "with *pockets*,"). One with
the neighbours of a verb counts against it ("you *wear* it", "*shape* the waist"). Words that start
with a capital inside sentences are taken for names.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.dataset.sources import read_column
from msm4sr_lite.features.sentences import item_sentences

LONGEST_LABEL = 5  # words; anything longer is a text
MOST_LABELS = 2000

_WORD = re.compile(r"\S+")
_ADDRESS = re.compile(r"\w[.@]\w")  # in words such as shop.com, 5.5
_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+|[^\w\s]")


_SUFFIX = re.compile(
    r"\w{2}(?:ous|ful|less|able|ible|ular|ish|ive|tion|ment|ness|ity|ship|ance|ence|ette|like)s?$"
)


def word_list(name: str) -> list[str]:
    """Return a word list of the library: ``visual_words`` (what images show) or ``stop_words``.

    >>> len(word_list("stop_words"))
    982
    """
    text = resources.files("msm4sr_lite.features").joinpath(f"{name}.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


# The classes of each word of the list: "the" is a determiner, and follows verbs and nouns.
_CLASSES: defaultdict[str, set[str]] = defaultdict(set)
for _line in word_list("word_classes"):
    for _word in _line.partition(": ")[2].split():
        _CLASSES[_word].add(_line.partition(": ")[0])


def read_dictionary(source: str, items: Iterable[Item], folder: Path | None = None) -> list[str]:
    """Return the candidate keywords that ``source`` names.

    Parameters
    ----------
    source
        ``visual`` (the library's list), ``texts`` (nouns and adjectives of the items' texts),
        ``column:NAME`` (the labels in a column of the item file, such as ``column:colour``), a
        text file with one word or phrase per line, or several of these joined by ``+``. A word that
        occurs twice keeps its first place.
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
                if not Path(name).is_file():  # reading a pipe may never end
                    raise OSError
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
            f"dictionary column:{column}: the column has no labels of at most {LONGEST_LABEL}"
            f" words; name another column"
        )
    return found[:MOST_LABELS]


def text_words(
    items: Sequence[Item], min_items: int = 2, max_share: float = 0.5, limit: int = 2000
) -> list[str]:
    """Return the nouns and adjectives of the items' texts, the most frequent first.

    Equally frequent words are in alphabetical order.

    Parameters
    ----------
    items
        The items. Titles and categories count for a word's frequency. Its part of speech is found
        from running text, or from these if an item has no running text.
    min_items
        Minimum number of items with a word; rarer words may be spelling mistakes.
    max_share
        Maximum share of the items with a word; more frequent words do not distinguish items.
    limit
        Maximum length of the list.

    Examples
    --------
    >>> from msm4sr_lite.dataset.dataset import Item
    >>> items = [Item(str(n), description="A striped cup with a lid.") for n in range(2)]
    >>> text_words(items, max_share=1.0)
    ['cup', 'lid', 'striped']
    """
    stop = set(word_list("stop_words"))
    counts: Counter[str] = Counter()
    uses: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        heads = item_sentences(replace(item, description="", text=""), 10**6)
        running = item_sentences(replace(item, title="", brand="", categories=()), 10**6)
        head_tokens, tokens = ([*map(_tokens, sentences)] for sentences in (heads, running))
        counts.update({t.lower() for sentence in head_tokens + tokens for t in sentence})
        for sentence in tokens or head_tokens:
            for word, use in _uses(sentence):
                uses[word][use] += 1
    labels = {w for item in items for c in item.categories for w in _tokens(c.lower())}
    most = max(max_share * len(items), min_items)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    found = [
        word
        for word in ranked
        if re.fullmatch(r"(?=.*[aeiouy])[^']{3,}", word)
        and word not in stop
        and min_items <= counts[word] <= most
        and (not word.endswith("ly") or "no_adverb" in _CLASSES.get(word, set()))
        and (word in labels or _is_nominal(word, uses))
    ]
    return found[:limit]


def _is_nominal(word: str, uses: Mapping[str, Counter[str]]) -> bool:
    use = uses[word]
    nominal = use["led"] + use["followed"]
    # "straps" is the plural of "strap", which occurs after "the"; "entertains" is no plural.
    verbal = word.endswith("s") and not word.endswith(("ss", "us")) and not uses[word[:-1]]["led"]
    return (
        2 * use["capital"] < use["all"]  # else a name
        and nominal > use["verb"]
        and nominal - use["verb"] >= 0.25 * use["all"]
        and (use["led"] > 0 or not verbal)
    )


def _tokens(sentence: str) -> list[str]:
    if sentence.isupper():
        sentence = sentence.lower()
    plain = _WORD.sub(
        lambda word: " " if _ADDRESS.search(word[0]) else word[0], sentence.rstrip(".")
    )
    plain = plain.replace("’", "'")
    return _TOKEN.findall(re.sub(r"'s\b", "", plain))


def _uses(tokens: list[str]) -> Iterator[tuple[str, str]]:
    """Yield every word of a sentence with each of its uses.

    The uses are ``all`` (every occurrence), ``led`` (after a determiner, a preposition or a
    number), ``followed`` (before a comma, "and", "of" and the like), ``verb``, and ``capital`` (a
    name).
    """
    lower = ["", *(token.lower() for token in tokens), "."]
    for place, (left, token, word, right) in enumerate(
        zip(lower, tokens, lower[1:], lower[2:], strict=False)
    ):
        if not token[0].isalpha():
            continue
        left_is, right_is = (_CLASSES.get(neighbour, set()) for neighbour in (left, right))
        led = bool(left_is & {"determiner", "preposition"}) or left.isdigit()
        followed = "after_noun" in right_is or not right[0].isalnum()
        if word.endswith("ing"):  # "for storing" is a verb, "the lining" is not
            led, followed = "determiner" in left_is, False
        elif word.endswith("ed"):  # "made of" is a verb, "padded cups" is not
            followed = right[0].isalpha() and "after_noun" not in right_is
        verb = "before_verb" in left_is or "after_verb" in right_is
        if "be" in left_is and word.endswith(("ed", "en", "ing", "wn")):  # "is worn"
            verb = True
        yield word, "all"
        if verb or led:
            yield word, "verb" if verb else "led"
        elif followed or _SUFFIX.search(word):
            yield word, "followed"
        elif not place and token[0].isupper():
            yield word, "capital"
        is_start = not place or left in {".", ":", "!", "?", '"', "("}
        if not is_start and not token.rsplit("-", 1)[-1].islower():
            yield word, "capital"
