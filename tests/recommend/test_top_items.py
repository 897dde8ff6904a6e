"""The largest scores of each row."""

import numpy as np
import pytest
import torch

from msm4sr_lite.recommend.top_items import best_columns


@pytest.mark.parametrize("values", [2, 5, 1000])
def test_best_columns_against_a_stable_sort(values):
    """Few distinct values make many ties."""
    rng = np.random.default_rng(values)
    scores = rng.integers(0, values, (40, 23)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    for k in (1, 4, 23, 50):
        columns, best = best_columns(torch.from_numpy(scores), k)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        assert columns.tolist() == order.tolist()
        assert best.tolist() == np.take_along_axis(scores, order, axis=1).tolist()
