"""Figures that a screen reader can read, in as few bytes as they need.

JupyterLab and nbconvert drop the alternative text of PNG outputs, but keep it in HTML; so a
figure is shown as an HTML ``<figure>`` that carries its image inside.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from typing import TYPE_CHECKING

from course.display import escape, isolate, show_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BYTE_LIMIT = 60_000
LONGEST = 120  # characters of a title or label
# The formulas of the course, such as $h_t$, and those with which matplotlib labels axes.
_FORMULA = re.compile(r"\$(\\?[a-z]+(_[a-z])?|\\mathdefault\{[^$]*\})\$")
_SHARP = 130  # dots per inch in a live panel
# Tried in this order until the image is small enough: dots per inch, colours.
_ATTEMPTS = ((100, 256), (100, 64), (80, 64), (64, 32))


def _png(figure: Figure) -> tuple[bytes, tuple[int, int]]:
    """Return the first attempt within the limit, and its width and height in pixels."""
    from PIL import Image

    size = 0
    for dpi, colours in _ATTEMPTS:
        full, small = io.BytesIO(), io.BytesIO()
        figure.savefig(full, format="png", dpi=dpi, pil_kwargs={"compress_level": 1})
        image = Image.open(full).convert("RGB")
        image.quantize(colours, dither=Image.Dither.NONE).save(small, "PNG")
        if (size := len(small.getvalue())) <= BYTE_LIMIT:
            return small.getvalue(), image.size
    raise ValueError(
        f"a figure must fit into {BYTE_LIMIT} bytes; this one takes {size} even at"
        f" {_ATTEMPTS[-1][0]} dots per inch; make it smaller or show fewer points"
    )


def _clean_texts(figure: Figure) -> None:
    """Make titles and labels from data harmless, whatever they hold."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        given = text.get_text()
        shown = isolate(given).strip("\u2068\u2069")
        if len(shown) > LONGEST:
            shown = shown[: LONGEST - 1] + "…"
        if shown != given:
            text.set_text(shown)
        if "$" in shown and not _FORMULA.search(shown):
            text.set_parse_math(False)  # prices are no formula


def data_uri(data: bytes, kind: str) -> str:
    """Return image bytes of ``kind`` ("png", "jpeg") as an address that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _sharp(figure: Figure) -> tuple[bytes, tuple[int, int]]:
    """Return the figure for a screen, whatever its size in bytes, and its size in pixels."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=_SHARP, pil_kwargs={"compress_level": 1})
    width, height = figure.get_size_inches() * _SHARP
    return png.getvalue(), (round(width), round(height))


def figure_html(figure: Figure, alt: str, caption: str = "", *, wide: bool = False) -> str:
    """Return a matplotlib figure as an HTML ``<figure>`` and close it.

    A ``wide`` figure, for live panels, fills the page up to its pixels or the height of a window.

    Raises
    ------
    ValueError
        If ``alt`` is empty, or if the image cannot be made to fit into 60 kB.
    """
    import matplotlib.pyplot as plt

    try:
        if not alt.strip():
            raise ValueError("a figure needs alternative text: say in alt= what it shows")
        _clean_texts(figure)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph|Matplotlib currently does not support")
            png, (width, height) = (_sharp if wide else _png)(figure)
    finally:
        plt.close(figure)  # or Jupyter shows it once more, without its text
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    # With its size given, an image that is redrawn does not make the page jump.
    size = "max-width:100%;height:auto"
    if wide:
        size = "width:100%;max-width:1200px;max-height:78vh;object-fit:contain;object-position:left"
    return (
        f'<figure style="margin:0.5em 0"><img alt="{escape(alt)}" src="{data_uri(png, "png")}"'
        f' width="{width}" height="{height}" style="{size}">{below}</figure>'
    )


def show(figure: Figure, alt: str, caption: str = "") -> None:
    """Show a matplotlib figure with alternative text.

    Parameters
    ----------
    figure
        Is closed afterwards.
    alt
        What the figure shows, in words; compute the numbers in it from the data.
    caption
        Stands below the figure.
    """
    text = f"[figure] {alt}" + (f"\n{caption}" if caption else "")
    show_html(figure_html(figure, alt, caption), text)
