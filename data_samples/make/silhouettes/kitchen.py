"""Silhouettes of the kitchen: mug, bowl, teapot, pan, vase and basket."""

from __future__ import annotations

from data_samples.make.pen import Pen, Silhouette, box, curve, oval, points, profile


def mug(pen: Pen, shape: str) -> None:
    """Paint a cup with one handle and a dark drink in it."""
    pen.ground(34)
    if shape == "round":
        pen.stroke(oval(69, 57, 15, 14, -95, 95), 6.5)
        pen.body(profile(points("21,36 27,46 30,58 27,74 17,88"), soft=True, cx=46))
        _mouth(pen, 46, 36, 21, 5)
    elif shape == "tall":
        pen.stroke(oval(61, 53, 14, 20, -90, 90), 6)
        pen.body(profile([(16, 15), (15, 88)], cx=47))
        _mouth(pen, 47, 15, 16, 4)
    else:
        pen.stroke([(68, 45), (86, 45), (86, 72), (68, 72)], 6.5)
        pen.body(box(18, 36, 70, 88))
        _square_mouth(pen, 18, 70, 36, 6)


def bowl(pen: Pen, shape: str) -> None:
    """Paint a wide open dish on a foot."""
    pen.ground(32)
    if shape == "round":
        pen.part(box(36, 80, 64, 88, 2), "deep")
        pen.body(profile(points("40,46 41,54 35,70 24,80 12,84"), soft=True))
        _mouth(pen, 50, 46, 40, 9)
    elif shape == "tall":
        pen.part(profile([(9, 76), (10, 80), (16, 88)]), "deep")
        pen.body(profile(points("27,30 27,46 25,62 18,74 9,79"), soft=True))
        _mouth(pen, 50, 30, 27, 6.5)
    else:
        pen.part(box(26, 80, 74, 88), "deep")
        pen.body([(11, 48), (89, 48), (85, 83), (15, 83)])
        _square_mouth(pen, 11, 89, 48, 10, inset=12)


def teapot(pen: Pen, shape: str) -> None:
    """Paint spout to the left, handle to the right, a lid with a handle."""
    pen.ground(34)
    if shape == "round":
        pen.stroke(oval(74, 58, 16, 15, -100, 100), 6)
        pen.part(curve(points("26,72! 12,60 3,40! 11,38! 18,50 28,56!")))
        pen.body(profile(points("13,35 26,44 31,60 26,78 15,88"), soft=True))
        pen.part(profile([(5, 27), (13, 31), (16, 37)], soft=True), "deep")
        pen.part(oval(50, 23, 5, 5))
    elif shape == "tall":
        pen.stroke(oval(64, 52, 20, 22, -85, 85), 6)
        pen.part(curve(points("38,68! 24,56 16,26! 24,24! 30,42 40,50!")))
        pen.body(profile([(12, 24), (15, 40), (19, 70), (19, 88)], soft=True))
        pen.part(profile([(3, 14), (9, 18), (13, 25)], soft=True), "deep")
        pen.part(oval(50, 11, 4.5, 4.5))
    else:
        pen.stroke([(74, 50), (93, 50), (93, 76), (74, 76)], 6)
        pen.part(points("27,80 5,50 3,42 15,42 27,58"))
        pen.body(box(24, 42, 76, 88))
        pen.part(box(28, 33, 72, 42), "deep")
        pen.part(box(44, 23, 56, 33))


def vase(pen: Pen, shape: str) -> None:
    """Paint a narrow neck with three dry stalks in it."""
    pen.ground(26)
    top = {"round": 44, "tall": 36, "square": 42}[shape]
    for tip, height in ((30, 14), (50, 5), (69, 12)):
        pen.line([(50, top), ((50 + tip) / 2, (top + height) / 2 + 2), (tip, height)], 1.6, "ink")
        pen.part(oval(tip, height + 1, 4.2, 6), "cream")
    if shape == "round":
        pen.body(profile(points("11,42 9,48 21,56 28,68 23,82 14,88"), soft=True))
        _mouth(pen, 50, 42, 11, 3)
    elif shape == "tall":
        pen.body(profile(points("13,34 8,42 13,58 15,70 11,88"), soft=True))
        _mouth(pen, 50, 34, 13, 3)
    else:
        pen.body(points("40,41 60,41 60,50 74,50 74,88 26,88 26,50 40,50"))
        _square_mouth(pen, 40, 60, 41, 4, inset=3)


