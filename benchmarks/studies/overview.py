"""The picture at the top of the README: one user, the method, and the items it recommends.

    python -m benchmarks.studies.overview docs/figures

Everything in the picture is computed: the model of ``data_samples/corner_shop`` recommends items to
one user, and ``explain`` names the interaction and the content that raised each score most. Two
files are written, for light and for dark pages.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from msm4sr_lite import MSM4SR, Dataset
from msm4sr_lite.features.images import open_image
from msm4sr_lite.store.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLE = Path("data_samples/corner_shop")
USER = "uh0055"
N_SHOWN = 4  # most recent interactions of the history


class Theme(NamedTuple):
    """Colours of a picture; the last two stand for the modalities."""

    background: str
    ink: str
    grey: str
    text: str
    image: str


THEMES = {
    "light": Theme("white", "#1f2328", "#59636e", "#0072B2", "#D55E00"),
    "dark": Theme("#0d1117", "#f0f6fc", "#9198a1", "#56B4E9", "#E69F00"),
}


def reasons(evidence: pd.DataFrame, item: str) -> list[str]:
    """Return the interaction and the own content that raised the score of ``item`` most."""
    interactions = evidence[evidence["kind"] == "interaction"]
    content = evidence[(evidence["kind"] != "interaction") & (evidence["item_id"] == item)]
    lines = []
    for found, words in ((interactions, "after “{}”"), (content, "“{}”")):
        best = found.sort_values("effect").iloc[-1]
        lines.append(f"{words.format(best['text'])} ({best['effect']:+.2f})")
    return lines


def picture(theme: str) -> bytes:
    """Return the picture as PNG.

    Parameters
    ----------
    theme
        A key of ``THEMES``.
    """
    from matplotlib.figure import Figure

    colours = THEMES[theme]
    ink, grey = colours.ink, colours.grey
    data = Dataset.from_folder(SAMPLE, domain="home")
    model = MSM4SR.from_pretrained(SAMPLE / "states" / "home_finetuned")
    figure = Figure(figsize=(10.4, 4.5), facecolor=colours.background)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 104), ylim=(0, 45))
    axes.axis("off")

    def show(item: str, x: float, y: float, size: float = 7) -> None:
        image = open_image(SAMPLE, data.items[item].images[0])
        axes.imshow(image, extent=(x, x + size, y, y + size), zorder=2, aspect="auto")

    history = list(data.user_history(USER))[-N_SHOWN:]
    axes.text(2, 42, f"history of user {USER}", color=ink, weight="bold", size=11)
    axes.text(2, 39.6, "oldest above, newest below", color=grey, size=8)
    for row, item in enumerate(history):
        y = 31 - 9.5 * row
        show(item, 2, y)
        title = "\n".join(textwrap.wrap(data.items[item].title, 16))
        axes.text(10.2, y + 3.5, title, color=ink, size=9, va="center")
    evidence = model.explain(USER, history[-1], data=data)
    of_last = evidence[evidence["item_id"] == history[-1]].set_index("kind")["text"]
    axes.text(26, 42, "what the model reads of each item", color=ink, weight="bold", size=11)
    method(axes, of_last["sentence"].iloc[0], of_last[["image"]].iloc[0], colours)
    axes.text(
        70, 42, f"top 3 of {len(data.items)} items, and why", color=ink, weight="bold", size=11
    )
    for row in model.recommend([USER], k=3, data=data).itertuples():
        y = 30 - 12.6 * (row.rank - 1)
        show(row.item_id, 70, y, 9)
        axes.text(80, y + 7.6, data.items[row.item_id].title, color=ink, size=10, weight="bold")
        lines = reasons(model.explain(USER, row.item_id, data=data), row.item_id)
        for line, height in zip(lines, (4.9, 1.4), strict=True):
            words = "\n".join(textwrap.wrap(line, 36))
            axes.text(80, y + height, words, color=grey, size=8, va="center")
    axes.text(70, 0.8, "(+0.14): how much this raised the score", color=grey, size=8)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=130)
    return file.getvalue()


def method(axes: Axes, sentence: str, keywords: str, colours: Theme) -> None:
    """Draw the way from the texts and images of a history to scores."""
    arrow = {"arrowstyle": "-|>", "color": colours.grey, "shrinkA": 2, "shrinkB": 2}

    def box(x: float, y: float, words: str, color: str) -> None:
        frame = {"boxstyle": "round,pad=0.4", "facecolor": "none", "edgecolor": color}
        axes.text(x, y, words, color=color, size=10, ha="center", va="center", bbox=frame)

    for y, name, source, example, color in (
        (30, "text", "sentences", sentence, colours.text),
        (12, "image", "CLIP keywords", keywords, colours.image),
    ):
        box(31, y, source, color)
        words = "\n".join(textwrap.wrap(example, 26))
        axes.text(25.5, y - 2.6, words, color=colours.grey, size=8, style="italic", va="top")
        box(44.5, y, "BERT", color)
        axes.annotate("", (42, y), (36.6, y), arrowprops=arrow)
        axes.annotate("", (52.5, 21 + (y - 21) / 4), (47, y), arrowprops=arrow)
        axes.annotate("", (62.5, 21 + (y - 21) / 2), (58.8, 21 + (y - 21) / 4), arrowprops=arrow)
        axes.text(63, 21 + (y - 21) / 2, f"score\nby {name}", color=color, size=9, va="center")
    axes.annotate("", (25, 21), (20.5, 21), arrowprops=arrow)
    axes.annotate("", (69.5, 21), (67, 21), arrowprops=arrow)
    box(55, 21, "M²SE: pooling,\nexperts,\nTransformer", colours.ink)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write ``overview_light.png`` and ``overview_dark.png``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    for theme in THEMES:
        write_bytes(folder / f"overview_{theme}.png", picture(theme))


if __name__ == "__main__":
    main()
