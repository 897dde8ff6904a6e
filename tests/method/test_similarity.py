"""Cosine similarity beside its formula."""

import math

import pytest
import torch

from msm4sr_lite.similarity import cosine_scores, normalize


def test_cosines_by_hand():
    queries, items = torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([[5.0, 0.0], [1.0, 1.0]])
    expected = [[0.6, 7 / (5 * math.sqrt(2))], [0.0, 1 / math.sqrt(2)]]
    torch.testing.assert_close(cosine_scores(queries, items), torch.tensor(expected))


@pytest.mark.parametrize("number", [torch.float16, torch.bfloat16, torch.float32])
def test_norms_are_1_in_float32_and_zeros_stay(number):
    unit = normalize(torch.tensor([[3.0, 4.0], [0.0, 0.0]]).to(number))
    assert unit.dtype == torch.float32
    assert unit.norm(dim=1).tolist() == pytest.approx([1.0, 0.0])


def test_scores_are_not_rounded_by_autocast_and_keep_leading_axes():
    queries, items = torch.randn(2, 7, 5), torch.randn(11, 5)
    with torch.autocast("cpu", torch.bfloat16):
        found = cosine_scores(queries, items)
    assert found.dtype == torch.float32
    assert torch.equal(found, normalize(queries) @ normalize(items).T)
