"""Silhouettes of the living and bath room: lamp, clock, cushion, chair, towel and candle."""

from __future__ import annotations

import math

from data_samples.make.pen import Pen, Silhouette, box, curve, oval, points, profile


def lamp(pen: Pen, shape: str) -> None:
    """Paint a table lamp: patterned shade, stem, foot, warm light below the shade."""
    pen.ground(26)
    if shape == "round":
        pen.part(profile([(3, 52), (3, 74), (9, 78), (20, 88)], soft=True), "deep")
        pen.flat(oval(50, 55, 28, 5), "glow")
        pen.body(oval(50, 54, 37, 42, 180, 360))
    elif shape == "tall":
        pen.part(box(48, 48, 52, 84), "deep")
        pen.part(profile([(15, 83), (17, 88)]), "deep")
        pen.flat(oval(50, 56, 17, 4), "glow")
        pen.body(profile([(11, 6), (21, 54)]))
    else:
        pen.part(box(46, 54, 54, 78), "deep")
        pen.part(box(28, 77, 72, 88), "deep")
        pen.flat(box(24, 54, 76, 59), "glow")
        pen.body(box(17, 14, 83, 55))


def clock(pen: Pen, shape: str) -> None:
    """Paint a dial in a patterned case; alarm clock, long-case clock, mantel clock."""
    pen.ground(24)
    if shape == "round":
        for x in (30, 70):
            pen.stroke([(50 + (x - 50) * 0.8, 78), (x, 87)], 5, "deep")
            pen.part(oval(x, 19, 12, 9), "deep")
        pen.stroke([(50, 17), (50, 10)], 4, "deep")
        pen.body(oval(50, 52, 35, 35))
        _dial(pen, 50, 52, 21)
    elif shape == "tall":
        pen.part(profile([(0, 2), (21, 13)]), "deep")
        pen.body(box(32, 13, 68, 82))
        pen.part(box(28, 81, 72, 88), "deep")
        _dial(pen, 50, 31, 14)
        pen.part(box(42, 52, 58, 76), "cream")
        pen.line([(50, 53), (50, 66)], 1.4, "ink")
        pen.part(oval(50, 69, 4, 4), "deep")
    else:
        pen.body(box(15, 16, 85, 86))
        pen.part(box(29, 30, 71, 72), "cream")
        _hands(pen, 50, 51, 20)


def cushion(pen: Pen, shape: str) -> None:
    """Paint a soft pillow with a button; the round one has a frill, the others tassels."""
    pen.ground(34, 86)
    if shape == "round":
        frill = []
        for degrees in range(0, 360, 20):
            x = 50 + 37 * math.cos(math.radians(degrees))
            y = 51 + 34 * math.sin(math.radians(degrees))
            frill += oval(x, y, 5.5, 5.5, degrees - 85, degrees + 85)
        pen.part(frill, "deep")
        pen.body(oval(50, 51, 36, 33))
    elif shape == "tall":
        pen.body(curve(points("33,8 50,10 67,8! 70,48 67,88! 50,86 33,88! 30,48 33,8")))
        for x, y, side in ((33, 8, -1), (67, 8, 1), (33, 88, -1), (67, 88, 1)):
            _tassel(pen, x, y, side)
    else:
        pen.body(curve(points("12,14! 50,20 88,14! 83,50 88,88! 50,82 12,88! 17,50")))
        for x, y, side in ((12, 14, -1), (88, 14, 1), (12, 88, -1), (88, 88, 1)):
            _tassel(pen, x, y, side)
    for x, y in ((41, 43), (59, 43), (42, 58), (58, 58)):
        pen.line([(50, 50), (x, y)], 1)
    pen.part(oval(50, 50, 3.6, 3.2), "deep")


def chair(pen: Pen, shape: str) -> None:
    """Paint a back, a seat and legs; the round one is an armchair."""
    pen.ground(34)
    if shape == "round":
        for x in (28, 72):
            pen.stroke([(x, 78), (x, 87)], 5, "sand")
        pen.body(curve(points("24,62 22,34 32,14 50,10 68,14 78,34 76,62 50,68")))
        pen.body(oval(50, 66, 29, 14))
        for x in (20, 80):
            pen.part(oval(x, 61, 10, 18))
    elif shape == "tall":
        for x, y in ((36, 85), (64, 85), (33, 88), (67, 88)):
            pen.stroke([(x, 60), (x, y)], 3.6, "sand")
        pen.body(box(35, 5, 65, 54, 3))
        pen.body([(34, 54), (66, 54), (70, 64), (30, 64)])
    else:
        for x, y in ((30, 81), (70, 81), (25, 88), (75, 88)):
            pen.stroke([(x, 56), (x, y)], 5, "sand")
        pen.body(box(26, 10, 74, 46))
        pen.body([(26, 46), (74, 46), (80, 60), (20, 60)])
        pen.part(box(20, 60, 80, 66), "deep")


