"""Split an item's text into sentences, even if it has HTML, lists or missing full stops."""

import html
import re
from collections.abc import Iterable, Mapping

from msm4sr_lite.dataset.dataset import Item

LONGEST = 400  # characters, about 100 tokens, which any BERT can read

# In this order: what a browser does not show, tags inside a line, and tags that end a line.
_UNSEEN = re.compile(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->|[\u200b\u2060\ufeff\xad]")
_ATTRIBUTES = r"(?:\s[^<>=]*=[^<>]*)?\s*/?>"  # with "=", so "a <b and c> d" has no tag
_INLINE = re.compile(
    rf"(?i)</?(?:a|abbr|b|em|font|i|mark|small|span|strong|sub|sup|u){_ATTRIBUTES}"
)
_BLOCK = re.compile(rf"(?i)</?[a-z][a-z0-9]*{_ATTRIBUTES}|<![a-z][^<>]*>")

_WRAPPED = re.compile(r"(?<=[^\n.!?:;]{50})\n(?=[a-z])")  # a long line that continues in the next
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
    if not item.has_text:
        return []
    title, brand, *categories = map(_plain, (item.title, item.brand, *item.categories))
    pieces = [", ".join(filter(None, (title, brand))), ", ".join(filter(None, categories))]
    pieces = [" ".join(piece.split()) for piece in pieces]
    for block in (item.description, item.text):
        lines = _WRAPPED.sub(" ", _plain(block))
        if re.match(r"\(?1[.)]\s", lines):  # a numbered list
            lines = _NUMBER.sub("\n", lines)
        pieces += [s for line in _BULLET.split(lines) for s in _sentences(line)]
    return [piece for piece in pieces if re.search(r"\w", piece)][:limit]


def item_texts(items: Mapping[str, Item], item_ids: Iterable[str]) -> list[str]:
    """Return each item's sentences as one text; ids without an item, like padding, have none."""
    return [" ".join(item_sentences(items[i])) if i in items else "" for i in item_ids]


def _plain(text: str) -> str:
    text = html.unescape(html.unescape(text))  # some sources escape twice
    text = _BLOCK.sub("\n", _INLINE.sub("", _UNSEEN.sub("", text)))
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _sentences(line: str) -> list[str]:
    """Split one line at the ends of its sentences, and long sentences at commas or spaces."""
    found: list[str] = []
    for piece in (" ".join(part.split()) for part in _END.split(line)):
        continues = found and (
            _TITLE.search(found[-1]) or (_UNIT.search(found[-1]) and not piece[:1].isupper())
        )
        if continues:
            found[-1] += f" {piece}"
        elif piece:
            found.append(piece)
    parts = []
    for sentence in found:
        while len(sentence) > LONGEST and (cut := _CUT.match(sentence)):
            parts.append(cut[0])
            sentence = sentence[cut.end() :].lstrip()
        parts.append(sentence)
    return parts
