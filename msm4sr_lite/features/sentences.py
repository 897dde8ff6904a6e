"""Split an item's text into sentences, even if it has HTML, lists or missing full stops."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Literal

from msm4sr_lite.dataset.dataset import Item

LONGEST = 400  # characters, about 100 tokens, which any BERT can read

# Time must be linear in the length of any text. So no pattern scans the same characters again from
# several starts: what is never closed ("<!--") is searched once, and each repetition ends at a
# character that it may not contain itself.
_UNSEEN = re.compile(
    r"(?i)<(?P<script>script)\b|<(?P<style>style)\b|<!(?P<comment>--)|[\u200b\u2060\ufeff\xad]"
)
_CLOSED = {
    "script": re.compile(r"(?i)</script\s*>"),
    "style": re.compile(r"(?i)</style\s*>"),
    "comment": re.compile("-->"),
}
_HUGE = re.compile("&#[0-9]{4300,};?")  # more digits than Python turns into a number

_ATTRIBUTES = r"(?:\s[^<>=]*=[^<>]*|\s*/?)>"  # with "=", so "a <b and c> d" has no tag
_INLINE = re.compile(
    rf"(?i)</?(?:a|abbr|b|em|font|i|mark|small|span|strong|sub|sup|u){_ATTRIBUTES}"
)
_BLOCK = re.compile(rf"(?i)</?[a-z][a-z0-9]*{_ATTRIBUTES}|<![a-z][^<>]*>")

# A long line that continues in the next.
_WRAPPED = re.compile(r"\n(?<=[^\n.!?:;]{50}\n)(?=[a-z])")
_BULLET = re.compile(
    r"\n\s*(?:[*+–—-]\s)?|[•‣▪●◦■◆►✓✔★]|\s\*\s|(?<!\d)\s[–—-]\s|\s[–—-]\s(?!\d)"  # not "10 - 20 cm"
)
_NUMBER = re.compile(r"(?:^|\s)\(?\d{1,2}[.)]\s")
_END = re.compile(
    r"(?<=[.!?…])\s|(?<=[.!?…][\"'”’)\]])\s|(?<=[\u3002\uff01\uff1f])"  # 3: Chinese
    r"|(?<=[a-z]{3}[.!?])(?<!www\.)(?=[A-Z][a-z])"  # the space is missing: "wash.Made in"
)
# Where to cut a long sentence: after a semicolon, else a comma, else at a space, else anywhere.
_CUT = re.compile(
    r"|".join(rf".{{200,399}}{mark}(?=\s)" for mark in ("[;:|]", ",", "")) + "|.{400}"
)
# A full stop after these does not end a sentence. After a unit it does if a capital follows.
_TITLE = re.compile(
    r"(?:^|[\s(])(?:(?:\w\.){2,}|[A-Z]\.|(?i:approx|ca|dr|fig|incl|mrs?|ms|no|prof|st|vs)\.)$"
)
_UNIT = re.compile(
    r"\b(?i:cm|co|corp|etc|fl|ft|gal|inc|kg|lbs?|ltd|max|min|ml|mm|oz|pcs?|pt|qt|yd)\.$"
    r"|\d\s?(?i:in|g|l|m)\.$"
)


def item_sentences(item: Item, limit: int = 10) -> list[str]:
    """Return an item's text as sentences: title and brand, categories, then the description.

    HTML is read as a browser shows it. Bullets, list numbers and line breaks also end a sentence. A
    sentence of more than 400 characters is cut, if possible after a semicolon or a comma.

    Parameters
    ----------
    item
        The item.
    limit
        Maximum number of sentences.

    Examples
    --------
    >>> item_sentences(Item("1", "Mug", "Norr", description="Holds 5 oz. of tea. Easy &amp; light"))
    ['Mug, Norr', 'Holds 5 oz. of tea.', 'Easy & light']
    """
    found = (piece for piece in _pieces(item) if re.search(r"\w", piece))
    return list(islice(found, limit))


def text_slots(
    item: Item, limit: int = 10, units: Literal["sentences", "whole"] = "sentences"
) -> list[str]:
    """Return what the text encoder reads of an item: each sentence, or all of them as one text.

    >>> text_slots(Item("1", "Mug", description="Blue. Light."), units="whole")
    ['Mug Blue. Light.']
    """
    found = item_sentences(item, limit)
    return [" ".join(found)] if found and units == "whole" else found


def item_texts(items: Mapping[str, Item], item_ids: Iterable[str]) -> list[str]:
    """Return each item's sentences as one text; ids without an item, like padding, have none."""
    return [" ".join(item_sentences(items[i])) if i in items else "" for i in item_ids]


def _pieces(item: Item) -> Iterator[str]:
    """Yield the sentences of an item, and what lies between them."""
    title, brand, *categories = map(_plain, (item.title, item.brand, *item.categories))
    for names in ((title, brand), categories):
        yield " ".join(", ".join(filter(None, names)).split())
    for block in (item.description, item.text):
        lines = _WRAPPED.sub(" ", _plain(block))
        if re.match(r"\(?1[.)]\s", lines):  # a numbered list
            lines = _NUMBER.sub("\n", lines)
        for line in filter(str.strip, _BULLET.split(lines)):
            yield from _sentences(line)


def _plain(text: str) -> str:
    for _ in range(2):  # some sources escape twice
        text = html.unescape(_HUGE.sub("\ufffd", text))
    text = _BLOCK.sub("\n", _INLINE.sub("", _without_unseen(text)))
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _without_unseen(text: str) -> str:
    """Remove scripts, styles, comments and characters without width.

    The words of a script or comment that is never closed stay.
    """
    kept, end, unclosed = [], 0, set()
    for start in _UNSEEN.finditer(text):
        name = start.lastgroup
        if start.start() < end or name in unclosed:
            continue
        closed = _CLOSED[name].search(text, start.end()) if name else start
        if closed:
            kept.append(text[end : start.start()])
            end = closed.end()
        else:
            unclosed.add(name)
    return "".join([*kept, text[end:]])


def _sentences(line: str) -> Iterator[str]:
    """Split one line at the ends of its sentences, and long sentences at commas or spaces."""
    pieces: list[str] = []  # of the sentence that is being read
    for piece in (" ".join(part.split()) for part in _END.split(line)):
        last = pieces[-1] if pieces else ""
        if last.endswith(".") and (
            _TITLE.search(last) or (_UNIT.search(last) and not piece[:1].isupper())
        ):
            pieces.append(piece)
        elif piece:
            yield from _cut(" ".join(pieces))
            pieces = [piece]
    yield from _cut(" ".join(pieces))


def _cut(sentence: str) -> Iterator[str]:
    start = 0
    while len(sentence) - start > LONGEST and (cut := _CUT.match(sentence, start)):
        yield cut[0]
        start = cut.end() + sentence[cut.end()].isspace()
    yield sentence[start:]
