"""A customer's sequence as a strip of cards: what the model reads at every position.

A card shows an item in one view: its text in words, or its picture with the keywords that CLIP
found. The frame of a text card is solid, that of a picture card is dashed, so that print without
colour tells them apart too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from course.display import escape
from course.gallery import thumbnail
from course.style import PALETTE

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Item

_FRAME = {"text": f"3px solid {PALETTE[0]}", "image": f"3px dashed {PALETTE[1]}"}


class Card(NamedTuple):
    """One item in one view: a table cell for the eye, and the same in plain words."""

    html: str
    text: str


def card(
    item: Item,
    view: Literal["text", "image"],
    folder: Path,
    keywords: Sequence[Sequence[str]] = (),
    size: int = 64,
    note: str = "",
) -> Card:
    """Make the card of one item in one view.

    Parameters
    ----------
    item
        The product.
    view
        Its text or its first picture.
    folder
        The shop folder, where the picture lies.
    keywords
        The words of each of its pictures, best first.
    size
        Longer side of the picture in pixels.
    note
        Words above the item, such as "target"; a card with a note is tinted.
    """
    if view == "text":
        text = item.title or "no title" if item.has_text else "no text"
        inside = f"<strong>{escape(text)}</strong><br>{escape(_opening(item))}"
    elif item.images:
        text = "picture: " + (", ".join(keywords[0]) if keywords else "no keywords")
        source = thumbnail(folder / item.images[0], size)
        inside = f'<img alt="{escape(text)}" src="{source}"><br>{escape(text[9:])}'
    else:
        text = inside = "no picture"
    style = (
        f"border:{_FRAME[view]};padding:4px;width:{size + 40}px;font-size:85%;line-height:1.3;"
        "text-align:center;vertical-align:middle;white-space:normal;overflow-wrap:anywhere"
    )
    if note:
        style += ";background:#fff3c4;color:#111"
        inside, text = f"<strong>{escape(note)}</strong><br>{inside}", f"{note}: {text}"
    return Card(f'<td style="{style}">{inside}</td>', text)


def blank(words: str = "") -> Card:
    """Make an empty place in a strip, with some words in it or none."""
    style = "text-align:center;vertical-align:middle;color:#555;background:none"
    return Card(f'<td style="{style}">{escape(words)}</td>', words or "-")


def _opening(item: Item, limit: int = 48) -> str:
    text = " ".join((item.description or item.text).split())
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + " …"


def strips(
    rows: Mapping[str, Sequence[Card]], positions: Sequence[object], caption: str
) -> tuple[str, str]:
    """Put sequences below one another, position under position.

    Parameters
    ----------
    rows
        Name of a sequence and its cards, made by :func:`card`; all of one length.
    positions
        What to write above each position.
    caption
        Stands below.

    Returns
    -------
    html, text
        For :func:`~course.show_html`, or as the view of a panel.
    """
    plain = 'style="background:none"'
    head = "".join(f'<th style="text-align:center">{escape(place)}</th>' for place in positions)
    body = "".join(
        f'<tr {plain}><th scope="row">{escape(name)}</th>{"".join(c.html for c in cards)}</tr>'
        for name, cards in rows.items()
    )
    table = (
        '<table role="presentation" style="border-collapse:separate;border-spacing:4px">'
        f"<tr {plain}><td></td>{head}</tr>{body}</table>"
    )
    lines = [f"{name}: {' | '.join(c.text for c in cards)}" for name, cards in rows.items()]
    return (
        f'<figure style="margin:0">{table}<figcaption>{escape(caption)}</figcaption></figure>',
        "\n".join([f"[strips] {caption}", *lines]),
    )
