"""Compare models on cold and rare items, and for users with few interactions."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.study.paired import with_seeds
from msm4sr_lite.study.specs import StudyData

POPULARITY = (0, 1, 3, 6, 11)  # first value of each bucket of the target's training interactions
LENGTHS = (1, 5, 7, 9, 12)  # first value of each bucket of the history's length
SHOWN = (10, 20)  # cut-offs of the table


def cold_items(sequences: Sequences) -> np.ndarray:
    """Return the numbers of the strictly cold items: those in no history at test time.

    They occur neither in training sequences nor as validation targets. They may be test targets.
    """
    histories, _ = sequences.held_out("test")
    seen = np.bincount(np.concatenate(histories), minlength=len(sequences.items))
    return 1 + np.flatnonzero(seen[1:] == 0)


def cold_cases(sequences: Sequences) -> np.ndarray:
    """Return the numbers of the test cases with a strictly cold target."""
    return np.flatnonzero(np.isin(sequences.held_out("test")[1], cold_items(sequences)))


def buckets(values: np.ndarray, starts: Sequence[int]) -> dict[str, np.ndarray]:
    """Sort values into ranges that begin at ``starts``; return name of the range -> indices.

    >>> {name: rows.tolist() for name, rows in buckets(np.array([0, 4, 9, 1]), (0, 1, 3)).items()}
    {'0': [0], '1-2': [3], '3+': [1, 2]}
    """
    found = np.digitize(values, starts) - 1
    names = [f"{a}" if b == a + 1 else f"{a}-{b - 1}" for a, b in pairwise(starts)]
    names.append(f"{starts[-1]}+")
    return {name: np.flatnonzero(found == i) for i, name in enumerate(names)}


def case_subsets(
    sequences: Sequences, popularity: Sequence[int] = POPULARITY, lengths: Sequence[int] = LENGTHS
) -> dict[str, dict[str, np.ndarray]]:
    """Group test cases by the target's training interactions and by the history's length."""
    histories, targets = sequences.held_out("test")
    return {
        "by_popularity": buckets(sequences.item_counts()[targets], popularity),
        "by_history": buckets(np.array([len(history) for history in histories]), lengths),
    }


def without_items(
    sequences: Sequences, fraction: float = 0.2, seed: int = 0
) -> tuple[Sequences, np.ndarray]:
    """Make random items strictly cold: remove all their interactions except test targets.

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
        The sequences without these interactions, and the numbers of the items drawn. Items keep
        their numbers. Users with fewer than three interactions left (one to train on, one to
        validate, one to test) are dropped.

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
        raise UserError("no user has three interactions left; lower fraction")
    keep &= np.repeat(stay, np.diff(sequences.offsets))
    users = [sequences.users[user] for user in np.flatnonzero(stay)]
    offsets = np.concatenate([[0], np.cumsum(lengths[stay])])
    return Sequences(users, sequences.items, sequences.interactions[keep], offsets), drawn


def with_cold_items(data: StudyData, fewest: int = 30) -> tuple[StudyData, bool]:
    """Return data with strictly cold test targets, and whether interactions had to be removed.

    Interactions of random items are removed if fewer than ``fewest`` test targets are cold.
    """
    if len(cold_cases(data.sequences)) >= fewest:
        return data, False
    return replace(data, sequences=without_items(data.sequences)[0]), True


def cold_table(data: StudyData, found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return each model's metrics on subsets of the test cases; items of the history are filtered.

    Parameters
    ----------
    data
        The data of all models.
    found
        The result of ``Comparison.test``: for each model the runs of its seeds.

    Returns
    -------
    table
        The entries are:

        - ``models``: name -> ``cold_among_cold`` (a cold target is ranked among the cold items),
          ``cold_among_all``, ``by_popularity`` and ``by_history`` (range -> metrics among all
          items)
        - ``counts``: the number of test cases of each subset
        - ``cold_items``: the number of cold items
        - ``random_ndcg@10``: the NDCG@10 of a random order of the cold items
    """
    users, _ = data.sequences.cases("test")
    n_cold, rows = len(cold_items(data.sequences)), cold_cases(data.sequences)
    subsets = case_subsets(data.sequences)

    def measured(ranks: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
        return with_seeds([metrics(one, SHOWN) for one in ranks], users[chosen])

    models: dict[str, Any] = {}
    for name, runs in found.items():
        ranks = np.array([run["filter_seen"] for run in runs])
        models[name] = {
            subset: {k: measured(ranks[:, v], v) for k, v in ranges.items() if len(v)}
            for subset, ranges in subsets.items()
        }
        if len(rows):
            among_cold = np.array([run["among_cold"] for run in runs])
            models[name]["cold_among_cold"] = measured(among_cold, rows)
            models[name]["cold_among_all"] = measured(ranks[:, rows], rows)
    sizes = {name: {k: len(v) for k, v in ranges.items()} for name, ranges in subsets.items()}
    gains = 1 / np.log2(np.arange(2, 12))
    return {
        "cold_items": n_cold,
        "counts": {"cold": len(rows), **sizes},
        "random_ndcg@10": round(float(gains[:n_cold].sum() / max(1, n_cold)), 6),
        "models": models,
    }
