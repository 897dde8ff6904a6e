"""Random choices that are the same on every computer and with every version of NumPy.

The sample is committed, and a test writes it again and compares it byte by byte. Two things could
break that. NumPy keeps the raw 64-bit stream of ``PCG64`` stable, but not what
``Generator.choice`` or ``normal`` make of it: only the raw stream is used here. A sum of floats
can end in another last digit on another processor, which would now and then change a choice: all
weights here are whole numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class RandomStream:
    """A stream of random choices, named by a seed and by what it is used for.

    Parameters
    ----------
    seed
        Any whole number from 0.
    purpose
        A name such as "home/catalogue". Streams are independent: more draws from one leave all
        others as they were.

    Examples
    --------
    >>> RandomStream(7, "home").below(100) == RandomStream(7, "home").below(100)
    True
    """

    def __init__(self, seed: int, purpose: str) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]))

    def below(self, end: int) -> int:
        """Draw a whole number from 0 to ``end - 1``.

        The remainder favours small numbers by less than ``end / 2**64``, too little to measure.
        """
        return int(self._bits.random_raw()) % end

    def one_of(self, choices: Sequence[T]) -> T:
        """Draw one of ``choices``, all equally likely."""
        return choices[self.below(len(choices))]

    def weighted(self, weights: Sequence[int] | np.ndarray) -> int:
        """Draw an index with a probability proportional to its weight, a whole number from 0."""
        edges = np.cumsum(np.asarray(weights, dtype=np.int64))
        return int(np.searchsorted(edges, self.below(int(edges[-1])), side="right"))

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """Return all values in random order (Fisher-Yates)."""
        out = list(values)
        for last in range(len(out) - 1, 0, -1):
            other = self.below(last + 1)
            out[last], out[other] = out[other], out[last]
        return out
