"""Forest plot of a study: one row per model, with its difference and the interval around it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from msm4sr_lite.store.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    from matplotlib.figure import Figure

    change, against = result["change"], result["against"]
    cells = {name: one["filter_seen"]["ndcg@10"] for name, one in change.items()}
    rows = pd.DataFrame.from_dict(cells, orient="index").sort_values("value")
    clear = rows[rows["p_holm"] < 0.05]
    figure = Figure(figsize=(8, 1.4 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=LINE, linewidth=1, linestyle="--")
    axes.hlines(rows.index, rows["low"], rows["high"], color=LINE, linewidth=1.5)
    axes.plot(rows["value"], rows.index, "o", color=DOT, markerfacecolor="white", zorder=3)
    axes.plot(clear["value"], clear.index, "o", color=DOT, zorder=4)
    worse, better = clear.index[clear["value"] < 0], clear.index[clear["value"] > 0]
    title = f"{len(rows)} variants: {len(worse)} significantly worse, {len(better)} significantly"
    axes.set_title(f"{title} better (full dots)", loc="left")
    axes.set_xlabel(f"difference in NDCG@10 to {against}: worse to the left, better to the right")
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
