"""The pen: outlines in a 100 x 100 space, painted on an image four times too large.

A product is drawn as a few outlines. The pen places them (position, angle, zoom), paints them
with the look's colour and pattern, and adds a contour, shade and light. All shapes are polygons on
whole pixels of the large image, so that the same arguments give the same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw

SIZE = 96  # edge of a finished image, in pixels
OVERSAMPLING = 4  # drawn this much larger, then box-averaged: smooth edges without filters
LARGE = SIZE * OVERSAMPLING

RGB = tuple[int, int, int]
Point = tuple[float, float]
Outline = Sequence[Point]
Window = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the large image

SHADE, LIGHT = 46, 62  # opacity (0-255) of the dark and the bright rim of a shape
NEUTRALS: dict[str, RGB] = {
    "cream": (252, 246, 232),
    "sand": (229, 201, 158),
    "metal": (212, 219, 227),
    "glow": (255, 240, 196),
    "ink": (58, 54, 66),
    "flame": (255, 190, 84),
}


def points(path: str) -> list[Point]:
    """Points from their coordinates as text, as in SVG; "!" marks a sharp corner of a curve.

    >>> points("0,0 10,5.5!")
    [(0.0, 0.0), (10.0, 5.5), (10.0, 5.5)]
    """
    out: list[Point] = []
    for word in path.split():
        x, y = word.rstrip("!").split(",")
        out += [(float(x), float(y))] * (2 if word.endswith("!") else 1)
    return out


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """Colour that is ``share`` of ``other`` and the rest of ``one``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def oval(
    cx: float, cy: float, rx: float, ry: float, start: float = 0, stop: float = 360
) -> list[Point]:
    """Points of an ellipse, or of an arc of it in degrees (0 = right, 90 = down)."""
    steps = max(8, round(abs(stop - start) / 9))
    angles = (math.radians(start + (stop - start) * k / steps) for k in range(steps + 1))
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def box(left: float, top: float, right: float, bottom: float, radius: float = 0) -> list[Point]:
    """Points of a rectangle, with round corners if ``radius`` is given."""
    if not radius:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    r = radius
    corners = (
        (right - r, top + r, -90),
        (right - r, bottom - r, 0),
        (left + r, bottom - r, 90),
        (left + r, top + r, 180),
    )
    return [p for x, y, start in corners for p in oval(x, y, r, r, start, start + 90)]


def curve(points: Outline, closed: bool = True, steps: int = 7) -> list[Point]:
    """Smooth line through all points (Catmull-Rom); a point given twice is a sharp corner."""
    n = len(points)
    out: list[Point] = []
    for k in range(n if closed else n - 1):
        if closed:
            a, b, c, d = (points[(k + j) % n] for j in (-1, 0, 1, 2))
        else:
            a, b, c, d = (points[min(max(k + j, 0), n - 1)] for j in (-1, 0, 1, 2))
        if b == c:
            continue
        for step in range(steps):
            t = step / steps
            out.append((_spline(a[0], b[0], c[0], d[0], t), _spline(a[1], b[1], c[1], d[1], t)))
    return out if closed else [*out, points[-1]]


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    """One coordinate of the Catmull-Rom segment from ``b`` to ``c``."""
    return b + t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))) / 2


def profile(rows: Sequence[Point], soft: bool = False, cx: float = 50) -> list[Point]:
    """Outline that is symmetric about ``x = cx``, from rows of (half width, y), top to bottom."""
    right = [(cx + half, y) for half, y in rows]
    right = curve(right, closed=False) if soft else right
    return right + [(2 * cx - x, y) for x, y in reversed(right)]


@dataclass(frozen=True)
class Placement:
    """Where the 100 x 100 space of the product lands in the image."""

    zoom: float = 1.0
    angle: float = 0.0  # degrees, clockwise
    mirror: bool = False
    lean: float = 0.0  # vertical shear: one side nearer than the other
    centre: Point = (50.0, 50.0)  # point of the product that comes to ``target``
    target: Point = (50.0, 50.0)

    def __call__(self, points: Outline) -> list[tuple[int, int]]:
        """Whole pixels of the large image for points of the product."""
        scale = self.zoom * LARGE / 100
        turn = math.radians(self.angle)
        cos, sin, side = math.cos(turn) * scale, math.sin(turn) * scale, -1 if self.mirror else 1
        left, top = self.target[0] * LARGE / 100, self.target[1] * LARGE / 100
        placed = []
        for x, y in points:
            dx = side * (x - self.centre[0])
            dy = y - self.centre[1] + self.lean * dx
            placed.append((round(left + cos * dx - sin * dy), round(top + sin * dx + cos * dy)))
        return placed


