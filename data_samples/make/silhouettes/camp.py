"""Silhouettes of the camp: tent, backpack, bottle, lantern, sleeping bag and cooler."""

from __future__ import annotations

from data_samples.make.pen import Pen, Silhouette, box, curve, oval, points, profile


def tent(pen: Pen, shape: str) -> None:
    """Paint a tent with an open flap; a dome, a tipi, a cabin."""
    pen.ground(44)
    if shape == "round":
        pen.body(oval(50, 87, 44, 62, 180, 360))
        pen.line(oval(50, 87, 25, 61, 180, 360), 1.1)
        pen.part(curve(points("36,87! 40,62 50,52 60,62 64,87!")), "dark")
        pen.part(
            curve(points("50,52! 58,66 72,87! 64,87! 60,62")),
            "tint",
        )
    elif shape == "tall":
        for x in (44, 56):
            pen.stroke([(50, 14), (x, 3)], 2.6, "sand")
        pen.body([(50, 9), (80, 88), (20, 88)])
        pen.part([(50, 50), (62, 88), (38, 88)], "dark")
        pen.part([(50, 50), (62, 88), (70, 88)], "tint")
    else:
        for side in (-1, 1):
            pen.line([(50 + side * 36, 46), (50 + side * 44, 87)], 1.2, "ink")
            pen.line([(50 + side * 43, 84), (50 + side * 45, 89)], 2.4, "ink")
        pen.body(box(17, 44, 83, 88))
        pen.body([(12, 46), (24, 22), (76, 22), (88, 46)])
        pen.part(box(36, 52, 64, 88), "dark")
        for side in (-1, 1):
            flap = points("0,52 14,52 14,88 11,72 7,62")
            pen.part([(50 + side * x, y) for x, y in flap], "tint")


def backpack(pen: Pen, shape: str) -> None:
    """Paint the main bag, front pocket, top loop and straps."""
    pen.ground(30)
    pen.stroke(oval(50, 17, 8, 9, 180, 360), 4, "deep")
    if shape == "round":
        for side in (-1, 1):
            pen.part(oval(50 + side * 32, 68, 8, 14), "deep")
        pen.body(curve(points("50,13 68,18 77,40 79,66 74,85 50,88 26,85 21,66 23,40 32,18")))
        _pocket(
            pen,
            curve(points("34,58 50,55 66,58 69,72 64,83 50,84 36,83 31,72")),
            35,
            65,
            64,
        )
        pen.line(oval(50, 46, 22, 20, 190, 350), 1.3)
    elif shape == "tall":
        pen.part(box(27, 15, 73, 26, 5.4), "tint")
        for x in (31, 64):
            pen.part(box(x, 56, x + 5, 84, 2), "deep")
        pen.body(box(33, 24, 67, 88, 6))
        pen.part(box(31, 24, 69, 38, 4), "deep")
        for x in (41, 59):
            pen.stroke([(x, 36), (x, 46)], 3, "cream")
        _pocket(pen, box(38, 64, 62, 84, 3), 40, 60, 70)
    else:
        pen.body(box(20, 18, 80, 88))
        pen.part([(18, 18), (82, 18), (82, 42), (18, 42)], "deep")
        for x in (34, 66):
            pen.stroke([(x, 34), (x, 52)], 4, "cream")
        _pocket(pen, box(28, 60, 72, 84), 31, 69, 66)


def bottle(pen: Pen, shape: str) -> None:
    """Paint a drinking bottle with a screw cap and a carrying loop; the round one is a canteen."""
    pen.ground(24)
    if shape == "round":
        pen.stroke(oval(50, 20, 20, 14, 150, 390), 3, "deep")
        pen.body(oval(50, 57, 33, 32))
        pen.part(box(43, 18, 57, 28), "deep")
        pen.part(box(41, 10, 59, 20, 2), "metal")
    elif shape == "tall":
        pen.stroke(oval(50, 9, 7, 6, 180, 360), 3, "deep")
        pen.body(
            curve(
                points(
                    "44,22! 42,30 36,38 35,50 35,86! 38,88 62,88 65,86! 65,50 64,38 58,30 56,22!"
                )
            )
        )
        pen.part(box(41, 9, 59, 23, 2), "metal")
    else:
        pen.body([(28, 38), (72, 38), (72, 88), (28, 88)])
        pen.body([(28, 38), (40, 26), (60, 26), (72, 38)])
        pen.part(box(42, 10, 58, 26), "metal")
        for x in (46, 50, 54):
            pen.line([(x, 13), (x, 23)], 0.9, "ink")


