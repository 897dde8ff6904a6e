"""Models compared on cold and rare items, and for users with few interactions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from msm4sr_lite.evaluation import metrics
from msm4sr_lite.study.cold_start import (
    LENGTHS,
    POPULARITY,
    buckets,
    cold_items,
    without_items,
)
from msm4sr_lite.study.data import StudyData
from msm4sr_lite.study.paired import with_seeds

SHOWN = (10, 20)  # cut-offs
Runs = dict[str, list[dict[str, Any]]]


def cold_table(data: StudyData, found: Runs) -> dict[str, Any]:
    """Return each model's metrics on subsets of the test cases; items of the history are filtered.

    Parameters
    ----------
    data
        What the models were given.
    found
        From ``Comparison.test``: for each model the runs of its seeds.

    Returns
    -------
    table
        ``models``, name -> ``cold_among_cold`` (a cold target is ranked among the cold items),
        ``cold_among_all``, ``by_popularity`` and ``by_history`` (range -> metrics among all items);
        ``counts``, the number of test cases of each subset; ``random_ndcg@10``, the NDCG@10 of a
        random order of the cold items.
    """
    histories, targets = data.sequences.held_out("test")
    users, _ = data.sequences.cases("test")
    cold = cold_items(data.sequences)
    rows = np.flatnonzero(np.isin(targets, cold))
    subsets = {
        "by_popularity": buckets(data.interaction_counts[targets], POPULARITY),
        "by_history": buckets(np.array([len(history) for history in histories]), LENGTHS),
    }

    def measured(runs: list[dict[str, Any]], key: str, chosen: np.ndarray) -> dict[str, Any]:
        ranks = [np.array(run[key]) for run in runs]
        among = ranks if key == "among_cold" else [r[chosen] for r in ranks]
        return with_seeds([metrics(r, SHOWN) for r in among], users[chosen])

    models = {}
    for name, runs in found.items():
        model: dict[str, Any] = {}
        if len(rows):
            model["cold_among_cold"] = measured(runs, "among_cold", rows)
            model["cold_among_all"] = measured(runs, "filter_seen", rows)
        for subset, ranges in subsets.items():
            model[subset] = {
                label: measured(runs, "filter_seen", chosen)
                for label, chosen in ranges.items()
                if len(chosen)
            }
        models[name] = model
    sizes = {name: {k: len(v) for k, v in ranges.items()} for name, ranges in subsets.items()}
    gains = 1 / np.log2(np.arange(2, 12))
    return {
        "cold_items": len(cold),
        "counts": {"cold": len(rows), **sizes},
        "random_ndcg@10": round(float(gains[: len(cold)].sum() / max(1, len(cold))), 6),
        "models": models,
    }


def with_cold_items(
    data: StudyData, fewest: int = 30, fraction: float = 0.2
) -> tuple[StudyData, bool]:
    """Return data with strictly cold test targets: the same, or without interactions of some items.

    Parameters
    ----------
    data
        Dataset, split and features.
    fewest
        Number of test cases with a cold target that is enough.
    fraction
        Share of the items that become cold if there are fewer.

    Returns
    -------
    data, removed
        ``removed``: whether interactions were removed.
    """
    _, targets = data.sequences.held_out("test")
    if np.isin(targets, cold_items(data.sequences)).sum() >= fewest:
        return data, False
    sequences, _ = without_items(data.sequences, fraction)
    return replace(data, sequences=sequences, whole=None), True
