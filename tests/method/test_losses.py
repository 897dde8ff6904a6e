"""The losses by hand; values and gradients are in test_reference.py, laws in test_invariants.py."""

import math

import pytest
import torch

from msm4sr_lite import losses
from msm4sr_lite.losses import cross_modal_loss, false_negatives, ranking_loss

TAU = 0.07


def test_blocked_pairs():
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


def test_ranking_loss_by_hand():
    scores = torch.tensor([[0.0, 0.07 * math.log(3)]])
    assert ranking_loss(scores, torch.tensor([1]), temperature=TAU).item() == pytest.approx(
        math.log(4 / 3), abs=1e-6
    )


@pytest.mark.parametrize("at_once", [1, 20, 50])
def test_blocks_of_rows_change_neither_value_nor_gradient(monkeypatch, at_once):
    targets, users = torch.tensor([1, 2, 1, 3, 4, 5, 2]), torch.tensor([0, 0, 0, 1, 1, 2, 3])
    masked = losses.false_negatives(targets, users, same_user=True)

    def found():
        torch.manual_seed(0)
        text, image, goal = (torch.randn(7, 5, requires_grad=True) for _ in range(3))
        loss = losses.next_item_loss(text, goal, masked, temperature=0.1)
        loss = loss + losses.cross_modal_loss(text, image, masked, temperature=0.1)
        loss.backward()
        return [loss, text.grad, image.grad, goal.grad]

    whole = found()
    monkeypatch.setattr(losses, "CACHED", at_once)
    for one, other in zip(whole, found(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("masked_logit", [losses.EXCLUDED, 0.0])
@pytest.mark.parametrize("positives", [1, 2])
@pytest.mark.parametrize("at_once", [1, 30, 1000])
def test_gradients_are_those_of_the_formula(monkeypatch, masked_logit, positives, at_once):
    targets, users = torch.tensor([1, 2, 1, 3, 4, 5, 2]), torch.tensor([0, 0, 0, 1, 1, 2, 3])
    masked = losses.false_negatives(targets, users, same_user=True)
    a, b = (torch.randn(2, 7, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    a.data *= 100  # far beyond what e^x can hold

    def plain(a, b):
        scores = (a @ b.mT).masked_fill(masked & ~torch.eye(7, dtype=torch.bool), masked_logit)
        itself = torch.eye(7, dtype=torch.bool) & (torch.arange(2) >= positives)[:, None, None]
        scores = scores.masked_fill(itself, losses.EXCLUDED)
        upper = scores[:positives].diagonal(dim1=1, dim2=2).logsumexp(dim=0)
        return (scores.logsumexp(dim=(0, 2)) - upper).mean()

    def ours(a, b):
        return losses._OwnColumn.apply(a, b, positives, masked, masked_logit)

    monkeypatch.setattr(losses, "CACHED", at_once)
    found, asked = ours(a, b), plain(a, b)
    torch.testing.assert_close(found, asked)
    for one, other in zip(
        torch.autograd.grad(3 * found, (a, b)), torch.autograd.grad(3 * asked, (a, b)), strict=True
    ):
        torch.testing.assert_close(one, other)
