"""The shop window as HTML: the history, the shelf and the offers, and its still version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course.display import escape
from course.gallery import images_html
from course.history import READINGS, History
from course.pictures import Picture, picture_html

if TYPE_CHECKING:
    from course.offers import Offer
    from course.taps import Choice

_BOTH = '<span class="sign both">in both</span> '
# Sizes are those that the last row of a room can read; 44 pixels are enough for a finger.
STYLE = """<style>
.msm4sr-window{font-size:18px;padding:0 8px;color:var(--jp-ui-font-color1,#111);line-height:1.3}
.msm4sr-window .bar{display:flex;flex-wrap:wrap;gap:6px 20px;align-items:center;margin:4px 0}
.msm4sr-window select,.msm4sr-window button{font:inherit;min-height:44px;min-width:44px;
border:1px solid #767676;border-radius:6px;background:var(--jp-layout-color1,#fff);
color:inherit;max-width:100%}
.msm4sr-window button:disabled{opacity:.3}
.msm4sr-window .head{font-size:24px;font-weight:bold;margin:8px 0 4px}
.msm4sr-window .row{display:flex;flex-wrap:wrap;gap:10px;list-style:none;margin:0;padding:4px}
.msm4sr-window .shelf{flex-wrap:nowrap;overflow-x:auto}
.msm4sr-window .card{box-sizing:border-box;width:172px;padding:6px;border:3px solid #BBB;
border-radius:8px;text-align:center;overflow-wrap:anywhere;display:flex;flex-direction:column;gap:4px}
.msm4sr-window .card .name{flex:1;font-weight:bold}
.msm4sr-window .card select{width:100%;font-size:16px}
.msm4sr-window .card .keys{display:flex;justify-content:space-between}
.msm4sr-window img{background:#fff;max-width:100%}
.msm4sr-window .exchanged{border:3px dashed #D55E00}
.msm4sr-window .text img,.msm4sr-window .image .name{opacity:.2}
.msm4sr-window .text,.msm4sr-window .image{border-color:#0072B2}
.msm4sr-window button.tile{width:124px;flex:none;font-size:15px;padding:4px;display:flex;
flex-direction:column;align-items:center;gap:2px}
.msm4sr-window .lists{display:flex;flex-wrap:wrap;gap:8px 28px}
.msm4sr-window .list{flex:1 1 340px;min-width:0}
.msm4sr-window .offers{display:grid;gap:10px;list-style:none;margin:4px 0;padding:0;
grid-template-columns:repeat(auto-fill,minmax(max(136px,17%),1fr))}
.msm4sr-window .two .offers{grid-template-columns:repeat(auto-fill,minmax(112px,1fr))}
.msm4sr-window .offers li,.msm4sr-window .name{overflow-wrap:break-word;hyphens:auto}
.msm4sr-window .offers button{padding:4px;width:100%;font-weight:bold;display:flex;
flex-direction:column;align-items:center}
.msm4sr-window .offers button span{max-width:100%}
.msm4sr-window .offers img{width:100%!important;max-width:200px;height:auto!important}
.msm4sr-window .offers .msm4sr-none{width:100%;height:auto!important;aspect-ratio:1;
display:grid;place-items:center;line-height:1.2!important}
.msm4sr-window .sign{background:#E69F00;color:#111;border-radius:4px;padding:0 6px;
font-weight:bold;font-size:15px}
.msm4sr-window .sign.both{background:#56B4E9}
.msm4sr-window .why{font-size:16px}
@media(max-width:600px){.msm4sr-window .row{flex-wrap:nowrap;overflow-x:auto}
.msm4sr-window .card{flex:none}.msm4sr-window .offers{
grid-template-columns:repeat(auto-fill,minmax(112px,1fr))}}
</style>"""


def _frame(inside: str) -> str:
    return f'{STYLE}<div class="msm4sr-window" lang="en">{inside}</div>'


def _head(text: str) -> str:
    return f'<div class="head" role="heading" aria-level="3">{escape(text)}</div>'


def select_html(name: str, label: str, options: Mapping[str, str], chosen: str) -> str:
    """Return a list whose choice is reported; ``options`` are values and what they say."""
    inside = "".join(
        f'<option value="{escape(value)}"{" selected" * (value == chosen)}>{escape(says)}</option>'
        for value, says in options.items()
    )
    return f'<select data-tap="{escape(name)}" aria-label="{escape(label)}">{inside}</select>'


def select_choices(name: str, label: str, options: Mapping[str, str]) -> list[Choice]:
    """Return the same choices for a list of words."""
    return [(f"{label}: {says}", name, value) for value, says in options.items()]


def history_html(
    history: History, pictures: Mapping[str, Picture], starts: Sequence[str], start: str
) -> tuple[str, list[Choice]]:
    """Return the history with what can be done to it, as HTML and as choices in words."""
    begin = {name: name for name in starts}
    readings: dict[str, str] = {str(key): says for key, says in READINGS.items()}
    kinds = {reading for _, reading in history.entries}
    common = next(iter(kinds)) if len(kinds) == 1 else ""
    of_all = readings if common else {"": "(differ)", **readings}
    bar = (
        f'<div class="bar"><label>Start with {select_html("start", "start with", begin, start)}'
        "</label><label>The model reads of all items "
        f"{select_html('read-all', 'read of all items', of_all, common)}</label></div>"
    )
    choices = select_choices("start", "start with", begin)
    choices += select_choices("read-all", "read of all items", readings)
    cards, count = [], len(history.entries)
    for n, (item_id, reading) in enumerate(history.entries, 1):
        title = f"{n}. {pictures[item_id].title}"
        keys = []
        for act, sign, says, off in (
            ("earlier", "◀", "Move earlier", n == 1),
            ("remove", "✕", "Remove", False),
            ("later", "▶", "Move later", n == count),
        ):
            keys.append(
                f'<button data-tap="{act}:{n}" aria-label="{says}: {escape(title)}"'
                f"{' disabled' * off}>{sign}</button>"
            )
            choices += [] if off else [(f"{says}: {title}", f"{act}:{n}", "")]
        label = f"The model reads of {title}"
        choices += select_choices(f"read:{n}", label, readings)
        cards.append(
            f'<li class="card {reading}">{_picture(pictures[item_id], 132)}'
            f'<span class="name">{escape(title)}</span>'
            f"{select_html(f'read:{n}', label, readings, reading)}"
            f'<div class="keys">{"".join(keys)}</div></li>'
        )
    shown = f'<ol class="row">{"".join(cards)}</ol>' if cards else "<p>The history is empty.</p>"
    return _frame(f"{bar}{_head('History, oldest first')}{shown}"), choices


def _picture(picture: Picture, size: int) -> str:
    return f'<div style="text-align:center">{picture_html(picture.image, size)}</div>'


def shelf_html(
    kinds: Mapping[str, Sequence[str]], kind: str, pictures: Mapping[str, Picture]
) -> tuple[str, list[Choice]]:
    """Return the items of one kind to add by a tap, as HTML and as choices in words."""
    options = {name: f"{name} ({len(items)})" for name, items in kinds.items()}
    tiles = "".join(
        f'<button class="tile" data-tap="add:{escape(item)}"'
        f' aria-label="Add {escape(pictures[item].title)}">'
        f"{picture_html(pictures[item].image, 96)}{escape(pictures[item].title)}</button>"
        for item in kinds[kind]
    )
    choices = select_choices("kind", "shelf", options)
    choices += [(f"Add {pictures[item].title}", f"add:{item}", "") for item in kinds[kind]]
    bar = f'<div class="bar">{_head("Tap to add")}{select_html("kind", "shelf", options, kind)}'
    return _frame(f'{bar}</div><div class="row shelf" data-group="shelf">{tiles}</div>'), choices


def offers_html(
    lists: Sequence[tuple[str, Sequence[Offer], set[str], str]],
    models: Sequence[str],
    pictures: Mapping[str, Picture],
    summary: str,
) -> tuple[str, list[Choice]]:
    """Return one or two lists of offers side by side, as HTML and as choices in words.

    Parameters
    ----------
    lists
        The model's name, its offers, which of them are new, and a note about the list.
    models
        The names of all models.
    pictures
        By item id.
    summary
        Is also read out.
    """
    blocks: list[str] = []
    choices: list[Choice] = []
    bar = ""
    both = set.intersection(*({o.item_id for o in offers} for _, offers, *_ in lists))
    for side, (name, offers, new, note) in zip(("first", "second"), lists, strict=False):
        options = {one: one for one in models}
        if side == "second":
            options = {"": "no second model", **options}
        bar += f"<label>{side} model {select_html(side, f'{side} model', options, name)}</label>"
        choices += select_choices(side, f"{side} model", options)
        choices += [(f"Add {pictures[o.item_id].title}", f"add:{o.item_id}", "") for o in offers]
        tiles = "".join(
            f'<li><button data-tap="add:{escape(o.item_id)}"'
            f' aria-label="Add {escape(pictures[o.item_id].title)}">'
            f"{picture_html(pictures[o.item_id].image, 170)}"
            f"<span>{rank}. {escape(pictures[o.item_id].title)}</span></button>"
            f"{'<span class=sign>new</span> ' * (o.item_id in new)}"
            f"{_BOTH * (o.item_id in both)}"
            f'<span class="why">{escape(o.reason)}</span></li>'
            for rank, o in enumerate(offers, 1)
        )
        if name:
            shown = f'<ol class="offers" data-group="{side}">{tiles}</ol>' if offers else ""
            empty = "" if offers else "<p>No offers.</p>"
            says = f"<p><strong>{escape(f'{name}. {note}' if note else name)}</strong></p>"
            blocks.append(f'<div class="list">{says}{shown}{empty}</div>')
    two = " two" if len(blocks) == 2 else ""
    status = f"<p data-status>{escape(summary)}</p>"
    return _frame(
        f'<div class="bar">{_head("Offers")}{bar}</div>{status}'
        f'<div class="lists{two}">{"".join(blocks)}</div>'
    ), choices


def empty_html() -> str:
    """Return what stands in the place of offers after an empty history."""
    return _frame(
        f"{_head('Offers')}<p data-status>The history is empty. Tap an item to add it.</p>"
    )


def still(
    history: History, lists: Mapping[str, Sequence[Offer]], pictures: Mapping[str, Picture]
) -> tuple[str, str]:
    """Return a history and the offers of some models without controls, as HTML and as text."""
    read = [
        pictures[item].title + ("" if reading == "both" else f" ({READINGS[reading]})")
        for item, reading in history.entries
    ]
    images = [pictures[item].image for item in history.items]
    blocks = [images_html(images, read, caption="The history, oldest first", size=110)]
    lines = [f"history: {', '.join(read)}"]
    for name, offers in lists.items():
        titles = [f"{n}. {pictures[o.item_id].title}" for n, o in enumerate(offers, 1)]
        blocks.append(
            images_html(
                [pictures[o.item_id].image for o in offers],
                titles,
                [[o.reason] for o in offers],
                columns=5,
                size=110,
                caption=f"The offers of {name}, best first, each with its reason",
            )
        )
        said = [f"{t} ({o.reason})" for t, o in zip(titles, offers, strict=True)]
        lines.append(f"{name} offers: {'; '.join(said)}")
    html = "".join(f'<div style="overflow-x:auto">{block}</div>' for block in blocks)
    return html, "\n".join(lines)
