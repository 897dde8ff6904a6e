"""Augmentations that keep every label true."""

import torch

from msm4sr_lite.features.clip.images import augment


def test_augment_keeps_colour_names_true():
    red = torch.zeros(64, 3, 16, 16, dtype=torch.uint8)
    red[:, 0] = 200
    changed = augment(red, torch.Generator().manual_seed(0))
    assert changed.shape == red.shape
    assert 0.69 < float(changed[:, 0].min()) <= float(changed[:, 0].max()) < 0.88
    assert float(changed[:, 1:].max()) < 0.01
    again = augment(red, torch.Generator().manual_seed(0))
    assert torch.equal(changed, again)


def test_augment_moves_and_mirrors_but_keeps_most_of_the_image():
    half = torch.zeros(200, 3, 16, 16, dtype=torch.uint8)
    half[..., :8] = 200
    changed = augment(half, torch.Generator().manual_seed(0))
    left = changed[..., 4].mean((1, 2)) > changed[..., 11].mean((1, 2))
    assert 0.35 < float(left.float().mean()) < 0.65
    light = changed.mean((1, 2, 3)) / (200 / 255)
    assert 0.25 < float(light.min()) < float(light.max()) < 0.75


def test_without_distortion_straight_lines_stay_where_they_are():
    rows = torch.zeros(50, 3, 32, 32, dtype=torch.uint8)
    rows[:, :, 16:] = 200
    straight = augment(rows, torch.Generator().manual_seed(0), distortion=0)
    # Every row of pixels has one value, but for the shift of the edges.
    assert float(straight[..., 4:-4].std(-1).max()) < 1e-3
    turned = augment(rows, torch.Generator().manual_seed(0))
    assert float(turned[..., 4:-4].std(-1).max()) > 0.1
