"""Matrices of users and next items: one scale, a bar that names it, a title that is true."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch
from course.similarity import describe_cosines, draw_cosines, draw_softmax

mpl.use("agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def cosines(right: float, others: float, spread: float = 0.1) -> torch.Tensor:
    """Return a matrix with these means and this spread of the others."""
    noise = torch.randn(24, 24, generator=torch.Generator().manual_seed(0))
    own = torch.eye(24, dtype=torch.bool)
    noise = (noise - noise[~own].mean()) / noise[~own].std()
    return others + spread * noise.where(~own, 0) + own * (right - others)


def test_a_title_distinguishes_collapse_from_learning():
    assert describe_cosines(cosines(0.97, 0.97, 0.004)) == "all cosines near 0.97"
    assert describe_cosines(cosines(0.43, 0.42, 0.19)) == "no diagonal yet"
    assert describe_cosines(cosines(0.40, 0.80)) == "no diagonal yet"
    assert describe_cosines(cosines(0.90, 0.80)) == "the diagonal leads by 0.10"


@pytest.mark.parametrize("step", [0, 190])
def test_every_frame_has_the_same_scale_and_names_it(step: int):
    figure, alt = draw_cosines(cosines(0.9 - step / 1000, 0.8 - step / 1000, 0.05), step)
    axes, bar = figure.axes
    low, high = axes.images[0].get_clim()
    assert low == -high == bar.get_ylim()[0]
    assert bar.get_ylabel() == "cosine minus the mean of its row"
    assert (
        axes.get_title(loc="left") + axes.get_title() == f"step {step}: the diagonal leads by 0.10"
    )
    assert f"on the diagonal {0.9 - step / 1000:.1f}, elsewhere {0.8 - step / 1000:.1f}" in alt


def test_rows_are_centred_so_that_collapse_is_white_and_learning_is_not():
    figure, alt = draw_cosines(cosines(0.97, 0.97, 0.004), 50)
    assert abs(figure.axes[0].images[0].get_array()).max() < 0.02
    assert "The matrix is almost white." in alt
    offset = torch.linspace(-0.3, 0.3, 24)[:, None]  # of a user; it decides nothing
    figure, alt = draw_cosines(cosines(0.9, 0.5, 0.05) + offset, 190)
    shown = torch.tensor(figure.axes[0].images[0].get_array())
    assert torch.allclose(shown.mean(dim=1), torch.zeros(24, dtype=shown.dtype), atol=1e-6)
    assert shown.diagonal().min() > 0.2 > shown[~torch.eye(24, dtype=torch.bool)].max()
    assert "An orange diagonal stands out" in alt
    assert "in 24 of 24 rows the right item has the largest" in alt
    assert "off the diagonal, too" in draw_cosines(cosines(0.43, 0.42, 0.19), 0)[1]


def test_a_softmax_has_one_scale_and_marks_excluded_pairs():
    left_out = torch.zeros(4, 4, dtype=torch.bool)
    left_out[0, 1] = left_out[1, 0] = True
    shares = torch.zeros(4, 4).masked_fill(left_out, -torch.inf).softmax(dim=1)
    figure = draw_softmax(shares, left_out, loss=1.25)
    axes, bar = figure.axes
    assert axes.images[0].get_clim() == bar.get_ylim() == (0, 1)
    assert bar.get_ylabel() == "probability"
    assert [text.get_text() for text in axes.texts] == ["out", "out"]
    title = axes.get_title(loc="left") + axes.get_title()
    assert title.startswith("The right item gets 29% on average")  # (1/3 + 1/3 + 1/4 + 1/4) / 4
    assert "loss 1.25" in title
    assert "guessing: 25%, 1.39" in title
