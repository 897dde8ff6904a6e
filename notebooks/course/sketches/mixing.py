"""Drawings of notebook 04: sequence drop and complementary mixup."""

from __future__ import annotations

from course.sketches.canvas import MARGIN, Canvas


def sequence_drop() -> Canvas:
    """Draw how dropped items leave the input and stay targets."""
    c = Canvas(
        "sequence_drop",
        "Sequence drop: gaps are closed, targets stay",
        "The sequence is cup, candle, lamp, clock; the next item is a basket. The candle is dropped"
        " with probability q. The shortened input is cup, lamp, clock and padding. Its states h_1,"
        " h_2, h_3 predict all four targets: h_1, which has seen the cup, predicts both the candle"
        " and the lamp; h_2 predicts the clock and h_3 the basket.",
        454,
    )
    names = ("cup", "candle", "lamp", "clock")
    left, step = 178, 118
    c.text(MARGIN, 98, "items")
    c.text(MARGIN, 118, "each dropped with\nprobability $q$", "muted", 15)
    c.text(MARGIN, 232, "input,")
    c.text(MARGIN, 252, "gaps closed")
    c.text(MARGIN, 336, "states")
    c.text(MARGIN, 400, "targets:")
    c.text(MARGIN, 420, "every item\nbut the first", size=15)
    for place, name in enumerate(names):
        x = left + place * step
        c.item(name, x, 74, 64)
        if name == "candle":
            c.box(x - 5, 69, 74, 74, "masked")
            c.icon(name, x + 8, 82, 48)
            c.line((x, 74), (x + 64, 138), kind="dark", width=3)
    kept = (0, 2, 3)
    for new, old in enumerate(kept):
        a, b = left + old * step + 32, left + new * step + 32
        c.arrow((a, 142), (b, 194))
        c.item(names[old], b - 32, 198, 64)
        c.arrow((b, 264), (b, 304))
        c.box(b - 32, 308, 64, 40, "dark", f"$h_{new + 1}$", 17)
    c.box(left + 3 * step, 198, 64, 64, "masked", "0", 18)
    targets = ("candle", "lamp", "clock", "basket")
    last_kept = (0, 0, 1, 2)
    for place, (name, state) in enumerate(zip(targets, last_kept, strict=True)):
        x = left + place * step
        c.arrow((left + state * step + 32, 350), (x + 32, 374), kind="target", width=2.4)
        c.item(name, x, 376, 64, "target")
    c.text(496, 322, "$h_1$ predicts\ntwo targets", "target", 15)
    return c


def mixup() -> Canvas:
    """Draw complementary mixup, and that the sum of the two sequences does not change."""
    c = Canvas(
        "mixup",
        "Complementary mixup: text and image swap places",
        "Six items; Z_t holds their text embeddings, Z_v their image embeddings. The bits b are 0 1"
        " 0 0 1 0, each 1 with probability p. At positions 2 and 5 text and image change places, so"
        " M_t holds text, image, text, text, image, text, and M_v the rest. At every position the"
        " sum of both stays the same: M_t + M_v = Z_t + Z_v.",
        500,
    )
    bits = (0, 1, 0, 0, 1, 0)
    left, step, wide, high = 98, 92, 76, 52
    names = ("cup", "candle", "lamp", "cushion", "clock", "basket")
    rows = {"$Z_t$": 124, "$Z_v$": 190, "$M_t$": 328, "$M_v$": 394}
    for words, y in rows.items():
        kind = "text" if "t" in words else "image"
        c.text(MARGIN + 12, y + 33, words, kind, 20)
    c.text(MARGIN, 274, "$b = 1$", size=16)
    c.text(MARGIN, 294, "with $p$", size=15)
    for place, (bit, name) in enumerate(zip(bits, names, strict=True)):
        x = left + place * step
        middle = x + wide / 2
        c.icon(name, middle - 24, 66, 48)
        for modality, y in (("text", 124), ("image", 190)):
            c.box(x, y, wide, high, modality, f"$z_{'t' if modality == 'text' else 'v'}$", 18)
        c.box(middle - 16, 260, 32, 32, "dark" if bit else "plain", str(bit), 17)
        top, bottom = ("image", "text") if bit else ("text", "image")
        for modality, y in ((top, 328), (bottom, 394)):
            c.box(x, y, wide, high, modality, f"$z_{'t' if modality == 'text' else 'v'}$", 18)
        if bit:
            c.arrow((middle + 30, 296), (middle - 28, 322), kind="dark")
            c.arrow((middle - 30, 296), (middle + 28, 322), kind="dark")
        else:
            c.arrow((middle, 296), (middle, 322), width=1.6)
    c.text(left, 478, "At every position the sum stays:  $M_t + M_v = Z_t + Z_v$", size=17)
    return c


DRAWINGS = (sequence_drop, mixup)
