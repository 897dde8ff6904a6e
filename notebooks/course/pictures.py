"""Items chosen by picture: a grid of thumbnails for a finger, a pointer, or the arrow keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from course.controls import Control, listed
from course.display import escape, isolate
from course.figures import data_uri
from course.gallery import ImageSource, make_thumbnail
from course.taps import TapView
from msm4sr_lite.dataset.image_names import ImageError

if TYPE_CHECKING:
    from ipywidgets import Widget

    from msm4sr_lite.dataset.dataset import Dataset

_KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
_SMALL = 6_000  # bytes; a file up to this size is shown as it is
_GRID = (
    "display:grid;grid-template-columns:repeat(auto-fill,minmax(104px,1fr));gap:8px;padding:6px;"
    "max-height:330px;overflow-y:auto;border:1px solid var(--jp-border-color1,#bbb)"
)
_STYLE = (
    "<style>.msm4sr-taps .msm4sr-tile{background:#fff;color:#111;border:3px solid transparent;"
    "border-radius:6px;padding:4px;text-align:center;font-size:13px;line-height:1.25;"
    "overflow-wrap:anywhere;min-height:96px}.msm4sr-taps .msm4sr-tile[aria-checked=true]{"
    "border-color:#0072B2;font-weight:bold}.msm4sr-tile img{display:block;margin:0 auto 2px;"
    "max-width:100%;height:auto}</style>"
)


class Picture(NamedTuple):
    """An item to choose: its id, what to call it, and its image, if there is one."""

    item_id: str
    title: str
    image: ImageSource = None


def item_pictures(dataset: Dataset, items: Iterable[str] | None = None) -> list[Picture]:
    """Return items of a dataset, by default all, for :func:`picture_choice`."""
    found = []
    for item_id in dataset.items if items is None else items:
        item = dataset.items[item_id]
        image = dataset.image_root / item.images[0] if item.images else None
        found.append(Picture(item_id, item.title or item_id, image))
    return found


def picture_choice(
    name: str, items: Sequence[Picture], start: str | None = None, label: str = ""
) -> Control:
    """Make a grid of pictures; its value is the id of the chosen item.

    Parameters
    ----------
    name
        The keyword of the panel's ``draw``.
    items
        ``Picture(item_id, title, image)``; :func:`item_pictures` makes them from a dataset.
    start
        The id to begin with, by default the first.
    label
        What is chosen, for readers and screen readers.
    """
    pictures = tuple(Picture(*item) for item in items)
    ids = [picture.item_id for picture in pictures]
    return replace(listed("picture", name, ids, start, label), pictures=pictures)


@lru_cache(4096)
def thumbnail(path: Path, size: int) -> str:
    """Return an image file as a data URI, "" if it is missing or damaged; a small file as it is."""
    kind = _KINDS.get(path.suffix.lower())
    try:
        if kind and path.is_file() and path.stat().st_size <= _SMALL:
            return data_uri(path.read_bytes(), kind)
        return make_thumbnail(path, size)
    except (ImageError, OSError, StopIteration):
        return ""


def picture_html(source: ImageSource, size: int, alt: str = "") -> str:
    """Return an image as a square of ``size`` pixels, or an empty square that says so.

    ``alt`` is left empty where the title stands beside the picture.
    """
    if isinstance(source, (str, Path)):
        address = thumbnail(Path(source), size)
    else:
        address = "" if source is None else make_thumbnail(source, size)
    if address:
        box = f"width:{size}px;height:{size}px;object-fit:contain"
        return f'<img alt="{escape(alt)}" src="{address}" width="{size}" style="{box}">'
    room = f"height:{size}px;line-height:{size}px;outline:1px dashed #767676"
    return f'<div class="msm4sr-none" style="{room}">no image</div>'


def grid_html(pictures: Sequence[Picture], label: str) -> str:
    """Return the grid: a group of radio buttons, of which the arrow keys reach each."""
    tiles = "".join(
        f'<div role="radio" aria-checked="false" tabindex="-1" class="msm4sr-tile"'
        f' data-tap="{escape(picture.item_id)}" aria-label="{escape(picture.title)}">'
        f"{picture_html(picture.image, 80)}{escape(picture.title)}</div>"
        for picture in pictures
    )
    named = f'role="radiogroup" aria-label="{escape(label)}" data-group="pictures"'
    return f'{_STYLE}<div {named} style="{_GRID}">{tiles}</div>'


def make_grid(control: Control) -> tuple[Widget, Widget]:
    """Return the list that holds the control's value, and the grid and the list to show.

    The list is there for front ends that cannot show the grid; the grid hides it.
    """
    import ipywidgets

    def take(name: str, _: str) -> None:
        if (value := pick_value(control, name)) is not None:
            holder.value = value

    grid = TapView(control.label, take)
    holder = grid.list
    holder.unobserve(grid.picked, "value")
    holder.options = [(isolate(p.title), p.item_id) for p in control.pictures]
    holder.value = control.start
    grid.view.value = grid_html(control.pictures, control.label)
    grid.choose(isolate(control.start))
    holder.observe(lambda change: grid.choose(isolate(change["new"])), "value")
    heading = ipywidgets.HTML(f"<strong>{escape(control.label)}</strong>")
    grid.box.children = (heading, *grid.box.children)
    return holder, grid.box


def pick_value(control: Control, tapped: str) -> Any:
    """Return the value of a control that a tapped part of a drawing names, None if there is none.

    >>> pick_value(listed("choice", "place", [1, 2], None, ""), "2")
    2
    """
    return next((value for value in control.values if isolate(value) == tapped), None)
