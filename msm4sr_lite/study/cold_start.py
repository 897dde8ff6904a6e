"""Models compared on cold and rare items, and for users with few interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.study.data import StudyData
from msm4sr_lite.study.paired import with_seeds

POPULARITY = (0, 1, 3, 6, 11)  # training interactions of the target at which a bucket begins
LENGTHS = (1, 5, 7, 9, 12)  # lengths of the history at which a bucket begins
SHOWN = (10, 20)  # cut-offs of the table
Runs = dict[str, list[dict[str, Any]]]


def cold_items(sequences: Sequences) -> np.ndarray:
    """Return the numbers of the strictly cold items: those in no history at test time.

    They are in no training sequence and no validation target. They may be test targets.
    """
    histories, _ = sequences.held_out("test")
    seen = np.bincount(np.concatenate(histories), minlength=len(sequences.items))
    return 1 + np.flatnonzero(seen[1:] == 0)


def cold_cases(sequences: Sequences) -> np.ndarray:
    """Return the numbers of the test cases with a strictly cold target."""
    return np.flatnonzero(np.isin(sequences.held_out("test")[1], cold_items(sequences)))


def buckets(values: np.ndarray, starts: Sequence[int]) -> dict[str, np.ndarray]:
    """Sort values into ranges that begin at ``starts``: name of the range -> indices of values.

    >>> {name: rows.tolist() for name, rows in buckets(np.array([0, 4, 9, 1]), (0, 1, 3)).items()}
    {'0': [0], '1-2': [3], '3+': [1, 2]}
    """
    found = np.digitize(values, starts) - 1
    ends = [*(end - 1 for end in starts[1:]), None]
    names = [
        f"{start}+" if end is None else f"{start}" if end == start else f"{start}-{end}"
        for start, end in zip(starts, ends, strict=True)
    ]
    return {name: np.flatnonzero(found == i) for i, name in enumerate(names)}


def case_subsets(
    sequences: Sequences, popularity: Sequence[int], lengths: Sequence[int]
) -> dict[str, dict[str, np.ndarray]]:
    """Return test cases by interactions of the target and by length of the history."""
    histories, targets = sequences.held_out("test")
    return {
        "by_popularity": buckets(sequences.item_counts()[targets], popularity),
        "by_history": buckets(np.array([len(history) for history in histories]), lengths),
    }


def without_items(
    sequences: Sequences, fraction: float, seed: int = 0
) -> tuple[Sequences, np.ndarray]:
    """Make random items strictly cold: remove all their interactions but those that test.

    Parameters
    ----------
    sequences
        Filtered interactions, each user's last one held out for testing.
    fraction
        Share of the items to draw, above 0 and below 1.
    seed
        Decides which items are drawn.

    Returns
    -------
    sequences, drawn
        The items keep their numbers. Users with fewer than three interactions left (one to train
        on, one to validate, one to test) are dropped. ``drawn`` holds the item numbers.

    Raises
    ------
    UserError
        If ``fraction`` is out of range, or no user is left.
    """
    if not 0 < fraction < 1:
        raise UserError(f"fraction must be above 0 and below 1; got {fraction}")
    rng = np.random.default_rng(seed)
    count = max(1, round(fraction * sequences.n_items))
    drawn = np.sort(1 + rng.choice(sequences.n_items, count, replace=False))
    keep = ~np.isin(sequences.interactions, drawn)
    keep[sequences.offsets[1:] - 1] = True  # the test targets
    lengths = np.add.reduceat(keep, sequences.offsets[:-1])
    stay = lengths >= 3
    if not stay.any():
        raise UserError(
            f"without {count} items no user has three interactions left; use a smaller fraction"
        )
    keep &= np.repeat(stay, np.diff(sequences.offsets))
    return (
        Sequences(
            [user for user, here in zip(sequences.users, stay, strict=True) if here],
            sequences.items,
            sequences.interactions[keep],
            np.concatenate([[0], np.cumsum(lengths[stay])]),
        ),
        drawn,
    )


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
    users, _ = data.sequences.cases("test")
    n_cold, rows = len(cold_items(data.sequences)), cold_cases(data.sequences)
    subsets = case_subsets(data.sequences, POPULARITY, LENGTHS)

    def measured(runs: list[dict[str, Any]], key: str, chosen: np.ndarray) -> dict[str, Any]:
        ranks = [np.array(run[key]) for run in runs]
        if key != "among_cold":  # which holds cold targets only
            ranks = [r[chosen] for r in ranks]
        return with_seeds([metrics(r, SHOWN) for r in ranks], users[chosen])

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
        "cold_items": n_cold,
        "counts": {"cold": len(rows), **sizes},
        "random_ndcg@10": round(float(gains[:n_cold].sum() / max(1, n_cold)), 6),
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
    if len(cold_cases(data.sequences)) >= fewest:
        return data, False
    sequences, _ = without_items(data.sequences, fraction)
    return replace(data, sequences=sequences, whole=None), True