def towel(pen: Pen, shape: str) -> None:
    """Paint a towel on a ring (round) or over a rail, with a fringe."""
    if shape == "round":
        pen.part(box(46, 2, 54, 8, 2), "metal")
        pen.stroke(oval(50, 24, 21, 17), 4, "metal")
        _fringe(pen, 25, 75, 85)
        drape = points("40,33! 29,45 25,64 24,86! 37,88 50,86")
        pen.body(curve([*drape, *[(100 - x, y) for x, y in reversed(drape)]]))
        band = points("25,77 37,79 50,77 63,79 75,77")
        pen.stroke(curve(band, closed=False), 4, "tint")
        for x, end in ((45, 37), (50, 50), (55, 63)):
            pen.line([(x, 42), (end, 70)], 1.1)
        pen.part(curve(points("38,38 42,32 50,30 58,32 62,38 57,44 50,45 43,44")))
        return
    left, right, bottom = {"tall": (34, 66, 89), "square": (18, 82, 76)}[shape]
    _fringe(pen, left, right, bottom)
    pen.body(box(left, 14, right, bottom))
    pen.part(box(left, bottom - 9, right, bottom - 5), "tint")
    pen.flat(box(left, 14, right, 17), "deep")
    pen.stroke([(8, 13), (92, 13)], 5, "metal")
    for x in (8, 92):
        pen.part(oval(x, 13, 4, 4), "metal")


def candle(pen: Pen, shape: str) -> None:
    """Paint wax, wick and flame on a small dish."""
    pen.ground(32)
    half, top = {"round": (25, 44), "tall": (9, 24), "square": (22, 42)}[shape]
    if shape == "round":
        pen.body(oval(50, 64, 25, 21))
    else:
        pen.body(box(50 - half, top, 50 + half, 84))
    if shape == "tall":
        pen.part(profile([(14, 72), (14, 78), (8, 84)]), "deep")
    pen.part(profile([(half + 9, 82), (half + 5, 88)]), "metal")
    pen.line([(50, top), (50, top - 6)], 1.8, "ink")
    for size, tone in ((1.0, "flame"), (0.55, "cream")):
        y = top - 5
        drop = [
            (50, y - 19 * size),
            (50, y - 19 * size),
            (50 + 6 * size, y - 6 * size),
            (50, y),
            (50 - 6 * size, y - 6 * size),
        ]
        pen.part(curve(drop), tone, line=size == 1.0)


def _dial(pen: Pen, cx: float, cy: float, r: float) -> None:
    pen.part(oval(cx, cy, r, r), "cream")
    _hands(pen, cx, cy, r)


def _hands(pen: Pen, cx: float, cy: float, r: float) -> None:
    """Four hour marks, and the hands at ten past ten."""
    for dx, dy in ((0, -1), (1, 0), (0, 1), (-1, 0)):
        near, far = 0.72 * r, 0.85 * r
        pen.line([(cx + dx * near, cy + dy * near), (cx + dx * far, cy + dy * far)], 1.8, "ink")
    pen.line([(cx - 0.38 * r, cy - 0.32 * r), (cx, cy), (cx + 0.52 * r, cy - 0.42 * r)], 2.2, "ink")


def _tassel(pen: Pen, x: float, y: float, side: int) -> None:
    for spread in (0, 3, 6):
        pen.line([(x, y), (x + side * (6.5 - spread * 0.6), y - 1 + spread)], 1.3, "deep")


def _fringe(pen: Pen, left: float, right: float, y: float) -> None:
    count = round((right - left) / 4)
    for k in range(count + 1):
        x = left + 1 + (right - left - 2) * k / count
        pen.line([(x, y - 2), (x, y + 6)], 1.5, "deep")


LIVING: dict[str, Silhouette] = {
    "lamp": (lamp, (50, 42)),
    "clock": (clock, (56, 44)),
    "cushion": (cushion, (62, 40)),
    "chair": (chair, (50, 48)),
    "towel": (towel, (50, 62)),
    "candle": (candle, (50, 58)),
}
