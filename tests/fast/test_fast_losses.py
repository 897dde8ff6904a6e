"""The kernels of the losses, one by one, beside their plain forms."""

import math

import pytest
import torch
import torch.nn.functional as F

from msm4sr_lite import losses as plain_losses
from msm4sr_lite.fast import losses
from msm4sr_lite.losses import EXCLUDED, false_negatives

TARGETS, USERS = torch.tensor([1, 2, 1, 3, 4, 5, 2]), torch.tensor([0, 0, 0, 1, 1, 2, 3])


def gradients(loss, inputs):
    return torch.autograd.grad(loss, inputs)


def assert_same(found, expected, inputs, **tolerance):
    torch.testing.assert_close(found, expected, **tolerance)
    pairs = zip(gradients(3 * found, inputs), gradients(3 * expected, inputs), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, **tolerance)


@pytest.mark.parametrize("block", [1, 20, 50, 1000])
@pytest.mark.parametrize("logit", [EXCLUDED, 0.0])
@pytest.mark.parametrize("states", [1, 3])
def test_next_item_loss_in_blocks(block, logit, states, monkeypatch):
    monkeypatch.setattr(losses, "BLOCK_SCORES", block)
    masked = false_negatives(TARGETS, USERS, same_user=True)
    h, z = torch.randn(states, 7, 5, requires_grad=True), torch.randn(7, 5, requires_grad=True)
    options = {"temperature": 0.07, "masked_logit": logit}
    found = losses.next_item_loss(h, z, masked, **options)
    expected = plain_losses.next_item_loss.plain(h, z, masked, **options)
    assert_same(found, expected, (h, z), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("block", [1, 20, 50, 1000])
@pytest.mark.parametrize("logit", [EXCLUDED, 0.0])
@pytest.mark.parametrize("form", ["symmetric", "rowwise"])
def test_cross_modal_loss_in_blocks(block, logit, form, monkeypatch):
    monkeypatch.setattr(losses, "BLOCK_SCORES", block)
    masked = false_negatives(TARGETS, USERS, same_user=True)
    text, image = (torch.randn(7, 5, requires_grad=True) for _ in range(2))
    options = {"temperature": 0.07, "masked_logit": logit, "form": form}
    found = losses.cross_modal_loss(text, image, masked, **options)
    expected = plain_losses.cross_modal_loss.plain(text, image, masked, **options)
    assert_same(found, expected, (text, image), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("masked_logit", [EXCLUDED, 0.0])
@pytest.mark.parametrize("positives", [1, 2])
@pytest.mark.parametrize("block", [1, 30, 1000])
def test_diagonal_cross_entropy_is_its_formula(monkeypatch, masked_logit, positives, block):
    masked, diagonal = false_negatives(TARGETS, USERS, same_user=True), torch.eye(7, dtype=bool)
    a, b = (torch.randn(2, 7, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    a.data *= 100  # far beyond what e^x can hold

    def formula(a, b):
        scores = (a @ b.mT).masked_fill(masked & ~diagonal, masked_logit)
        itself = diagonal & (torch.arange(2) >= positives)[:, None, None]
        scores = scores.masked_fill(itself, EXCLUDED)
        numerator = scores[:positives].diagonal(dim1=1, dim2=2).logsumexp(dim=0)
        return (scores.logsumexp(dim=(0, 2)) - numerator).mean()

    monkeypatch.setattr(losses, "BLOCK_SCORES", block)
    found = losses.DiagonalCrossEntropy.apply(a, b, positives, masked, masked_logit)
    assert_same(found, formula(a, b), (a, b))


@pytest.mark.parametrize("block", [1, 40, 7 * 23 - 1])
@pytest.mark.parametrize("temperature", [1.0, 0.03])
def test_catalogue_loss_in_blocks(block, temperature, monkeypatch):
    h, z = (
        F.normalize(torch.randn(n, 8, dtype=torch.float64), dim=-1).requires_grad_()
        for n in (7, 23)
    )
    target = torch.randint(23, (7,))
    expected = F.cross_entropy(h @ z.T / temperature, target)
    monkeypatch.setattr(losses, "CATALOGUE_SCORES", block)
    monkeypatch.setattr(losses, "CATALOGUE_ROWS", 2)
    found = losses.catalogue_loss(h, z, target, temperature=temperature)
    assert_same(found, expected, (h, z), atol=1e-12, rtol=1e-9)


def test_sampled_loss_from_embeddings():
    h, z = (torch.randn(n, 5, requires_grad=True) for n in (7, 11))
    target, drawn = torch.tensor([1, 2, 3, 4, 5, 6, 3]), torch.tensor([3, 3, 8, 1, 10])
    log_count = torch.rand(5).log()
    hit = drawn == target[:, None]
    found = losses.sampled_loss(h, z[target], z[drawn], hit, log_count, temperature=0.4)
    expected = plain_losses.sampled_ranking_loss(h @ z.T, target, drawn, log_count, temperature=0.4)
    assert_same(found, expected, (h, z), atol=1e-5, rtol=1e-5)


def test_sampled_softmax_is_right_on_average():
    """The corrected sum over drawn items is, on average, the sum over the catalogue."""
    torch.manual_seed(0)
    scores, target, tau = torch.randn(1, 12), torch.tensor([4]), 0.7
    popularity = torch.rand(12) + 0.05
    popularity /= popularity.sum()
    sums = []
    for _ in range(4000):
        drawn = popularity.multinomial(5, replacement=True)
        log_count = (5 * popularity[drawn]).log()
        loss = plain_losses.sampled_ranking_loss(scores, target, drawn, log_count, temperature=tau)
        sums.append((loss + scores[0, 4] / tau).exp())
    total = (scores / tau).exp().sum().item()
    sums = torch.stack(sums)
    assert sums.mean().item() == pytest.approx(total, abs=4 * sums.std().item() / math.sqrt(4000))
    assert sums.mean().item() == pytest.approx(total, rel=0.03)
