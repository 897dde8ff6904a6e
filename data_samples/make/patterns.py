"""The six patterns: which pixels get the accent colour.

A pattern is a mask (255 = accent). It is drawn once per angle and zoom, cached, and cropped for
each image: drawing it anew every time would take longer than all the rest.
"""

from __future__ import annotations

import math
from functools import lru_cache

from PIL import Image, ImageDraw

from data_samples.make.pen import LARGE, Outline, box, oval, points

PATTERNS = ("plain", "striped", "dotted", "checked", "zigzag", "floral")
MARGIN = 96  # pixels of the large image by which a pattern may be shifted

FLOWER: list[tuple[Outline, int]] = [
    *(
        (oval(3.9 * math.cos(a), 3.9 * math.sin(a), 2.75, 2.75), 255)
        for a in (math.radians(72 * petal - 90) for petal in range(5))
    ),
    (oval(0, 0, 1.9, 1.9), 0),
    (points("6.3,1.6 8.5,-1.2 10.7,1.6 8.5,3"), 255),
]
# One repeat of each pattern: its edge, whether every other row is shifted by half of it, and
# outlines with their fill (255 = accent, 0 = main colour), in hundredths of the image.
REPEATS: dict[str, tuple[float, bool, list[tuple[Outline, int]]]] = {
    "striped": (11, False, [(box(0, 0, 11, 5.3), 255)]),
    "dotted": (11, True, [(oval(0, 0, 3.1, 3.1), 255)]),
    "checked": (13, False, [(box(0, 0, 6.5, 6.5), 255), (box(6.5, 6.5, 13, 13), 255)]),
    "zigzag": (12, False, [(points("0,0 6,6.2 12,0 12,5.3 6,11.5 0,5.3"), 255)]),
    "floral": (17, True, FLOWER),
}


@lru_cache(maxsize=64)
def pattern_mask(pattern: str, angle: int, zoom: float) -> Image.Image:
    """Mask of a pattern, ``LARGE + MARGIN`` pixels wide and high.

    Parameters
    ----------
    pattern
        One of ``PATTERNS`` but "plain".
    angle
        Degrees by which the pattern is turned, clockwise.
    zoom
        Enlargement; 1 is the size on a whole product.

    Returns
    -------
    mask
        Mode "L": 255 where the accent colour goes, 0 elsewhere. Shared: do not draw on it.
    """
    size = LARGE + MARGIN
    mask = Image.new("L", (size, size))
    draw = ImageDraw.Draw(mask)
    turn, unit = math.radians(angle), zoom * LARGE / 100
    cos, sin = math.cos(turn) * unit, math.sin(turn) * unit
    edge, staggered, outlines = REPEATS[pattern]
    # The grid must cover the image at every angle: half its diagonal to each side.
    reach = math.ceil(0.75 * size / (unit * edge))
    for row in range(-reach, reach + 1):
        shift = edge / 2 if staggered and row % 2 else 0.0
        for column in range(-reach, reach + 1):
            left, top = column * edge + shift, row * edge
            for outline, fill in outlines:
                moved = [(left + x, top + y) for x, y in outline]
                pixels = [(cos * x - sin * y, sin * x + cos * y) for x, y in moved]
                draw.polygon([(round(size / 2 + x), round(size / 2 + y)) for x, y in pixels], fill)
    return mask