class Pen:
    """Paints the outlines of one product into one large image.

    Parameters
    ----------
    image
        Large RGB image, ``LARGE`` x ``LARGE``, background already painted.
    texture
        Image of the same size: the look's colour and pattern, taken where a body is.
    colour
        Main colour of the look; trimmings and outlines are tones of it.
    place
        Where the product lands.
    """

    def __init__(
        self, image: Image.Image, texture: Image.Image, colour: RGB, place: Placement
    ) -> None:
        self.image, self.texture, self.place = image, texture, place
        self.draw = ImageDraw.Draw(image)
        night = (24, 20, 34)
        self.tones = NEUTRALS | {
            "main": colour,
            "deep": mix(colour, (70, 16, 40), 0.28),
            "dark": mix(colour, night, 0.62),
            "tint": mix(colour, (255, 255, 255), 0.45),
            "line": mix(colour, night, 0.66),
            "seam": mix(colour, night, 0.6),
        }
        if max(colour) < 80:  # nothing is darker than black: its parts stand out by being paler
            self.tones["deep"] = mix(colour, (255, 255, 255), 0.12)
            self.tones["seam"] = mix(colour, (255, 255, 255), 0.3)

    def body(self, points: Outline) -> None:
        """Paint an outline with the look's pattern."""
        self._fill(points, self.texture)

    def part(self, points: Outline, tone: str = "main", line: bool = True) -> None:
        """Paint an outline with one tone, without a pattern."""
        self._fill(points, self.tones[tone], line)

    def flat(self, points: Outline, tone: str) -> None:
        """Paint an outline with one tone and nothing else: no light, no line."""
        self.draw.polygon(self.place(points), fill=self.tones[tone])

    def stroke(self, points: Outline, width: float, tone: str = "main") -> None:
        """Paint a thick line with an outline: a handle, a strap, a leg."""
        self.line(points, width + 1.6, "line")
        self.line(points, width - 0.6, tone)

    def line(self, points: Outline, width: float = 1.1, tone: str = "seam") -> None:
        """Paint a line with round ends and corners: a seam, a spar, a rope."""
        self._line(self.place(points), max(2, round(width * self._unit)), self.tones[tone])

    def ground(self, half: float, y: float = 88, cx: float = 50) -> None:
        """Paint the soft shadow on which the product stands; comes before the product."""
        for share, opacity in ((1.0, 18), (0.82, 22)):
            window, inside = self._cut(self.place(oval(cx + 2, y, half * share, 4.2 * share)))
            if inside:
                mask = Image.new("L", (window[2] - window[0], window[3] - window[1]))
                ImageDraw.Draw(mask).polygon(inside, fill=opacity)
                self.image.paste((40, 34, 60), window, mask)

    @property
    def _unit(self) -> float:
        return self.place.zoom * LARGE / 100

    def _line(self, pixels: list[tuple[int, int]], width: int, colour: RGB) -> None:
        """One quadrangle per segment and one disc per point: even where the line bends."""
        r = width / 2
        for (x, y), (u, v) in pairwise(pixels):
            length = math.hypot(u - x, v - y)
            if length:
                dx, dy = r * (y - v) / length, r * (u - x) / length
                corners = ((x + dx, y + dy), (u + dx, v + dy), (u - dx, v - dy), (x - dx, y - dy))
                self.draw.polygon([(round(a), round(b)) for a, b in corners], fill=colour)
        for x, y in pixels:
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def _cut(self, pixels: list[tuple[int, int]]) -> tuple[Window, list[tuple[int, int]]]:
        """Part of the image that holds the pixels, and the pixels relative to its corner.

        There are none if a close view leaves them all outside.
        """
        xs, ys = zip(*pixels, strict=True)
        left, top = max(min(xs), 0), max(min(ys), 0)
        right, bottom = min(max(xs) + 1, LARGE), min(max(ys) + 1, LARGE)
        seen = left < right and top < bottom
        return (left, top, right, bottom), [(x - left, y - top) for x, y in pixels] if seen else []

    def _fill(self, points: Outline, fill: Image.Image | RGB, line: bool = True) -> None:
        """Fill, then a dark rim below right and a bright one above left, then the outline."""
        pixels = self.place(points)
        window, inside = self._cut(pixels)
        if not inside:
            return
        width, height = window[2] - window[0], window[3] - window[1]
        mask = Image.new("L", (width, height))
        draw = ImageDraw.Draw(mask)
        draw.polygon(inside, fill=255)
        source = fill.crop(window) if isinstance(fill, Image.Image) else fill
        self.image.paste(source, window, mask)
        # The part of the shape that its shifted copy leaves free is the rim on that side.
        step = round(min(4.0 * self._unit, 0.2 * min(width, height)))
        for sign, opacity, colour in ((-1, SHADE, (18, 10, 40)), (1, LIGHT, (255, 255, 255))):
            draw.polygon(inside, fill=opacity)
            shift = step if sign < 0 else round(0.55 * step)
            draw.polygon([(x + sign * shift, y + sign * shift * 0.6) for x, y in inside], fill=0)
            self.image.paste(colour, window, mask)
        if line:
            self._line([*pixels, pixels[0]], round(1.3 * self._unit**0.5 * 2), self.tones["line"])


Silhouette = tuple[Callable[[Pen, str], None], Point]  # how to paint it, where to look closely
