"""A user's sequence as a strip of cards: what the model reads at every position.

A card shows one modality of an item: its text, or its image with the keywords that CLIP found. The
frame of a text card is solid, that of an image card is dashed, so that they also differ in print
without colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from course.display import escape
from course.gallery import image_tag
from course.style import PALETTE

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Item

_FRAME = {"text": f"3px solid {PALETTE[0]}", "image": f"3px dashed {PALETTE[1]}"}


class Card(NamedTuple):
    """One modality of an item: a table cell for the eye, and the same as plain text."""

    html: str
    text: str


def item_card(
    item: Item,
    modality: Literal["text", "image"],
    folder: Path,
    keywords: Sequence[Sequence[str]] = (),
    size: int = 64,
    note: str = "",
) -> Card:
    """Make the card of one modality of an item.

    Parameters
    ----------
    item
        The item.
    modality
        Its text or its first image.
    folder
        Where the image lies, ``Dataset.image_root``.
    keywords
        The keywords of each of its images, best first.
    size
        Longer side of the image in pixels.
    note
        Words above the item, such as "target"; a card with a note is tinted.
    """
    if modality == "text":
        text = item.title or "no title" if item.has_text else "no text"
        inside = f"<strong>{escape(text)}</strong><br>{escape(_opening(item))}"
    elif item.images:
        text = "image: " + (", ".join(keywords[0]) if keywords else "no keywords")
        inside = image_tag(folder / item.images[0], text, size) + escape(text[7:])
    else:
        text = inside = "no image"
    style = (
        f"border:{_FRAME[modality]};padding:4px;width:{size + 40}px;font-size:85%;line-height:1.3;"
        "text-align:center;vertical-align:middle;white-space:normal;overflow-wrap:anywhere"
    )
    if note:
        style += ";background:#fff3c4;color:#111"
        inside, text = f"<strong>{escape(note)}</strong><br>{inside}", f"{note}: {text}"
    return Card(f'<td style="{style}">{inside}</td>', text)


def blank_card(words: str = "") -> Card:
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
        Name of a sequence and its cards, made by :func:`item_card`; all of one length.
    positions
        What to write above each position.
    caption
        Stands below.

    Returns
    -------
    html, text
        For :func:`~course.show_html`, or as the drawing of a panel.
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
