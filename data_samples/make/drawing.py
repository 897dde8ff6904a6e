"""Draw the products of the sample: 24 products, each in many looks and three views.

The images are drawn, not photographed. So anybody may use them, and their content is known
exactly: the product, its colour, the second colour of its pattern, the pattern and the silhouette.
Pillow only; no fonts, no global random state: the same arguments give the same pixels.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageDraw

from data_samples.make.patterns import MARGIN, PATTERNS, pattern_mask
from data_samples.make.pen import LARGE, OVERSAMPLING, RGB, SIZE, Pen, Placement, mix
from data_samples.make.silhouettes import SILHOUETTES

__all__ = ["COLOURS", "PATTERNS", "PRODUCTS", "SHAPES", "SIZE", "Look", "draw", "save_png"]

PRODUCTS: dict[str, tuple[str, ...]] = {
    "home": (
        *("mug", "bowl", "teapot", "vase", "lamp", "clock"),
        *("cushion", "chair", "pan", "basket", "towel", "candle"),
    ),
    "outdoor": (
        *("tent", "backpack", "bottle", "lantern", "boot", "jacket"),
        *("cap", "umbrella", "kite", "paddle", "sleeping bag", "cooler"),
    ),
}
COLOURS: dict[str, RGB] = {
    "red": (214, 40, 46),
    "orange": (243, 122, 28),
    "yellow": (252, 212, 50),
    "green": (48, 152, 76),
    "blue": (38, 104, 204),
    "purple": (124, 62, 172),
    "pink": (246, 140, 188),
    "brown": (126, 76, 42),
    "black": (44, 44, 50),
    "grey": (150, 154, 160),
}
SHAPES = ("round", "tall", "square")

BACKGROUNDS: tuple[RGB, ...] = (
    (250, 244, 232),
    (236, 244, 250),
    (238, 247, 238),
    (247, 240, 250),
    (252, 240, 236),
    (243, 243, 240),
)
CLOSE = 1.7  # enlargement of the detail view


@dataclass(frozen=True)
class Look:
    """What can be seen of a product.

    Attributes
    ----------
    product
        One of the names in ``PRODUCTS``.
    colour, accent
        Names in ``COLOURS``: the main colour, and the second one that the pattern uses
        (not visible, and ignored, when ``pattern`` is "plain").
    pattern
        One of ``PATTERNS``.
    shape
        One of ``SHAPES``: "round" bulges, "tall" is slim and high, "square" is boxy.
    """

    product: str
    colour: str
    accent: str
    pattern: str
    shape: str


def draw(look: Look, view: int, seed: int) -> Image.Image:
    """Draw one image of a product.

    Parameters
    ----------
    look
        What to draw.
    view
        0 = the whole product, centred; 1 = from the other side, leaning, before another
        background; 2 = a detail from close by, where the pattern is seen best.
    seed
        Varies background, position, size, light and where the pattern starts, nothing else.

    Returns
    -------
    image
        Mode "RGB", ``SIZE`` x ``SIZE`` pixels, the same for the same arguments.

    Raises
    ------
    ValueError
        If a word of the look is unknown or ``view`` is not 0, 1 or 2.
    """
    _check(look, view)
    rng = random.Random(f"{seed} {view}")
    silhouette, focus = SILHOUETTES[look.product]
    light = rng.uniform(-0.07, 0.07)
    colour, accent = (_lit(COLOURS[name], light) for name in (look.colour, look.accent))
    image = _background(view, rng, light)
    place = _placement(view, focus, rng)
    texture = _texture(look.pattern, colour, accent, place, rng)
    silhouette(Pen(image, texture, colour, place), look.shape)
    return image.reduce(OVERSAMPLING)


def save_png(image: Image.Image, path: Path | str | BinaryIO) -> None:
    """Save a drawn image as a small PNG with a palette of at most 64 colours.

    Loses what nobody sees: neighbouring tones of smoothed edges. Deterministic, no dithering.
    """
    small = image.quantize(colors=64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(path, format="PNG", optimize=True)


def _check(look: Look, view: int) -> None:
    known = (
        ("product", look.product, SILHOUETTES),
        ("colour", look.colour, COLOURS),
        ("accent", look.accent, COLOURS),
        ("pattern", look.pattern, PATTERNS),
        ("shape", look.shape, SHAPES),
        ("view", view, (0, 1, 2)),
    )
    for name, value, choices in known:
        if value not in choices:
            wanted = ", ".join(str(choice) for choice in choices)
            raise ValueError(f"{name} must be one of {wanted}; got {value!r}")


def _lit(colour: RGB, light: float) -> RGB:
    """Return the colour in a little more (positive) or less (negative) light."""
    return mix(colour, (255, 255, 255) if light > 0 else (0, 0, 0), abs(light))


def _background(view: int, rng: random.Random, light: float) -> Image.Image:
    tint = _lit(rng.choice(BACKGROUNDS), min(light, 0.0) / 2)
    if view == 0:
        return Image.new("RGB", (LARGE, LARGE), tint)
    wall, floor = mix(tint, (150, 160, 190), 0.16), mix(tint, (205, 180, 140), 0.22)
    image = Image.new("RGB", (LARGE, LARGE), wall)
    left, right = (round(LARGE * rng.uniform(0.66, 0.8)) for _ in range(2))
    corners = [(0, left), (LARGE, right), (LARGE, LARGE), (0, LARGE)]
    ImageDraw.Draw(image).polygon(corners, fill=floor)
    return image


def _placement(view: int, focus: tuple[float, float], rng: random.Random) -> Placement:
    zoom = rng.uniform(0.92, 1.04)
    x, y = rng.uniform(-3, 3), rng.uniform(-2, 2)
    if view == 2:
        return Placement(zoom=CLOSE * zoom, centre=focus, target=(50 + x, 50 + y))
    if view == 0:
        return Placement(zoom=zoom, target=(50 + x, 50 + y))
    angle, lean = rng.choice((-10, -6, 6, 10)), rng.choice((-0.12, 0.12))
    return Placement(0.94 * zoom, angle, mirror=True, lean=lean, target=(50 + x, 50 + y))


def _texture(
    pattern: str, colour: RGB, accent: RGB, place: Placement, rng: random.Random
) -> Image.Image:
    texture = Image.new("RGB", (LARGE, LARGE), colour)
    left, top = rng.randrange(MARGIN), rng.randrange(MARGIN)
    if pattern != "plain":
        zoom = CLOSE if place.zoom > 1.5 else 1.0
        mask = pattern_mask(pattern, int(place.angle), zoom)
        texture.paste(accent, (0, 0), mask.crop((left, top, left + LARGE, top + LARGE)))
    return texture
