"""Whitening: what it does to a covariance, and features for which it could go wrong."""

import pytest
import torch

from msm4sr_lite.whitening import Whitening

KINDS = ("centre", "pca", "zca")


def cone(n=500, width=12, seed=0):
    """Features in a narrow cone, as BERT's: a large common part and unequal variances."""
    rng = torch.Generator().manual_seed(seed)
    spread = torch.logspace(0, -2, width)
    mixing = torch.linalg.qr(torch.randn(width, width, generator=rng))[0]
    return torch.randn(n, width, generator=rng) * spread @ mixing + 3


def fitted(x, kind, dim=None):
    whitening = Whitening(x.shape[1], dim or x.shape[1])
    whitening.fit(x, kind)
    return whitening


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_is_zero(kind):
    x = cone()
    torch.testing.assert_close(fitted(x, kind)(x).mean(dim=0), torch.zeros(12), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("kind", "dim"), [("pca", 12), ("pca", 5), ("zca", 12)])
def test_the_covariance_is_the_identity(kind, dim):
    x = cone()
    found = torch.cov(fitted(x, kind, dim)(x).T, correction=0)
    torch.testing.assert_close(found, torch.eye(dim), atol=1e-3, rtol=0)


def test_centring_only_moves():
    x = cone()
    torch.testing.assert_close(fitted(x, "centre")(x), x - x.mean(dim=0))


def test_pca_keeps_the_directions_of_largest_variance():
    x = cone()
    found = fitted(x, "pca", 1)(x).squeeze(1)
    centred = x - x.mean(dim=0)
    first = torch.linalg.svd(centred, full_matrices=False)[2][0]
    assert torch.corrcoef(torch.stack([found, centred @ first]))[0, 1].abs() > 0.999


def test_zca_changes_features_least():
    """Of all maps to equal variances, its output is closest to the centred features."""
    x = cone()
    centred = x - x.mean(dim=0)
    distances = {k: (fitted(x, k)(x) - centred).square().sum() for k in ("pca", "zca")}
    assert distances["zca"] < distances["pca"]


@pytest.mark.parametrize("kind", KINDS)
def test_new_items_are_mapped_like_old_ones(kind):
    """An item's output does not depend on the items beside it, nor on those that come later."""
    x = cone()
    whitening = fitted(x[:300], kind)
    torch.testing.assert_close(whitening(x)[:300], whitening(x[:300]))
    torch.testing.assert_close(whitening(x[300:301]), whitening(x)[300:301])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "x",
    [
        torch.full((20, 6), 0.3),  # constant
        torch.zeros(20, 6),
        cone(4, 6).repeat(5, 1),  # duplicates, and fewer distinct items than directions
        torch.cat([cone(20, 3), torch.full((20, 3), 0.7)], dim=1),  # constant directions
        cone(1, 6),
        cone(0, 6),
    ],
    ids=["constant", "zero", "duplicates", "constant directions", "one item", "no item"],
)
def test_constant_and_duplicate_features_do_no_harm(kind, x):
    found = fitted(x, kind)(x)
    assert found.isfinite().all()
    assert not len(x) or found.abs().max() < 10
    new = fitted(x, kind)(cone(5, 6, seed=1))
    assert new.isfinite().all()


def test_half_precision_of_the_table_does_not_count_as_variance():
    """Float16 rounds; equal embeddings stay equal, and their direction is left out."""
    x = torch.cat([cone(50, 3), torch.full((50, 1), 0.1)], dim=1).half().float()
    assert (fitted(x, "pca").matrix[:, 3] == 0).all()


def test_before_it_is_fitted_it_is_the_identity():
    x = cone()
    assert torch.equal(Whitening(12, 12)(x), x)
    assert torch.equal(Whitening(12, 5)(x), x[:, :5])


def test_an_item_without_features_stays_without():
    """Its features are 0; minus the mean they would be far from those of all other items."""
    torch.manual_seed(0)
    x = torch.randn(50, 4) + 30
    for kind in ("centre", "pca", "zca"):
        whiten = Whitening(4, 4)
        whiten.fit(x, kind)
        found = whiten(torch.cat([x[:1], torch.zeros(1, 4)]))
        assert not found[1].any()
        assert found[0].any()
