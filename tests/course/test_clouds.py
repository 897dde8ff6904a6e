"""The plane of two clouds: what it holds is said, and no point lies outside the picture."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from course.clouds import draw_clouds, principal_axes

mpl.use("agg")


def test_the_plane_holds_the_share_of_the_spread_that_is_said():
    dice = np.random.default_rng(0)
    text, image = dice.normal(size=(2, 30, 5)) + np.array([[[3.0]], [[-3.0]]])
    (one, two), share = principal_axes(text, image)
    unit = np.concatenate([x / np.linalg.norm(x, axis=1, keepdims=True) for x in (text, image)])
    assert one.shape == two.shape == (30, 2)
    seen = np.concatenate([one, two])
    assert share == pytest.approx(seen.var(axis=0).sum() / unit.var(axis=0).sum())
    assert 0 < share < 1
    flat = np.zeros((30, 5))
    flat[:, :2] = text[:, :2]
    assert principal_axes(flat, -flat)[1] == pytest.approx(1)


def test_no_point_is_cut_off_and_all_share_one_scale():
    apart = np.array([[1.0, 0, 0], [1, 0.1, 0]]), np.array([[-1.0, 0, 0], [-1, 0.2, 0]])
    near = np.array([[1.0, 0, 0], [1, 0.1, 0]]), np.array([[1.0, 0, 0.1], [1, 0.2, 0]])
    skewed = np.tile([[1.0, 0, 0]], (9, 1)), np.tile([[-1.0, 0, 0]], (9, 1))
    skewed[1][1:] = [1, 0, 0]  # one of 18 lies at -1: 1.9 from the middle
    figure, shares = draw_clouds({"apart": apart, "near": near, "skewed": skewed})
    limits = {(*axes.get_xlim(), *axes.get_ylim()) for axes in figure.axes}
    assert len(limits) == 1
    low, high, *_ = limits.pop()
    for axes, share in zip(figure.axes, shares, strict=True):
        assert f"{share:.0%} of the spread" in axes.get_xlabel()
        for cloud in axes.collections:
            assert low < cloud.get_offsets().min() <= cloud.get_offsets().max() < high
    plt.close(figure)
