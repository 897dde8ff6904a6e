"""Contenders on items never bought or seldom, and for customers with few purchases."""

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
from msm4sr_lite.study.data import Data
from msm4sr_lite.study.paired import with_seeds

SHOWN = (10, 20)  # cut-offs
Runs = dict[str, list[dict[str, Any]]]


def cold_table(data: Data, found: Runs) -> dict[str, Any]:
    """Return every contender's figures on parts of the test cases.

    Parameters
    ----------
    data
        The shop.
    found
        From ``Comparison.test``: for each contender the runs of its seeds.

    Returns
    -------
    table
        ``models``, contender -> ``cold_among_cold`` (a strictly cold item is to be found among all
        cold ones), ``cold_among_all``, ``by_popularity`` and ``by_history`` (range -> figures, all
        items competing, history masked); ``counts``, how many cases each part has; ``chance``, the
        NDCG@10 of a random order of the cold items.
    """
    histories, targets = data.sequences.held_out("test")
    users, _ = data.sequences.cases("test")
    cold = cold_items(data.sequences)
    rows = np.flatnonzero(np.isin(targets, cold))
    parts = {
        "by_popularity": buckets(data.bought[targets], POPULARITY),
        "by_history": buckets(np.array([len(history) for history in histories]), LENGTHS),
    }

    def measured(runs: list[dict[str, Any]], key: str, chosen: np.ndarray) -> dict[str, Any]:
        ranks = [np.array(run[key]) for run in runs]
        among = ranks if key == "among_cold" else [r[chosen] for r in ranks]
        return with_seeds([metrics(r, SHOWN) for r in among], users[chosen])

    models = {}
    for name, runs in found.items():
        own: dict[str, Any] = {}
        if len(rows):
            own["cold_among_cold"] = measured(runs, "among_cold", rows)
            own["cold_among_all"] = measured(runs, "masked", rows)
        for part, ranges in parts.items():
            own[part] = {
                label: measured(runs, "masked", chosen)
                for label, chosen in ranges.items()
                if len(chosen)
            }
        models[name] = own
    sizes = {part: {k: len(v) for k, v in ranges.items()} for part, ranges in parts.items()}
    return {
        "cold_items": len(cold),
        "counts": {"cold": len(rows), **sizes},
        "chance": round(float((1 / np.log2(np.arange(2, 12)))[: len(cold)].sum() / len(cold)), 6)
        if len(cold)
        else 0.0,
        "models": models,
    }


def with_cold_items(data: Data, fewest: int = 30, fraction: float = 0.2) -> tuple[Data, bool]:
    """Return a shop that has strictly cold test items: itself, or without some items' purchases.

    Parameters
    ----------
    data
        The shop.
    fewest
        Test cases of cold items that are enough.
    fraction
        Share of the items that become cold where there are fewer.

    Returns
    -------
    data, made
        ``made``: whether items were taken out of training.
    """
    _, targets = data.sequences.held_out("test")
    if np.isin(targets, cold_items(data.sequences)).sum() >= fewest:
        return data, False
    sequences, _ = without_items(data.sequences, fraction)
    return replace(data, sequences=sequences, whole=None), True
