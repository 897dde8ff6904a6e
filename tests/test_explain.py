"""Leaving something out, and what it moves."""

import torch
import torch.nn.functional as F

from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.explain.keywords import keyword_influence, without_each


def model():
    torch.manual_seed(0)
    return M2SE(ModelConfig(feature_dim=11, dim=6, experts=3, heads=2)).eval()


def test_every_word_is_left_out_once():
    assert without_each(["red", "mug"]) == ["red mug", "mug", "red"]
    assert without_each(["mug"]) == ["mug", ""]


def test_influence_is_the_move_of_the_image_vector():
    net, slots, without = model(), torch.randn(3, 11), torch.randn(5, 11)
    got = keyword_influence(net, slots, 1, without)
    for word in range(5):
        changed = torch.stack([slots[0], without[word], slots[2]])
        vectors = [
            net.adapt["image"](net.pool["image"](s[None], torch.ones(1, 3, dtype=torch.bool))[0])
            for s in (slots, changed)
        ]
        assert torch.isclose(got[word], 1 - F.cosine_similarity(*vectors)[0], atol=1e-6)


def test_a_word_that_changes_nothing_has_no_influence():
    slots = torch.randn(2, 11)
    influence = keyword_influence(model(), slots, 0, slots[:1].repeat(4, 1))
    assert influence.abs().max() < 1e-6


def test_half_precision_slots_are_read():
    slots = torch.randn(1, 11).half()
    assert keyword_influence(model(), slots, 0, torch.randn(2, 11).half()).dtype == torch.float32
