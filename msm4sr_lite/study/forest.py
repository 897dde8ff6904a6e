"""Differences of a study as a figure: one row each, a dot, and the interval around it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from msm4sr_lite.store.files import write_bytes

CLEAR = 0.05  # p-values below tell a difference from nothing
LINE, DOT = "0.35", "#0072B2"


def forest(result: dict[str, Any]) -> tuple[Figure, str]:
    """Draw every difference in NDCG@10 to the contender that all are compared with.

    Full dots can be told from nothing (p < 0.05, Holm's correction); hollow ones cannot.

    Parameters
    ----------
    result
        What ``msm4sr study main`` or ``ablations`` found, bought items left out of the ranking.

    Returns
    -------
    figure, words
        The words say the same to those who do not see it.
    """
    rows = {name: own["masked"]["ndcg@10"] for name, own in result["change"].items()}
    names = sorted(rows, key=lambda name: float(rows[name]["value"]))
    figure = Figure(figsize=(8, 1.4 + 0.3 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.axvline(0, color=LINE, linewidth=1, linestyle="--")
    for place, name in enumerate(names):
        own = rows[name]
        axes.plot([own["low"], own["high"]], [place, place], color=LINE, linewidth=1.5)
        fill = DOT if own["p_holm"] < CLEAR else "white"
        axes.plot(own["value"], place, "o", markerfacecolor=fill, markeredgecolor=DOT)
    worse = [n for n in names if rows[n]["p_holm"] < CLEAR and rows[n]["value"] < 0]
    better = [n for n in names if rows[n]["p_holm"] < CLEAR and rows[n]["value"] > 0]
    against = result["against"]
    axes.set(
        yticks=range(len(names)),
        yticklabels=names,
        xlabel=f"difference in NDCG@10 to {against}: worse to the left, better to the right",
    )
    axes.set_title(
        f"{len(worse)} of {len(names)} are clearly worse, {len(better)} clearly better (full dots)",
        loc="left",
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    words = f"Differences in NDCG@10 to {against} with 95 % intervals. Clearly worse: "
    words += f"{', '.join(worse) or 'none'}. Clearly better: {', '.join(better) or 'none'}."
    return figure, words


def draw(result: dict[str, Any], path: Path) -> str:
    """Write the figure to a PNG file; return what it shows in words."""
    figure, words = forest(result)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_bytes(path, picture.getvalue())
    return words