def lantern(pen: Pen, shape: str) -> None:
    """Paint bail, cap, glowing glass behind two bars, and a patterned foot."""
    pen.ground(28)
    half, glass = {"round": (27, 24), "tall": (16, 12), "square": (27, 22)}[shape]
    top, low = {"round": (30, 56), "tall": (24, 56), "square": (30, 56)}[shape]
    if shape == "square":
        pen.stroke([(28, 30), (28, 8), (72, 8), (72, 30)], 3, "ink")
    else:
        pen.stroke(oval(50, top, half, top - 7, 180, 360), 3, "ink")
    if shape == "round":
        pen.part(oval(50, 43, glass + 2, 17), "glow")
        pen.body(profile([(8, 17), (21, 22), (27, 30)], soft=True))
        pen.body(profile([(24, 56), (31, 66), (30, 78), (22, 88)], soft=True))
    else:
        pen.part(box(50 - glass, top, 50 + glass, low), "glow")
        cap = [(half * 0.5, top - 12), (half, top)] if shape == "tall" else [(half, 18), (half, 30)]
        pen.body(profile(cap))
        pen.body(box(50 - half, low, 50 + half, 88))
    pen.part(curve(points("50,34! 55,46 50,53 45,46")), "flame", line=False)
    for x in (50 - glass * 0.62, 50 + glass * 0.62):
        pen.line([(x, top), (x, low)], 1.8, "ink")


def sleeping_bag(pen: Pen, shape: str) -> None:
    """Paint a sleeping bag from above, open at the head, with a pillow and quilted seams."""
    if shape == "round":
        pen.body(curve(points("50,4 68,10 80,30 78,56 66,84 50,95 34,84 22,56 20,30 32,10")))
        pen.part(
            curve(points("50,9 64,14 69,26 60,35 50,37 40,35 31,26 36,14")),
            "dark",
        )
        pen.part(oval(50, 22, 14, 8.5), "cream")
        seams: tuple = ((50, 77, 23), (64, 74, 26), (78, 67, 33))
        zip_line = [(50, 37), (50, 66)]
    elif shape == "tall":
        pen.body(curve(points("50,3 61,7 67,20 66,40 62,92! 50,96 38,92! 34,40 33,20 39,7")))
        pen.part(oval(50, 19, 11.5, 12), "dark")
        pen.part(oval(50, 18, 9, 7), "cream")
        seams = ((46, 65, 35), (62, 64, 36), (78, 63, 37))
        zip_line = [(50, 31), (50, 64)]
    else:
        pen.part(box(18, 5, 82, 34), "dark")
        pen.part(box(25, 9, 75, 26, 5), "cream")
        pen.body(box(18, 30, 82, 95))
        pen.part([(56, 30), (82, 30), (82, 56)], "tint")
        seams = ((62, 81, 19), (78, 81, 19))
        zip_line = [(82, 56), (82, 92)]
    for y, right, left in seams:
        pen.line([(left, y), (right, y)], 1.1)
    pen.line(zip_line, 2.2, "cream")


def cooler(pen: Pen, shape: str) -> None:
    """Paint a cool box: pale lid, handle, and a snow crystal on it; the tall one has a tap."""
    pen.ground(38)
    if shape == "round":
        pen.stroke(oval(50, 40, 33, 28, 190, 350), 4.5, "metal")
        pen.body(curve(points("16,46 84,46 90,62 84,84 70,88 30,88 16,84 10,62")))
        pen.part(curve(points("14,48 16,36 34,30 66,30 84,36 86,48 50,51")), "cream")
        _crystal(pen, 50, 70)
    elif shape == "tall":
        pen.stroke(oval(50, 18, 14, 11, 180, 360), 4, "metal")
        pen.body(box(30, 24, 70, 88, 3))
        pen.part(box(27, 16, 73, 28, 3), "cream")
        pen.part(box(45, 68, 55, 74), "metal")
        pen.part(box(47.5, 74, 52.5, 81), "metal")
        _crystal(pen, 50, 44)
    else:
        for x in (5, 87):
            pen.part(box(x, 58, x + 8, 70), "metal")
        pen.body(box(11, 46, 89, 88))
        pen.part(box(8, 30, 92, 47), "cream")
        pen.part(box(44, 40, 56, 52), "metal")
        _crystal(pen, 50, 69)


def _pocket(pen: Pen, points: list, left: float, right: float, zip_y: float) -> None:
    pen.part(points)
    pen.line([(left, zip_y), (right, zip_y)], 1.3)
    pen.line([(right - 3, zip_y), (right - 3, zip_y + 5)], 1.8, "cream")


def _crystal(pen: Pen, x: float, y: float) -> None:
    pen.part(oval(x, y, 9.5, 9.5), "cream")
    for dx, dy in ((0, 6), (5.2, 3), (5.2, -3)):
        pen.line([(x - dx, y - dy), (x + dx, y + dy)], 1.6, "ink")


CAMP: dict[str, Silhouette] = {
    "tent": (tent, (50, 62)),
    "backpack": (backpack, (50, 50)),
    "bottle": (bottle, (50, 38)),
    "lantern": (lantern, (50, 58)),
    "sleeping bag": (sleeping_bag, (50, 47)),
    "cooler": (cooler, (50, 56)),
}
