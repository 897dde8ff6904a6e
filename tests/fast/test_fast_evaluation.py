"""Fast ranking beside the plain form."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from msm4sr_lite import fast
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import target_ranks


class Given:
    """A scorer with the scores of each history written down; a history's first item is its row."""

    def __init__(self, rows):
        self.rows = torch.as_tensor(rows)

    def score(self, histories):
        return self.rows[[int(history[0]) - 1 for history in histories]]


@given(
    st.integers(1, 60), st.integers(2, 13), st.integers(0, 10**6), st.booleans(), st.booleans(),
    st.sampled_from([1, 7, 512]),
)  # fmt: skip
def test_ranks_are_equal_with_ties(cases, items, seed, filter_seen, some, batch_size):
    """Few different scores; histories with repetitions."""
    rng = np.random.default_rng(seed)
    values = np.array([0.0, 1.0, 2.0, -1.0, 3e38, -3e38], dtype=np.float32)
    scores = values[rng.integers(0, 6, (cases, items + cases + 1))]
    histories = [
        np.array([row + 1, *rng.integers(1, items + 1, rng.integers(0, 5))]) for row in range(cases)
    ]
    targets = rng.integers(1, items + 1, cases)
    options = {
        "filter_seen": filter_seen,
        "candidates": rng.permutation(np.arange(1, items + 1))[: items // 2] if some else None,
        "batch_size": batch_size,
    }
    quick = target_ranks(Given(scores), histories, targets, **options)
    with fast.switched_off():
        plain = target_ranks(Given(scores), histories, targets, **options)
    assert quick.tolist() == plain.tolist()


def test_batches_shrink_as_the_catalogue_grows(monkeypatch):
    """The larger the catalogue, the fewer histories at once, but never fewer than a minimum."""
    sizes = []

    class Sizes:
        def score(self, histories):
            sizes.append(len(histories))
            return torch.zeros(len(histories), 1001)

    target_ranks(Sizes(), [np.array([1])] * 3000, np.ones(3000, dtype=np.int64))
    assert sizes[0] == 32
    assert max(sizes) == 512
    sizes.clear()
    monkeypatch.setattr("msm4sr_lite.fast.evaluation.BATCH_SCORES", 50 * 1001)
    target_ranks(Sizes(), [np.array([1])] * 150, np.ones(150, dtype=np.int64))
    assert sizes == [32, 50, 50, 18]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    scores = np.zeros((3, 5), dtype=np.float32)
    scores[2, 4] = bad
    histories = [np.array([row + 1]) for row in range(3)]
    with pytest.raises(UserError, match="the scores are not finite numbers"):
        target_ranks(Given(scores), histories, np.array([1, 2, 3]))
