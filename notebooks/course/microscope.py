"""The metric microscope: the same models under every protocol, worked out once, drawn at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from course.protocol import sampled_metrics
from course.style import LINES, MARKERS, PALETTE
from msm4sr_lite.evaluation import metrics, summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORT = {"recall": "Recall", "ndcg": "NDCG", "mrr": "MRR"}
CURVE = 100  # the recall curve is drawn up to this K


def microscope(
    ranks: Mapping[tuple[str, bool], np.ndarray],
    others: Mapping[bool, np.ndarray],
    cutoffs: Sequence[int],
    drawn: int = 100,
) -> Callable[..., tuple[Figure, str]]:
    """Return what draws the metrics of some models under a protocol, for a panel.

    Parameters
    ----------
    ranks
        By model and whether histories are masked: every customer's rank among all items.
    others
        By whether histories are masked: how many items compete (``protocol.competitors``).
    cutoffs
        The K that can be chosen.
    drawn
        How many competitors the sampled protocol draws.

    Returns
    -------
    draw
        ``draw(k, candidates, masked)`` gives a figure and its alternative text: Recall@K,
        NDCG@K and MRR@K of each model with 95 % intervals, and Recall at every K, which is the
        share of customers whose target has rank K or better. ``candidates`` is ``"all items"``
        or ``f"{drawn} drawn"``.
    """
    everything, few = "all items", f"{drawn} drawn"
    names = list(dict.fromkeys(name for name, _ in ranks))
    bars, curves = {}, {}
    places = np.arange(1, CURVE + 1)
    for (name, masked), own in ranks.items():
        values = metrics(own, cutoffs)
        bars[name, everything, masked] = summarise(values)
        curves[name, everything, masked] = (own[:, None] <= places).mean(axis=0)
        values = sampled_metrics(own, others[masked], drawn, cutoffs)
        bars[name, few, masked] = summarise(values)
        curve = sampled_metrics(own, others[masked], drawn, places.tolist())
        curves[name, few, masked] = np.array([curve[f"recall@{k}"].mean() for k in places])

    # One scale for each K, whatever the protocol: pictures can be compared.
    tops = {k: 1.05 * max(found[f"recall@{k}"]["high"] for found in bars.values()) for k in cutoffs}

    def draw(k: int, candidates: str, masked: bool) -> tuple[Figure, str]:
        import matplotlib.pyplot as plt

        # Fixed margins and no small ticks: half the time, and a dragged slider feels it.
        figure, (upper, lower) = plt.subplots(2, 1, figsize=(5.6, 5.8), layout="none")
        figure.subplots_adjust(0.09, 0.1, 0.97, 0.94, hspace=0.36)
        state = "masked" if masked else "not masked"
        told = []
        for number, name in enumerate(names):
            found = [bars[name, candidates, masked][f"{short}@{k}"] for short in SHORT]
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
                curves[name, candidates, masked],
                color=PALETTE[number],
                linestyle=LINES[number],
            )
            told.append(
                f"{name} "
                + ", ".join(f"{s} {m:.3f}" for s, m in zip(SHORT.values(), middle, strict=True))
            )
        upper.set(xticks=range(len(SHORT)), xticklabels=[f"{s}@{k}" for s in SHORT.values()])
        upper.set(ylim=(0, tops[k]), title=f"{candidates}, history {state}")
        upper.legend(loc="upper right", fontsize=10)
        lower.axvline(k, color="#777777", linewidth=1.2, linestyle=":")
        lower.set(xscale="log", xlabel="K", ylim=(0, 1), title="Recall@K at every K")
        lower.set(xticks=[1, 10, 100], xticklabels=["1", "10", "100"])
        lower.minorticks_off()
        return figure, (
            f"K = {k}, candidates: {candidates}, history {state}: " + "; ".join(told) + "."
        )

    return draw
