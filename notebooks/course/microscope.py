"""The metric microscope: the same models under every protocol, worked out once, drawn at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from course.protocol import sampled_metrics
from course.style import LINES, MARKERS, PALETTE
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.intervals import summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORT = {"recall": "Recall", "ndcg": "NDCG", "mrr": "MRR"}
CURVE = 100  # the recall curve is drawn up to this K


def compare_protocols(
    ranks: Mapping[tuple[str, bool], np.ndarray],
    n_competitors: Mapping[bool, np.ndarray],
    cutoffs: Sequence[int],
    drawn: int = 100,
) -> Callable[..., tuple[Figure, str]]:
    """Return what draws the metrics of some models under a protocol, for a panel.

    Parameters
    ----------
    ranks
        By model and whether seen items are filtered: every user's rank among all items.
    n_competitors
        By whether seen items are filtered: how many items compete with each target
        (``protocol.count_competitors``).
    cutoffs
        The K that can be chosen.
    drawn
        How many competitors the sampled protocol draws.

    Returns
    -------
    draw
        ``draw(k, candidates, filtered)`` gives a figure and its alternative text: Recall@K,
        NDCG@K and MRR@K of each model with 95 % intervals, and Recall at every K, which is the
        share of users whose target has rank K or better. ``candidates`` is ``"all items"``
        or ``f"{drawn} drawn"``.
    """
    everything, few = "all items", f"{drawn} drawn"
    names = list(dict.fromkeys(name for name, _ in ranks))
    bars, curves = {}, {}
    places = np.arange(1, CURVE + 1)
    for (name, filtered), full in ranks.items():
        rivals = n_competitors[filtered]
        bars[name, everything, filtered] = summarise(metrics(full, cutoffs))
        curves[name, everything, filtered] = (full[:, None] <= places).mean(axis=0)
        bars[name, few, filtered] = summarise(sampled_metrics(full, rivals, drawn, cutoffs))
        curve = sampled_metrics(full, rivals, drawn, places.tolist())
        curves[name, few, filtered] = np.array([curve[f"recall@{k}"].mean() for k in places])

    # One scale for each K, whatever the protocol: figures can be compared.
    tops = {k: 1.05 * max(found[f"recall@{k}"]["high"] for found in bars.values()) for k in cutoffs}

    def draw(k: int, candidates: str, filtered: bool) -> tuple[Figure, str]:
        import matplotlib.pyplot as plt

        # Fixed margins and no small ticks: half the time, and a dragged slider feels it.
        figure, (upper, lower) = plt.subplots(2, 1, figsize=(5.6, 5.8), layout="none")
        figure.subplots_adjust(0.09, 0.1, 0.97, 0.94, hspace=0.36)
        state = "filtered" if filtered else "not filtered"
        lines = []
        for number, name in enumerate(names):
            found = [bars[name, candidates, filtered][f"{short}@{k}"] for short in SHORT]
            middle, low, high = (
                np.array([entry[key] for entry in found]) for key in ("value", "low", "high")
            )
            upper.errorbar(
                np.arange(len(SHORT)) + 0.22 * (number - (len(names) - 1) / 2),
                middle,
                yerr=[middle - low, high - middle],
                fmt=MARKERS[number],
                color=PALETTE[number],
                capsize=4,
                label=name,
            )
            lower.plot(
                places,
                curves[name, candidates, filtered],
                color=PALETTE[number],
                linestyle=LINES[number],
            )
            lines.append(
                f"{name} "
                + ", ".join(f"{s} {m:.3f}" for s, m in zip(SHORT.values(), middle, strict=True))
            )
        upper.set(xticks=range(len(SHORT)), xticklabels=[f"{s}@{k}" for s in SHORT.values()])
        upper.set(ylim=(0, tops[k]), title=f"{candidates}, seen items {state}")
        upper.legend(loc="upper right", fontsize=10)
        lower.axvline(k, color="#777777", linewidth=1.2, linestyle=":")
        lower.set(xscale="log", xlabel="K", ylim=(0, 1), title="Recall@K at every K")
        lower.set(xticks=[1, 10, 100], xticklabels=["1", "10", "100"])
        lower.minorticks_off()
        return figure, (
            f"K = {k}, candidates: {candidates}, seen items {state}: " + "; ".join(lines) + "."
        )

    return draw
