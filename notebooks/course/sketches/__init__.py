"""What the drawings of the course are made from.

After a change here, ``python -m course.sketches`` (run in ``notebooks/``) writes the files in
``course/drawings/`` anew; :func:`course.drawing` shows one.
"""

from __future__ import annotations

from importlib import import_module

# One file for one or two notebooks, in the order of the course.
CHAPTERS = ("sequences", "features", "mixing", "encoder", "losses", "training", "method")


def build() -> dict[str, str]:
    """Return the text of every drawing by the name of its file."""
    drawn = [draw() for name in CHAPTERS for draw in import_module(f"{__name__}.{name}").DRAWINGS]
    return {f"{canvas.name}.svg": canvas.svg() for canvas in drawn}
