"""The drawings of the course: vector graphics that a notebook, a page and a slide can show.

They lie in ``drawings/``. All have the same width, colours and classes; a new one starts as a copy.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from course.display import escape, show_html
from course.figures import data_uri

FOLDER = Path(__file__).with_name("drawings")


def describe(svg: str) -> str:
    """Return the title and the description of a drawing."""
    title, words = (
        unescape(found[1])
        for tag in ("title", "desc")
        if (found := re.search(rf"<{tag}[^>]*>([^<]*)</{tag}>", svg))
    )
    return f"{title}: {words}"


def drawing(name: str) -> None:
    """Show the drawing ``drawings/NAME.svg``; its title and description are its plain version.

    The drawing stands in an ``img``: JupyterLab removes a bare ``svg`` from a notebook that it
    does not trust, and the style of one would change the page around it.

    Raises
    ------
    ValueError
        If there is no such drawing.
    """
    path = FOLDER / f"{name}.svg"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.svg")))
        raise ValueError(f"no drawing {name!r} in course/drawings; choose one of {known}")
    svg = path.read_text(encoding="utf-8")
    words = describe(svg)
    style = "display:block;width:100%;max-width:820px;height:auto"
    source = data_uri(svg.encode(), "svg+xml")
    image = f'<img src="{source}" alt="{escape(words)}" style="{style}">'
    show_html(f'<figure style="margin:0">{image}</figure>', f"[drawing] {words}")
