"""The influence of a keyword on the embedding of its item."""

import torch
import torch.nn.functional as F
from course.explainer import keyword_influence
from explain.test_effects import model


def test_influence_is_the_change_of_the_image_embedding():
    net, slots, deletions = model(), torch.randn(3, 11), torch.randn(5, 11)
    got = keyword_influence(net, slots, 1, deletions)
    for k in range(5):
        changed = torch.stack([slots[0], deletions[k], slots[2]])
        vectors = [
            net.adapt["image"](net.pool["image"](s[None], torch.ones(1, 3, dtype=torch.bool))[0])
            for s in (slots, changed)
        ]
        assert torch.isclose(got[k], 1 - F.cosine_similarity(*vectors)[0], atol=1e-6)


def test_a_keyword_that_changes_nothing_has_no_influence():
    slots = torch.randn(2, 11)
    influence = keyword_influence(model(), slots, 0, slots[:1].repeat(4, 1))
    assert influence.abs().max() < 1e-6


def test_half_precision_slots_are_read():
    slots = torch.randn(1, 11).half()
    assert keyword_influence(model(), slots, 0, torch.randn(2, 11).half()).dtype == torch.float32
