"""Trained baselines: what their item embeddings are made of."""

import numpy as np
import torch

from msm4sr_lite.baselines.sequence_models import SASRec, SummedFeatures
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.scoring import ModelScorer
from tests.tiny_study import tiny_study_data
from tests.toys import toy_table


def test_sasrec_ignores_the_features_and_summed_features_uses_them():
    data = tiny_study_data()
    config = ModelConfig(feature_dim=11, dim=8, ffn_dim=8, heads=2, n_items=19, experts=2)
    histories = [np.array([1, 2, 3]), np.array([4])]
    other = toy_table([2, 1, 3] * 6 + [0], [1, 0, 2] * 6 + [1], seed=9)
    for build, sees in ((SASRec, False), (SummedFeatures, True)):
        torch.manual_seed(0)
        model = build(config)
        one, two = (ModelScorer(model, t).score(histories) for t in (data.table, other))
        assert torch.equal(one, two) != sees, build
        assert one.shape == (2, 20)
    assert not any(
        "adapt" in name or "pool" in name for name, _ in SASRec(config).named_parameters()
    )


def test_summed_features_add_the_embeddings_of_both_modalities():
    data = tiny_study_data()
    torch.manual_seed(0)
    config = ModelConfig(feature_dim=11, dim=8, ffn_dim=8)
    summed = SummedFeatures(config).eval()
    both = M2SE(config).eval()
    both.load_state_dict(summed.state_dict())
    items = torch.tensor([1, 2, 19])
    found = summed.item_embeddings(data.table, items)["sum"]
    modalities = both.item_embeddings(data.table, items)
    torch.testing.assert_close(found[0], modalities["text"][0] + modalities["image"][0])
    torch.testing.assert_close(found[1], modalities["text"][1])  # no image: nothing is added
    torch.testing.assert_close(found[2], modalities["image"][2])
