from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import toy_sequences, toy_table

from msm4sr_lite import training
from msm4sr_lite.baselines import BaselineData, fit_baseline
from msm4sr_lite.baselines.sequence_models import SASRec, SummedFeatures
from msm4sr_lite.config import PRESETS, ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.scoring import ModelScorer

SIZES = {"feature_dim": 11, "dim": 8, "ffn_dim": 8, "heads": 2, "experts": 2}


@pytest.fixture
def table():
    return toy_table([2, 1, 3] * 6 + [0], [1, 0, 2] * 6 + [1])


def test_baselines_see_only_what_they_say(table):
    config = ModelConfig(**SIZES, n_items=19)
    histories = [np.array([1, 2, 3]), np.array([4])]
    other = toy_table([2, 1, 3] * 6 + [0], [1, 0, 2] * 6 + [1], seed=9)
    for build, sees in ((SASRec, False), (SummedFeatures, True)):
        torch.manual_seed(0)
        model = build(config)
        one, two = (ModelScorer(model, t).score(histories) for t in (table, other))
        assert torch.equal(one, two) != sees, build
        assert one.shape == (2, 20)
    names = [name for name, _ in SASRec(config).named_parameters()]
    assert not any("adapt" in name or "pool" in name for name in names)


def test_summed_features_are_the_sum_of_both_modalities(table):
    torch.manual_seed(0)
    config = ModelConfig(feature_dim=11, dim=8, ffn_dim=8)
    summed = SummedFeatures(config).eval()
    both = M2SE(config).eval()
    both.load_state_dict(summed.state_dict())
    items = torch.tensor([1, 2, 19])
    found = summed.item_embeddings(table, items)["sum"]
    modalities = both.item_embeddings(table, items)
    torch.testing.assert_close(found[0], modalities["text"][0] + modalities["image"][0])
    torch.testing.assert_close(found[1], modalities["text"][1])  # no image: nothing is added
    torch.testing.assert_close(found[2], modalities["image"][2])


@pytest.mark.parametrize("use_ids", [True, False])
def test_a_fit_is_the_training_with_the_same_seed(table, use_ids):
    sequences = toy_sequences([7, 8, 6, 9, 7, 8], n_items=19)
    paper = PRESETS["paper"]
    finetune = replace(paper.finetune, epochs=2, batch_size=8, use_ids=use_ids)
    config = replace(paper, model=ModelConfig(**SIZES), finetune=finetune)
    data = BaselineData(sequences, table)
    scorer = fit_baseline("text+image", data, config=config, seed=5)
    torch.manual_seed(5)
    model = SummedFeatures(replace(config.model, n_items=19 if use_ids else 0))
    training.finetune(model, table, sequences, finetune, seed=5)
    histories = [np.array([1, 2, 3]), np.array([4])]
    assert torch.equal(scorer.score(histories), ModelScorer(model, table).score(histories))
