"""Alignment and uniformity at the points where they are known."""

import math

import pytest
import torch
from course.sphere import alignment, uniformity


def test_alignment_counts_directions_only():
    vectors = torch.randn(20, 8)
    assert alignment(vectors, 3 * vectors) == pytest.approx(0, abs=1e-6)
    assert alignment(vectors, -vectors) == pytest.approx(4)


def test_uniformity_of_one_vector_of_two_poles_and_of_a_sphere():
    assert uniformity(torch.ones(5, 3)) == pytest.approx(0, abs=1e-6)
    assert uniformity(torch.tensor([[1.0, 0], [-2, 0]])) == pytest.approx(-8)
    three = torch.eye(3)  # all distances are the square root of 2
    assert uniformity(three) == pytest.approx(-4)
    assert uniformity(three, sharpness=1) == pytest.approx(-2)
    mixed = torch.tensor([[1.0, 0], [1, 0], [-1, 0]])
    assert uniformity(mixed) == pytest.approx(math.log((1 + 2 * math.exp(-8)) / 3), abs=1e-5)
