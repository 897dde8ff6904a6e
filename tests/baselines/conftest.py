"""Fixtures of the tests of baselines."""

import numpy as np
import pytest

from tests.toy_scorers import Fixed


@pytest.fixture
def cases():
    """Two parts that each know half of the targets, and one that knows nothing."""
    rng = np.random.default_rng(3)
    users, items = 40, 60
    histories = [np.array([user, user % 7 + 1]) for user in range(1, users + 1)]
    targets = rng.integers(45, items + 1, size=users)
    first, second, noise = rng.normal(size=(3, users, items + 1))
    for user, target in enumerate(targets):
        (first if user % 2 else second)[user, target] += 3
        first[user, user % 7 + 1] = 9  # an item of the history, which is filtered
    return (
        {"first": Fixed(first), "second": Fixed(second), "noise": Fixed(noise)},
        histories,
        targets,
    )


@pytest.fixture
def seen():
    """Whether each item has interactions; every third has none."""
    return np.arange(61) % 3 > 0
