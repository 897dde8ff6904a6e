"""The losses by hand; values and gradients are in test_reference.py, laws in test_invariants.py.

Kernels are compared with the plain forms in tests/fast.
"""

import math

import pytest
import torch

from msm4sr_lite import fast
from msm4sr_lite.losses import cross_modal_loss, false_negatives, ranking_loss

TAU = 0.07


def test_false_negatives():
    targets, users = torch.tensor([1, 2, 1, 3]), torch.tensor([0, 0, 1, 0])
    same_target = false_negatives(targets, users, same_user=False)
    assert same_target.nonzero().tolist() == [[0, 0], [0, 2], [1, 1], [2, 0], [2, 2], [3, 3]]
    both = false_negatives(targets, users, same_user=True)
    assert both.int().tolist() == [[1, 1, 1, 1], [1, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 1]]


def test_autocast_does_not_reach_the_losses():
    text, image = torch.randn(16, 8), torch.randn(16, 8)
    diagonal = torch.eye(16, dtype=torch.bool)
    plain = cross_modal_loss(text, image, diagonal, temperature=0.01)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(cross_modal_loss(text, image, diagonal, temperature=0.01), plain)
    with fast.switched_off():
        plain = cross_modal_loss(text, image, diagonal, temperature=0.01)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(cross_modal_loss(text, image, diagonal, temperature=0.01), plain)


def test_ranking_loss_by_hand():
    scores = torch.tensor([[0.0, 0.07 * math.log(3)]])
    assert ranking_loss(scores, torch.tensor([1]), temperature=TAU).item() == pytest.approx(
        math.log(4 / 3), abs=1e-6
    )
