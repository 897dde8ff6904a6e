"""Silhouettes of a day out: boot, jacket, cap, umbrella, kite and paddle."""

from __future__ import annotations

from itertools import pairwise

from data_samples.make.pen import Pen, Silhouette, box, curve, oval, points, profile


def boot(pen: Pen, shape: str) -> None:
    """Paint a boot from the side, toe to the right, with a heavy sole."""
    pen.ground(36)
    if shape == "round":
        pen.body(curve(points("22,28! 38,24 54,28! 54,46 62,54 80,58 88,72 86,80! 20,80! 22,56")))
        pen.part(curve(points("18,22 37,18 57,22 58,30 38,33 17,30")), "cream")
        pen.part(box(16, 78, 90, 88, 4.9), "ink")
    elif shape == "tall":
        pen.body(curve(points("28,8! 56,8! 55,40 57,62 72,68 80,76 80,82! 27,82! 30,50")))
        pen.part(box(26, 4, 58, 13), "deep")
        pen.part(points("24,81 83,81 83,88 42,88 40,85 38,88 24,88"), "ink")
    else:
        pen.body(points("18,20 56,20 56,52 90,52 90,80 18,80"))
        pen.part(points("16,79 92,79 92,88 44,88 44,84 36,84 36,88 16,88"), "ink")
        pen.part(box(14, 16, 60, 26), "deep")
    if shape != "tall":
        for k in range(3):
            y = 36 + 7 * k
            pen.line([(44 + 2 * k, y + 2), (54 + 3 * k, y)], 2, "cream")


def jacket(pen: Pen, shape: str) -> None:
    """Paint a jacket from the front: zip, collar or hood, two sleeves."""
    half, hem, cuff = {"round": (25, 82, 72), "tall": (17, 92, 66), "square": (25, 80, 78)}[shape]
    for side in (-1, 1):
        if shape == "round":
            arm = [(24, 20), (37, 26), (43, 48), (41, cuff), (30, cuff), (27, 50), (24, 34)]
            pen.body([(50 + side * x, y) for x, y in curve(arm)])
        elif shape == "tall":
            arm = [(13, 16), (23, 20), (31, cuff), (22, cuff + 3), (16, 34)]
            pen.body([(50 + side * x, y) for x, y in arm])
        else:
            arm = [(18, 18), (34, 22), (43, cuff - 4), (31, cuff), (22, 40)]
            pen.body([(50 + side * x, y) for x, y in arm])
    if shape == "round":
        pen.body(profile([(14, 16), (25, 24), (27, 50), (28, 70), (23, hem)], soft=True))
        for y in (38, 54, 69):
            pen.line([(50 - half, y), (50, y + 3), (50 + half, y)], 1.3)
    elif shape == "tall":
        pen.body(profile([(9, 14), (16, 18), (half, 50), (half + 4, hem)]))
        pen.line([(33, 54), (67, 54)], 1.6)
    else:
        pen.body(box(50 - half, 18, 50 + half, hem))
        for x in (29, 57):
            pen.part(box(x, 54, x + 14, 68), "deep")
    pen.line([(50, 20), (50, hem)], 2.6, "cream")
    pen.line([(50, 20), (50, hem)], 0.9)
    if shape == "square":
        pen.part(points("34,18 44,8 56,8 66,18 56,26 50,18 44,26"), "deep")
    else:
        pen.part(oval(50, 16, half * 0.62, 11), "deep")
        pen.flat(oval(50, 17, half * 0.4, 7), "dark")


def cap(pen: Pen, shape: str) -> None:
    """Paint a cap with its peak to the right and a button on top."""
    pen.ground(38, 80)
    if shape == "round":
        pen.part(curve(points("52,66 72,64 94,70 97,77 80,78 56,76")), "deep")
        pen.body([*oval(42, 70, 35, 42, 180, 360), (77, 74), (7, 74)])
        pen.line(oval(42, 70, 14, 42, 180, 360), 1.1)
        pen.part(oval(42, 28, 5, 3.4), "deep")
    elif shape == "tall":
        pen.body(curve(points("20,80! 18,52 26,24 42,17! 60,15 68,28 71,80!")))
        pen.line(curve([(42, 17), (40, 44), (44, 80)], closed=False), 1.2)
        pen.part(
            curve(points("42,80! 58,72 78,72 92,80 90,85! 70,81 56,82")),
            "deep",
        )
        pen.part(oval(42, 17, 4.5, 3), "deep")
    else:
        pen.body([(14, 30), (66, 28), (74, 76), (12, 76)])
        pen.part([(14, 30), (22, 22), (59, 20), (66, 28)], "tint")
        pen.part([(12, 70), (73, 70), (74, 78), (11, 78)], "deep")
        pen.part(points("48,77 74,72 97,80 94,86 62,84"), "deep")


