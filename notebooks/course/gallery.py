"""Item images side by side, each with its title and its keywords."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from course.display import escape, show_html
from course.figures import data_uri
from msm4sr_lite.dataset.image_names import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

ImageSource: TypeAlias = "Path | str | Image | None"


def _open(path: Path) -> Image:
    """Open an image as the library does: upright, and under names with another spelling."""
    from msm4sr_lite.features.images import open_image

    folder = next(parent for parent in path.parents if parent.is_dir())
    return open_image(folder, path.relative_to(folder).as_posix())


def make_thumbnail(source: Path | str | Image, size: int) -> str:
    """Return an image as a data URI of at most ``size`` by ``size`` pixels."""
    from PIL import Image

    image = _open(Path(source)) if isinstance(source, (str, Path)) else source
    rgba = image.convert("RGBA")
    rgba.thumbnail((size, size))
    flat = Image.new("RGB", rgba.size, "white")
    flat.paste(rgba, mask=rgba.getchannel("A"))
    png, jpeg = io.BytesIO(), io.BytesIO()
    flat.quantize(64, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)
    flat.save(jpeg, "JPEG", quality=82)
    if len(png.getvalue()) <= len(jpeg.getvalue()):  # drawings
        return data_uri(png.getvalue(), "png")
    return data_uri(jpeg.getvalue(), "jpeg")  # photos


def image_tag(source: ImageSource, label: str, size: int) -> str:
    """Return the HTML of an image, or of an empty place if it is missing or damaged."""
    if source is not None:
        with suppress(ImageError):
            return f'<img alt="{escape(label)}" src="{make_thumbnail(source, size)}"><br>'
    room = f"height:{size}px;line-height:{size}px;outline:1px dashed #767676"
    return f'<div style="{room}">no image</div>'


def _cell(source: ImageSource, title: str, words: Sequence[str], size: int) -> str:
    image = image_tag(source, title + (f": {', '.join(words)}" if words else ""), size)
    below = f"<br>{escape(', '.join(words))}" if words else ""
    return (
        f'<td style="text-align:center;vertical-align:top;width:{size + 24}px;'
        f'white-space:normal;overflow-wrap:anywhere">{image}'
        f"<strong>{escape(title)}</strong>{below}</td>"
    )


def images_html(
    images: Sequence[ImageSource],
    titles: Sequence[str],
    words: Sequence[Sequence[str]] = (),
    *,
    columns: int = 6,
    size: int = 96,
    caption: str = "",
) -> str:
    """Return what :func:`show_images` shows, for use inside a panel."""
    if len(titles) != len(images) or (words and len(words) != len(images)):
        raise ValueError(
            f"every image needs a title, and words for all or for none; got {len(images)}"
            f" images, {len(titles)} titles and words for {len(words)}"
        )
    cells = [
        _cell(image, title, below, size)
        for image, title, below in zip(images, titles, words or repeat(()), strict=False)
    ]
    rows = "".join(
        f'<tr style="background:none">{"".join(cells[start : start + columns])}</tr>'
        for start in range(0, len(cells), columns)
    )
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    # A table keeps the images side by side where style sheets are stripped (GitHub).
    return f'<figure style="margin:0"><table role="presentation">{rows}</table>{below}</figure>'


def show_images(
    images: Sequence[ImageSource],
    titles: Sequence[str],
    words: Sequence[Sequence[str]] = (),
    *,
    columns: int = 6,
    size: int = 96,
    caption: str = "",
) -> None:
    """Show item images in rows.

    Parameters
    ----------
    images
        Files or PIL images; ``None`` where an item has no image.
    titles
        One per image.
    words
        For each image the keywords that were found; none at all when empty.
    columns
        Images in a row.
    size
        Longer side of a thumbnail in pixels.
    caption
        Stands below.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    markup = images_html(images, titles, words, columns=columns, size=size, caption=caption)
    lines = [
        f"- {title}" + (f": {', '.join(below)}" if below else "")
        for title, below in zip(titles, words or repeat(()), strict=False)
    ]
    show_html(markup, "\n".join([f"[images] {caption}".rstrip(), *lines]))
