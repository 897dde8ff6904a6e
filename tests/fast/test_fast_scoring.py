"""Scores of many histories at once beside those of the plain form."""

import numpy as np
import pytest
import torch

from msm4sr_lite import fast
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.fast import scoring
from msm4sr_lite.scoring import ModelScorer
from tests.toys import toy_table


@pytest.mark.parametrize("together", [1, 10, 64])
@pytest.mark.parametrize("modalities", ["both", "image"])
def test_scores_on_the_device_are_the_scores(together, modalities, monkeypatch):
    monkeypatch.setattr(scoring, "HISTORIES_TOGETHER", together)
    config = ModelConfig(feature_dim=11, max_len=6, n_items=13, modalities=modalities)
    scorer = ModelScorer(M2SE(config), toy_table([2] * 13, [1] * 13))
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, 14, rng.integers(1, 10)) for _ in range(150)]
    found = scorer.score_on_device(histories)
    torch.testing.assert_close(found, scorer.score(histories))
    with fast.switched_off():
        torch.testing.assert_close(found, scorer.score_on_device(histories))
    assert torch.equal(scorer.score_on_device(histories[:1]), scorer.score_on_device(histories[:1]))
