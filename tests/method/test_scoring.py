"""The scorer of the model: another order of the items, items at the end."""

import numpy as np
import pytest
import torch

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.scoring import ModelScorer
from tests.toys import toy_table

CONFIG = ModelConfig(feature_dim=11, max_len=6)


def test_a_selection_scores_the_items_in_its_order():
    scorer = ModelScorer(M2SE(CONFIG), toy_table([2, 1, 3, 1, 2], [1, 2, 1, 1, 3]))
    order = np.array([0, 4, 2, 5])  # item 1 of the selection is item 4
    selection = scorer.select(order)
    for method in ("score", "score_on_device"):
        found = getattr(selection, method)([np.array([1, 3]), np.array([2])])
        expected = getattr(scorer, method)([np.array([4, 5]), np.array([2])])[:, order]
        torch.testing.assert_close(found, expected)
    assert len(scorer.units) == 6


def test_features_of_another_width_are_refused():
    with pytest.raises(UserError, match="features of width 12, but the model was trained on width"):
        ModelScorer(M2SE(CONFIG), toy_table([1], [1], width=12))


def test_a_table_with_items_at_the_end_has_the_slots_of_both():
    one, two = toy_table([2, 0, 1], [1, 1, 2]), toy_table([3, 1], [0, 2], seed=5, items=["x", "y"])
    both = one.append(two)
    assert isinstance(both, FeatureTable)
    assert both.items == ["", "i1", "i2", "i3", "x", "y"]
    for name in ("text", "image"):
        first, second, joined = (getattr(table, name) for table in (one, two, both))
        for row in range(6):
            slots, own = (first, row) if row < 4 else (second, row - 3)
            found, valid = joined.gather(torch.tensor([row]))
            expected, real = slots.gather(torch.tensor([own]))
            assert torch.equal(found[valid], expected[real])
    with pytest.raises(UserError, match="width 7, not 11"):
        one.append(toy_table([1], [1], width=7))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_embeddings_that_are_not_finite_are_refused(bad):
    net = M2SE(CONFIG)
    with torch.no_grad():
        net.adapt["image"].scale[0, 0] = bad
    with pytest.raises(UserError, match="item embeddings are not finite numbers"):
        ModelScorer(net, toy_table([1], [1]))
    scorer, table = ModelScorer(M2SE(CONFIG), toy_table([1], [1])), toy_table([1], [1], items=["x"])
    table.text.vectors[0, 0] = bad
    with pytest.raises(UserError, match="item embeddings are not finite numbers"):
        scorer.append(table)
    assert len(scorer.units) == 2