def pan(pen: Pen, shape: str) -> None:
    """Paint a frying pan from above; the tall one is a saucepan with its lid, from the side."""
    if shape == "round":
        pen.stroke([(62, 62), (87, 87)], 8, "ink")
        pen.part(oval(43, 43, 36, 36), "deep")
        pen.body(oval(43, 43, 30, 30))
        pen.part(oval(86, 86, 1.8, 1.8), "cream")
    elif shape == "tall":
        pen.ground(26, cx=38)
        pen.stroke([(56, 42), (70, 39), (94, 37)], 6, "ink")
        pen.body(box(19, 32, 57, 88, 4))
        pen.part(profile([(5, 22), (14, 25), (19, 32)], soft=True, cx=38), "deep")
        pen.part(box(16, 31, 60, 36, 2), "metal")
        pen.part(oval(38, 18, 5, 4), "ink")
    else:
        pen.stroke([(66, 50), (92, 50)], 8, "ink")
        pen.part(points("13,18 64,18 70,24 70,76 64,82 13,82 7,76 7,24"), "deep")
        pen.body(box(14, 25, 63, 75))
        pen.part(oval(91, 50, 1.8, 1.8), "cream")


def basket(pen: Pen, shape: str) -> None:
    """Paint a wicker basket: braided rim and foot, upright stakes, an arched handle."""
    pen.ground(34)
    if shape == "round":
        pen.stroke(oval(50, 50, 30, 38, 180, 360), 5, "sand")
        pen.body(profile([(36, 50), (39, 62), (34, 78), (24, 88)], soft=True))
        _stakes(pen, 38, 27, 54, 84)
        _braid(pen, 12, 88, 50)
        _braid(pen, 25, 75, 86)
    elif shape == "tall":
        pen.stroke(oval(50, 36, 15, 26, 180, 360), 4.5, "sand")
        pen.body(profile([(23, 36), (18, 88)]))
        _stakes(pen, 22, 18, 40, 84)
        _braid(pen, 24, 76, 36)
        _braid(pen, 29, 71, 86)
    else:
        pen.stroke([(22, 50), (22, 20), (78, 20), (78, 50)], 5, "sand")
        pen.body(box(13, 50, 87, 88))
        _stakes(pen, 37, 37, 54, 84)
        _braid(pen, 9, 91, 50)
        _braid(pen, 11, 89, 86)


def _mouth(pen: Pen, cx: float, y: float, rx: float, ry: float) -> None:
    """Round opening seen a little from above."""
    pen.part(oval(cx, y, rx, ry), "tint")
    pen.flat(oval(cx, y + 0.8, rx - 3, ry - 1.4), "dark")


def _square_mouth(
    pen: Pen, left: float, right: float, y: float, depth: float, inset: float = 6
) -> None:
    """Angular opening seen a little from above."""
    pen.part([(left, y), (left + inset, y - depth), (right - inset, y - depth), (right, y)], "tint")
    pen.flat(
        [
            (left + 5, y - 1.3),
            (left + inset + 2, y - depth + 1.4),
            (right - inset - 2, y - depth + 1.4),
            (right - 5, y - 1.3),
        ],
        "dark",
    )


def _stakes(pen: Pen, upper: float, lower: float, top: float, bottom: float) -> None:
    """Upright rods that spread from half width ``lower`` to ``upper``."""
    for share in (-0.75, -0.25, 0.25, 0.75):
        pen.line([(50 + share * upper, top), (50 + share * lower, bottom)], 1.2, "sand")


def _braid(pen: Pen, left: float, right: float, y: float) -> None:
    pen.part(box(left, y - 4, right, y + 4, 3), "sand")
    for x in range(round(left) + 4, round(right) - 3, 6):
        pen.line([(x, y + 3), (x + 3, y - 3)], 1.1, "ink")


KITCHEN: dict[str, Silhouette] = {
    "mug": (mug, (54, 56)),
    "bowl": (bowl, (50, 58)),
    "teapot": (teapot, (42, 52)),
    "vase": (vase, (50, 60)),
    "pan": (pan, (54, 50)),
    "basket": (basket, (50, 58)),
}
