"""Forest plot of a study: one row per model, with its difference and the interval around it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.store.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGNIFICANT = 0.05  # p-values below are significant
LINE, DOT = "0.35", "#0072B2"


def forest(result: dict[str, Any]) -> tuple[Figure, str]:
    """Draw each difference in NDCG@10 to the model that all are compared with.

    Full dots are statistically significant (p < 0.05, Holm's correction), hollow ones are not.

    Parameters
    ----------
    result
        Result of the part ``main`` or ``ablations``; items of the history are filtered.

    Returns
    -------
    figure, words
        The words describe the figure for readers who do not see it.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = {name: change["filter_seen"]["ndcg@10"] for name, change in result["change"].items()}
    names = sorted(rows, key=lambda name: float(rows[name]["value"]))
    figure = Figure(figsize=(8, 1.4 + 0.3 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.axvline(0, color=LINE, linewidth=1, linestyle="--")
    for place, name in enumerate(names):
        row = rows[name]
        axes.plot([row["low"], row["high"]], [place, place], color=LINE, linewidth=1.5)
        fill = DOT if row["p_holm"] < SIGNIFICANT else "white"
        axes.plot(row["value"], place, "o", markerfacecolor=fill, markeredgecolor=DOT)
    against, clear = result["against"], [n for n in names if rows[n]["p_holm"] < SIGNIFICANT]
    worse = [name for name in clear if rows[name]["value"] < 0]
    better = [name for name in clear if rows[name]["value"] > 0]
    axes.set(
        yticks=range(len(names)),
        yticklabels=names,
        xlabel=f"difference in NDCG@10 to {against}: worse to the left, better to the right",
    )
    axes.set_title(
        f"{len(names)} variants: {len(worse)} significantly worse, {len(better)} significantly"
        " better (full dots)",
        loc="left",
    )
    axes.spines[["top", "right"]].set_visible(False)
    words = f"Differences in NDCG@10 to {against} with 95 % intervals. Significantly worse: "
    words += f"{', '.join(worse) or 'none'}. Significantly better: {', '.join(better) or 'none'}."
    return figure, words


def draw(result: dict[str, Any], path: Path) -> str:
    """Write the figure to a PNG file and return its description."""
    figure, words = forest(result)
    image = BytesIO()
    figure.savefig(image, format="png", dpi=110)
    write_bytes(path, image.getvalue())
    return words
