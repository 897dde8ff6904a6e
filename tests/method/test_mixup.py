"""Probabilities and shapes; what holds for every draw is in test_invariants.py, 14 to 20."""

import pytest
import torch

from msm4sr_lite.mixup import complementary_mixup, draw_probability


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shapes_are_checked_under_pytest():
    with pytest.raises(Exception, match="complementary_mixup"):
        complementary_mixup(
            torch.ones(2, 3, 4), torch.ones(2, 3, 5), torch.ones(2, 3, dtype=torch.bool)
        )


def test_probabilities_per_batch_and_per_sequence():
    assert draw_probability(0.4, 3, rng(), fixed=True).tolist() == [[pytest.approx(0.4)]] * 3
    whole = draw_probability(0.5, 4000, rng())
    assert whole.unique().numel() == 1
    each = draw_probability(0.5, 4000, rng(), per="sequence")
    assert each.unique().numel() > 3000
    assert 0 <= each.min() <= each.max() <= 0.5
    assert abs(each.mean() - 0.25) < 0.01
