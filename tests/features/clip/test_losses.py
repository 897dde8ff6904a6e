"""The losses of a small CLIP, by hand."""

import pytest
import torch
import torch.nn.functional as F

from msm4sr_lite.features.clip.losses import rate, soft_target_loss


def test_soft_targets_by_hand() -> None:
    # Two pictures; the first caption holds for both, the second for one, the third for none.
    logits = torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.0, 1.0]])
    holds = torch.tensor([[True, True, False], [True, False, False]])
    rows, columns = logits.log_softmax(1), logits.log_softmax(0)
    by_hand = (
        -(rows[0, 0] + rows[0, 1]) / 2
        - rows[1, 0]
        - (columns[0, 0] + columns[1, 0]) / 2
        - columns[0, 1]
    ) / 4
    torch.testing.assert_close(soft_target_loss(logits, holds), by_hand)


def test_soft_targets_are_clips_own_on_the_diagonal() -> None:
    logits, own = torch.randn(5, 5), torch.arange(5)
    usual = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    torch.testing.assert_close(soft_target_loss(logits, torch.eye(5, dtype=torch.bool)), usual)


def test_learning_rate_rises_and_falls() -> None:
    rates = [rate(step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(1, abs=0.05)
    assert rates.index(max(rates)) < 10
    assert rates[0] < 0.2
    assert 0 < rates[-1] < 0.01
