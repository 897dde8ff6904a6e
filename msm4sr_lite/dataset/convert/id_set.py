"""A set of ids that takes 8 bytes per id."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class IdSet:
    """A set of texts that keeps only their 64-bit hashes, in a few sorted arrays.

    Fifty million ids take 400 MB, and about as much again while the longest arrays are merged. A
    Python set of the texts would take 5 GB. The probability that any two of them have the same hash
    is 1 in 15,000; the second then counts as seen.

    >>> seen = IdSet()
    >>> seen.add(["a", "b", "a"]).tolist(), seen.add(["c", "a"]).tolist(), len(seen)
    ([True, True, False], [True, False], 3)
    """

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def add(self, ids: Sequence[str]) -> np.ndarray:
        """Add many at once and return for each, shape ``(len(ids),)``, whether it is new."""
        hashes = np.fromiter(map(hash, ids), np.int64, len(ids))
        unique, first = np.unique(hashes, return_index=True)
        known = np.zeros(len(unique), bool)
        for run in self._runs:
            place = np.searchsorted(run, unique)
            known |= run[np.minimum(place, len(run) - 1)] == unique
        new = np.zeros(len(ids), bool)
        new[first[~known]] = True
        if new.any():
            self._runs.append(unique[~known])
        # Runs at least double in length from last to first, so there are few, and each id is
        # merged few times; a stable sort merges two sorted runs in one pass.
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            merged = np.concatenate(self._runs[-2:])
            merged.sort(kind="stable")
            self._runs[-2:] = [merged]
        return new
