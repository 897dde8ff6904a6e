"""Average precision, by hand."""

import pytest
import torch

from msm4sr_lite.features.clip.training import average_precision


def test_average_precision_by_hand():
    scores = torch.tensor([[0.1, 0.9, 0.5], [3.0, 2.0, 1.0]])
    true = torch.tensor([[True, True, False], [False, False, True]])
    assert average_precision(scores, true) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 3) / 2)
