"""Random choices that come out the same on every computer and in every year.

The sample shop is committed, and a test writes it again and compares byte by byte. Two things
could break that, and both are avoided here. NumPy promises the raw 64-bit stream of ``PCG64`` for
ever, but not what ``Generator.choice`` or ``normal`` make of it: we take the raw stream only. And
a sum of floats may end in another last digit on another processor, which now and then would tip a
choice: every weight here is a whole number.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """A stream of choices named by a seed and the part of the world that it decides.

    Parameters
    ----------
    seed
        Any whole number from 0.
    part
        A name such as "home/users". Parts do not disturb each other: drawing more in one
        leaves all others as they were.

    Examples
    --------
    >>> Dice(7, "home/users").below(100) == Dice(7, "home/users").below(100)
    True
    """

    def __init__(self, seed: int, part: str) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(part.encode())]))

    def below(self, end: int) -> int:
        """Draw a whole number from 0 to ``end - 1``.

        The remainder favours small numbers by less than ``end / 2**64``, which nobody can measure.
        """
        return int(self._bits.random_raw()) % end

    def one_of(self, choices: Sequence[T]) -> T:
        """Draw one of ``choices``, all equally likely."""
        return choices[self.below(len(choices))]

    def weighted(self, weights: Sequence[int] | np.ndarray) -> int:
        """Draw a position; each is as likely as its weight, a whole number from 0."""
        edges = np.cumsum(np.asarray(weights, dtype=np.int64))
        return int(np.searchsorted(edges, self.below(int(edges[-1])), side="right"))

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """Return all of ``things`` in random order (Fisher and Yates)."""
        deck = list(things)
        for last in range(len(deck) - 1, 0, -1):
            other = self.below(last + 1)
            deck[last], deck[other] = deck[other], deck[last]
        return deck
