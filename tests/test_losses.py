"""Both contrastive losses against slow loops, closed forms and their own symmetries."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from msm4sr_lite.losses import blocked_pairs, cross_modal_loss, next_item_loss, ranking_loss

TAU = 0.07


def unit(rows, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, dim, generator=generator, dtype=torch.float64), dim=-1)


def slow_next_item(sequence, target, blocked, tau):
    total = 0.0
    for i in range(len(sequence)):
        positive = torch.exp(sequence[i] @ target[i] / tau)
        negatives = sum(
            torch.exp(sequence[i] @ target[j] / tau)
            for j in range(len(sequence))
            if not blocked[i, j]
        )
        total = total - torch.log(positive / (positive + negatives))
    return total / len(sequence)


def slow_cross_modal(text, image, blocked, tau):
    total = 0.0
    for own, other in ((text, image), (image, text)):
        for i in range(len(own)):
            positive = torch.exp(own[i] @ other[i] / tau)
            negatives = sum(
                torch.exp(own[i] @ other[j] / tau) + torch.exp(own[i] @ own[j] / tau)
                for j in range(len(own))
                if not blocked[i, j]
            )
            total = total - torch.log(positive / (positive + negatives)) / 2
    return total / len(text)


@pytest.mark.parametrize(
    ("fast", "slow"), [(next_item_loss, slow_next_item), (cross_modal_loss, slow_cross_modal)]
)
@settings(deadline=None, max_examples=25)
@given(
    rows=st.integers(1, 7), dim=st.integers(2, 5), seed=st.integers(0, 99), kinds=st.integers(1, 5)
)
def test_values_and_gradients_equal_the_slow_loops(fast, slow, rows, dim, seed, kinds):
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(1, kinds + 1, (rows,), generator=generator)
    users = torch.randint(0, 3, (rows,), generator=generator)
    blocked = blocked_pairs(targets, users, same_user=bool(seed % 2))
    one, two = unit(rows, dim, seed), unit(rows, dim, seed + 1000)
    results = []
    for function, dtype in ((fast, torch.float32), (slow, torch.float64)):
        a, b = (x.to(dtype).requires_grad_() for x in (one, two))
        # The slow loops take unit vectors; normalising inside makes the gradients comparable.
        if function is slow:
            loss = slow(F.normalize(a, dim=-1), F.normalize(b, dim=-1), blocked, TAU)
        else:
            loss = fast(a, b, blocked, temperature=TAU)
        loss.backward()
        results.append((loss.detach().double(), a.grad.double(), b.grad.double()))
    for quick, obvious in zip(*results, strict=True):
        torch.testing.assert_close(quick, obvious, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("rows", [8, 64, 1024])
def test_collapse(rows):
    same, diagonal = torch.ones(rows, 5), torch.eye(rows, dtype=torch.bool)
    nip = next_item_loss(same, same, diagonal, temperature=TAU)
    cmcl = cross_modal_loss(same, same, diagonal, temperature=TAU)
    assert nip.item() == pytest.approx(math.log(rows), abs=1e-5)
    assert cmcl.item() == pytest.approx(math.log(2 * rows - 1), abs=1e-5)


def test_orthonormal_and_aligned():
    basis, diagonal = torch.eye(64), torch.eye(64, dtype=torch.bool)
    nip = next_item_loss(basis, basis, diagonal, temperature=TAU)
    cmcl = cross_modal_loss(basis, basis, diagonal, temperature=TAU)
    assert nip.item() == pytest.approx(math.log(1 + 63 * math.exp(-1 / TAU)), abs=1e-6)
    assert cmcl.item() == pytest.approx(math.log(1 + 126 * math.exp(-1 / TAU)), abs=1e-6)


def test_one_row_costs_nothing():
    one, two, blocked = (
        unit(1, 3, 0).float(),
        unit(1, 3, 1).float(),
        torch.ones(1, 1, dtype=torch.bool),
    )
    assert next_item_loss(one, two, blocked, temperature=TAU) == 0
    assert cross_modal_loss(one, two, blocked, temperature=TAU) == 0


def test_all_targets_equal_costs_nothing():
    blocked = blocked_pairs(torch.full((5,), 3), torch.arange(5), same_user=False)
    assert blocked.all()
    one, two = unit(5, 3, 0).float(), unit(5, 3, 1).float()
    assert next_item_loss(one, two, blocked, temperature=TAU) == 0


def test_blocked_pairs():
    targets, users = torch.tensor([1, 2, 1, 3]), torch.tensor([0, 0, 1, 0])
    same_target = blocked_pairs(targets, users, same_user=False)
    assert same_target.nonzero().tolist() == [[0, 0], [0, 2], [1, 1], [2, 0], [2, 2], [3, 3]]
    both = blocked_pairs(targets, users, same_user=True)
    assert both.int().tolist() == [[1, 1, 1, 1], [1, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 1]]


def test_blocked_pairs_get_no_gradient():
    sequence, target = unit(2, 3, 0).float(), unit(2, 3, 1).float().requires_grad_()
    blocked = torch.ones(2, 2, dtype=torch.bool)
    next_item_loss(sequence, target, blocked, temperature=TAU).backward()
    assert torch.equal(target.grad, torch.zeros(2, 3))


def test_cross_modal_is_symmetric_and_scale_free():
    text, image = unit(11, 7, 0).float(), unit(11, 7, 1).float()
    diagonal = torch.eye(11, dtype=torch.bool)
    one = cross_modal_loss(text, image, diagonal, temperature=TAU)
    torch.testing.assert_close(one, cross_modal_loss(image, text, diagonal, temperature=TAU))
    torch.testing.assert_close(
        one, cross_modal_loss(5 * text, 0.1 * image, diagonal, temperature=TAU)
    )
    order = torch.randperm(11)
    torch.testing.assert_close(
        one, cross_modal_loss(text[order], image[order], diagonal, temperature=TAU)
    )


@pytest.mark.parametrize("rows", [2, 4, 8, 64])
def test_float32_equals_float64(rows):
    text, image = unit(rows, 64, 0), unit(rows, 64, 1)
    diagonal = torch.eye(rows, dtype=torch.bool)
    expected = slow_cross_modal(text, image, diagonal, TAU)
    got = cross_modal_loss(text.float(), image.float(), diagonal, temperature=TAU)
    assert got.item() == pytest.approx(expected.item(), abs=1e-5)


def test_autocast_does_not_reach_the_losses():
    text, image = unit(16, 8, 0).float(), unit(16, 8, 1).float()
    diagonal = torch.eye(16, dtype=torch.bool)
    plain = cross_modal_loss(text, image, diagonal, temperature=0.01)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(cross_modal_loss(text, image, diagonal, temperature=0.01), plain)


def test_ranking_loss_by_hand():
    scores = torch.tensor([[0.0, 0.07 * math.log(3)]])
    assert ranking_loss(scores, torch.tensor([1]), temperature=TAU).item() == pytest.approx(
        math.log(4 / 3), abs=1e-6
    )
