"""Drawings of the method, made of boxes and arrows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from course.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Text, column (left edge), row, width, colour; one unit is about the height of a line.
_TEXT, _IMAGE, _BOTH = PALETTE[0], PALETTE[1], "#555555"
_BOXES = (
    ("image", 0.0, 0, 9, _IMAGE),
    ("CLIP:\nbest N keywords", 13, 0, 13, _IMAGE),
    ("text", 0.0, 1, 9, _TEXT),
    ("split into\nsentences", 13, 1, 13, _TEXT),
    ("BERT: one\nembedding each", 30, 0, 16, _IMAGE),
    ("BERT: one\nembedding each", 30, 1, 16, _TEXT),
    ("attention pooling,\n8 experts: z_v", 50, 0, 16, _IMAGE),
    ("attention pooling,\n8 experts: z_t", 50, 1, 16, _TEXT),
    ("mixup: some\nplaces swap\nz_t and z_v", 70, 0.5, 13, _BOTH),
    ("Transformer\nalong the\nsequence", 87, 0.5, 13, _BOTH),
    ("h_v · z_v", 104, 0, 11, _IMAGE),
    ("h_t · z_t", 104, 1, 11, _TEXT),
    ("score of\nevery\nitem", 119, 0.5, 10, _BOTH),
)
_ARROWS = (
    *((0, 1), (2, 3), (1, 4), (3, 5), (4, 6), (5, 7), (6, 8), (7, 8), (8, 9)),
    *((9, 10), (9, 11), (10, 12), (11, 12)),
)


def method_diagram() -> tuple[Figure, str]:
    """Draw the whole method on one page; returns the figure and its alternative text."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(12, 3.2))
    axes.set(xlim=(-1, 130), ylim=(-0.55, 1.55), title="From image and text to a recommendation")
    axes.axis("off")
    axes.grid(False)
    for text, left, row, width, colour in _BOXES:
        _box(axes, text, left, row, width, colour)
    for start, end in _ARROWS:
        _arrow(axes, start, end)
    return figure, (
        "Flow of the method. Upper row: an item's text is split into sentences; BERT embeds each;"
        " attention pooling and eight experts make one embedding z_t of them. Lower row: CLIP gives"
        " an image's best N keywords, which BERT reads as a sentence; the same steps make z_v."
        " Mixup swaps z_t and z_v at some positions of a user's sequence; one Transformer reads"
        " both sequences; its states h_t and h_v are compared with z_t and z_v of every item, and"
        " the two cosines add up to the score."
    )


def _box(axes: Axes, text: str, left: float, row: float, width: float, colour: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    height = 0.36 + 0.13 * text.count("\n")
    shape = FancyBboxPatch(
        (left, row - height / 2),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.08",
        mutation_aspect=0.02,
        facecolor="white",
        edgecolor=colour,
        linewidth=2,
    )
    axes.add_patch(shape)
    axes.text(left + width / 2, row, text, ha="center", va="center", fontsize=11)


def _arrow(axes: Axes, start: int, end: int) -> None:
    _, left, row, width, colour = _BOXES[start]
    _, goal, goal_row, _, _ = _BOXES[end]
    axes.annotate(
        "",
        xy=(goal, goal_row),
        xytext=(left + width, row),
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.5},
    )


# What stands in a box, and the shape that leaves it.
_CHAIN = (
    ("BERT reads\nsentences", "slots\n(items, slots, D)"),
    ("attention\npooling", "e\n(items, D)"),
    ("8 experts,\none gate", "z\n(items, d)"),
    ("look up each\nsequence", "Z\n(batch, time, d)"),
    ("causal\nTransformer", "h\n(batch, time, d)"),
)


def encoder_diagram() -> tuple[Figure, str]:
    """Draw the encoder with the shape at every arrow; returns figure and alternative text."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(12, 1.9))
    axes.set(xlim=(-1, 5 * 27), ylim=(-0.4, 0.9), title="M²SE: the shape at every arrow")
    axes.axis("off")
    for number, (text, shape) in enumerate(_CHAIN):
        left = 27 * number
        _box(axes, text, left, 0, 14, _TEXT)
        arrow = {"arrowstyle": "-|>", "color": _BOTH, "linewidth": 1.5}
        axes.annotate("", xy=(left + 27, 0), xytext=(left + 14, 0), arrowprops=arrow)
        axes.text(left + 20.5, 0.3, shape, ha="center", va="bottom", fontsize=11)
    steps = "; ".join(
        f"{text} gives {shape}".replace("\n", " ").replace("-  ", "") for text, shape in _CHAIN
    )
    return figure, f"A chain of five boxes with the shape at every arrow. {steps}."


# Text, column (left edge), row, width, colour.
_NEW_ITEM = (
    ("number of\nthe item", 0.0, 1, 14, _BOTH),
    ("its row in a table\nof id embeddings", 24, 1, 24, _BOTH),
    ("there is no\nsuch row yet", 58, 1, 16, _BOTH),
    ("its text and\nits image", 0.0, 0, 14, _TEXT),
    ("BERT and CLIP,\npooling, experts", 24, 0, 24, _TEXT),
    ("its embeddings\nz_t and z_v", 58, 0, 16, _TEXT),
    ("its score for\nevery user", 84, 0, 18, _TEXT),
)


def new_item_diagram() -> tuple[Figure, str]:
    """Draw how an item without interactions gets an embedding, or none; returns figure and text."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 2.6))
    axes.set(xlim=(-1, 104), ylim=(-0.5, 1.5), title="Two ways to represent an item")
    axes.axis("off")
    for text, left, row, width, colour in _NEW_ITEM:
        _box(axes, text, left, row, width, colour)
    for (_, left, row, width, colour), (_, goal, goal_row, _, _) in pairwise(_NEW_ITEM):
        if row == goal_row:
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.5}
            axes.annotate("", xy=(goal, row), xytext=(left + width, row), arrowprops=arrow)
    return figure, (
        "Two chains. Upper: a recommender with ids only takes the item's number, looks up its row"
        " in a table of embeddings, and finds that there is no such row yet. Lower: the method"
        " takes the item's text and image; BERT and CLIP, attention pooling and experts make its"
        " embeddings z_t and z_v, which give its score for every user."
    )
