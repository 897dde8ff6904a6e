"""Drawings of notebook 01: sequences, batches and metrics."""

from __future__ import annotations

import math

from course.sketches.canvas import MARGIN, Canvas

ITEMS = ("cup", "candle", "lamp", "cushion", "clock", "basket")


def leave_one_out() -> Canvas:
    """Draw which interactions of a user are for training, validation and testing."""
    c = Canvas(
        "leave_one_out",
        "Leave-one-out: the last two interactions are held out",
        "One user's six interactions in order of time: cup, candle, lamp, cushion, clock, basket."
        " Training uses the first four; every item but the first is a target. In validation the"
        " history is items 1 to 4 and the target is item 5. In testing the history is items 1 to 5"
        " and the target is item 6.",
        372,
    )
    left, step, size = 156, 84, 68
    for place, name in enumerate(ITEMS):
        c.item(name, left + place * step, 84, size, words=str(place + 1))
    c.text(MARGIN, 112, "one user's\nsequence")
    c.text(left, 74, "oldest", "muted", 15)
    c.text(left + 5 * step + size, 74, "newest", "muted", 15, "end")
    c.arrow((left + 58, 69), (left + 5 * step + 8, 69), width=1.4)
    rows = {
        "train": ("history", "both", "both", "both", "hidden", "hidden"),
        "validation": ("history",) * 4 + ("target", "hidden"),
        "test": ("history",) * 5 + ("target",),
    }
    for row, (name, cells) in enumerate(rows.items()):
        y = 190 + row * 48
        c.text(MARGIN, y + 25, f"**{name}**")
        for place, what in enumerate(cells):
            x = left + place * step
            kind = {"history": "dark", "both": "target", "hidden": "masked"}.get(what, what)
            words = {"history": "history", "both": "target"}.get(what, what)
            c.box(x, y, size + 4, 38, kind, "" if what == "hidden" else words, 15)
    _key(
        c,
        346,
        (("dark", "read"), ("target", "predicted from all before it"), ("masked", "not visible")),
    )
    return c


def _key(c: Canvas, y: float, entries: tuple[tuple[str, str], ...], x: float = 156) -> None:
    for kind, words in entries:
        c.box(x, y - 13, 26, 18, kind)
        c.text(x + 34, y + 1, words, "muted", 15)
        x += 62 + 8 * len(words)


def batch() -> Canvas:
    """Draw how sequences become items and targets."""
    c = Canvas(
        "batch",
        "A training batch: inputs, and the same shifted by one",
        "Three training sequences of item numbers, 5 8 2 7, 3 9 and 6 5 1, become two tables of the"
        " same shape. Items holds all but the last of each: 5 8 2; 3 0 0; 6 5 0. Targets holds what"
        " follows each position: 8 2 7; 9 0 0; 5 1 0. Zeros are padding and have no target, so this"
        " batch has six predictions.",
        332,
    )
    sequences = ((5, 8, 2, 7), (3, 9), (6, 5, 1))
    cell, top = 46, 112
    columns = {"sequences": 62, "items": 308, "targets": 498}
    c.text(62, 92, "**training sequences**")
    c.text(308, 92, "**items**")
    c.text(498, 92, "**targets**")
    for row, sequence in enumerate(sequences):
        y = top + row * 56
        c.text(MARGIN, y + 29, "ABC"[row], "muted")
        for place, item in enumerate(sequence):
            c.box(62 + place * cell, y, cell - 4, 42, "plain", str(item), 18)
        for name, part in (("items", sequence[:-1]), ("targets", sequence[1:])):
            kind = "dark" if name == "items" else "target"
            for place in range(3):
                x = columns[name] + place * cell
                if place < len(part):
                    c.box(x, y, cell - 4, 42, kind, str(part[place]), 18)
                else:
                    c.box(x, y, cell - 4, 42, "masked", "0", 18)
    c.arrow((256, top + 77), (296, top + 77))
    c.text(469, top + 83, "→", "muted", 20, "middle")
    c.text(
        308,
        292,
        "After 5 comes 8, after 5 8 comes 2, …\n6 targets: 6 predictions in one step",
        size=15,
    )
    c.text(62, 292, "0: padding, on the right;\nno target, no loss", size=15)
    return c


def rank() -> Canvas:
    """Draw how a rank becomes Recall and NDCG."""
    c = Canvas(
        "rank",
        "From a rank to Recall@5 and NDCG@5",
        "Seven candidates sorted by score. The target, a clock, is third, so its rank is 3. Within"
        " the cut-off of 5, Recall@5 counts 1 at every rank and NDCG@5 counts 1 divided by the"
        " logarithm to base 2 of rank + 1: 1.00, 0.63, 0.50, 0.43, 0.39. Below the cut-off both"
        " count 0. This test case counts 1 for Recall@5 and 0.50 for NDCG@5.",
        452,
    )
    scores = (1.52, 1.37, 1.24, 0.98, 0.71, 0.52, 0.30)
    names = ("lamp", "bottle", "clock", "cushion", "candle", "tent", "cup")
    heads = (("rank", 30), ("item", 82), ("score", 150), ("Recall@5", 370), ("NDCG@5", 500))
    for words, x in heads:
        c.text(x, 84, f"**{words}**")
    for place, (score, name) in enumerate(zip(scores, names, strict=True)):
        y, hit = 98 + place * 43 + (12 if place >= 5 else 0), name == "clock"
        if hit:
            c.box(MARGIN - 8, y - 3, 640, 40, "target")
        c.text(50, y + 22, f"**{place + 1}**" if hit else str(place + 1), anchor="middle")
        c.icon(name, 84, y, 34)
        c.bar(150, y + 9, 100 * score, 16, "target" if hit else "plain")
        c.text(156 + 100 * score, y + 23, f"{score:.2f}", "muted", 15)
        gain = 1 / math.log2(place + 2) if place < 5 else 0
        for x, value, digits in ((370, place < 5, 0), (500, gain, 2)):
            c.bar(x, y + 9, 60 * value, 16, "target" if hit else "plain")
            c.text(x + 6 + 60 * value, y + 23, f"{value:.{digits}f}", size=15)
    line = 98 + 5 * 43 + 4
    c.line((MARGIN, line), (652, line), dash="6 4", width=1.5)
    c.text(652, line - 6, "K = 5", "muted", 15, "end")
    c.text(
        MARGIN,
        432,
        "A metric is the mean over all test cases. Ties rank before the target.",
        "muted",
    )
    return c


DRAWINGS = (leave_one_out, batch, rank)