def umbrella(pen: Pen, shape: str) -> None:
    """Paint an open umbrella with a crooked handle."""
    width, crown, rim = {"round": (43, 10, 52), "tall": (25, 6, 60), "square": (42, 22, 50)}[shape]
    pen.stroke([(50, 20), (50, 84), *oval(56, 84, 6, 8, 180, 0)], 3.4, "sand")
    pen.line([(50, crown + 2), (50, crown - 6)], 2.4, "ink")
    ribs = [50 + width * share for share in (1, 0.36, -0.36, -1)]
    if shape == "square":
        pen.body(
            [(30, crown), (70, crown), (92, rim), (ribs[1], rim - 5), (ribs[2], rim - 5), (8, rim)]
        )
        tops = (40, 60)
    else:
        hem = [
            point
            for right, left in pairwise(ribs)
            for point in oval((right + left) / 2, rim, (right - left) / 2, 6, 0, -180)
        ]
        pen.body(oval(50, rim, width, rim - crown, 180, 360) + hem)
        tops = (50, 50)
    for top, rib in zip(tops, (ribs[2], ribs[1]), strict=True):
        middle = (top + (rib - top) * (0.85 if shape != "square" else 0.5), (crown + rim) / 2)
        pen.line(curve([(top, crown), middle, (rib, rim)], closed=False), 1.1)


def kite(pen: Pen, shape: str) -> None:
    """Paint a kite with crossed spars and a tail of bows."""
    foot = {"round": 66, "tall": 72, "square": 64}[shape]
    tail = curve(
        [(50, foot), (56, foot + 8), (46, foot + 16), (54, foot + 24), (50, 98)], closed=False
    )
    pen.line(tail, 1.3, "ink")
    for k, y in enumerate((foot + 8, foot + 17, foot + 26)):
        x = 54 if k % 2 == 0 else 47
        if y < 97:
            pen.part([(x, y), (x - 6, y - 4), (x - 6, y + 4)], "deep")
            pen.part([(x, y), (x + 6, y - 4), (x + 6, y + 4)], "deep")
    if shape == "round":
        pen.body(
            curve(
                [
                    (50, 3),
                    (50, 3),
                    (69, 14),
                    (84, 31),
                    (84, 31),
                    (71, 52),
                    (50, foot),
                    (50, foot),
                    (29, 52),
                    (16, 31),
                    (16, 31),
                    (31, 14),
                ]
            )
        )
        cross = ((16, 31), (84, 31), (50, 3))
    elif shape == "tall":
        pen.body([(50, 3), (70, 27), (50, foot), (30, 27)])
        cross = ((30, 27), (70, 27), (50, 3))
    else:
        pen.body(box(21, 6, 79, foot))
        cross = ((21, 6), (79, foot), (50, 35))
        pen.line([(79, 6), (21, foot)], 1.5)
    pen.line(cross[:2], 1.5)
    if shape != "square":
        pen.line([cross[2], (50, foot)], 1.5)


def paddle(pen: Pen, shape: str) -> None:
    """Paint a canoe paddle, blade up: a ridge runs up the blade, a cross grip ends the shaft."""
    pen.stroke([(50, 40), (50, 91)], 4.4, "sand")
    pen.stroke([(41, 92), (59, 92)], 5, "ink")
    if shape == "round":
        pen.body(oval(50, 31, 23, 25))
    elif shape == "tall":
        pen.body(curve(points("50,5 59,8 63,19 62,46 53,61 47,61 38,46 37,19 41,8")))
    else:
        pen.body(points("32,6 68,6 68,55 56,60 44,60 32,55"))
    foot = {"round": 54, "tall": 59, "square": 58}[shape]
    pen.part(
        [(49.4, 30), (50.6, 30), (52, foot - 2), (54, foot + 6), (46, foot + 6), (48, foot - 2)],
        "deep",
    )


OUTING: dict[str, Silhouette] = {
    "boot": (boot, (48, 60)),
    "jacket": (jacket, (44, 40)),
    "cap": (cap, (56, 60)),
    "umbrella": (umbrella, (50, 36)),
    "kite": (kite, (50, 44)),
    "paddle": (paddle, (50, 40)),
}
