"""The best items of each history."""

import numpy as np
import pytest
import torch

from msm4sr_lite.recommend.top_items import top_items


@pytest.mark.parametrize("values", [2, 5, 1000])
def test_the_best_items_against_a_stable_sort(values):
    """Few distinct values make many ties."""
    rng = np.random.default_rng(values)
    scores = rng.integers(0, values, (40, 23)).astype(np.float32)
    allowed = rng.random(23) < 0.8
    histories = [np.array([1, 5, 1])] * 40
    left = np.where(allowed, scores, -np.inf)
    left[:, [1, 5]] = -np.inf
    for k in (1, 4, 23, 50):
        found = list(top_items(lambda _: torch.from_numpy(scores), histories, k, allowed))
        for row, (numbers, best) in zip(left, found, strict=True):
            expected = np.argsort(-row, kind="stable")[: min(k, np.isfinite(row).sum())]
            assert numbers.tolist() == expected.tolist()
            assert best.tolist() == row[expected].tolist()
