"""Histories longer than the encoder."""

import numpy as np
import pytest
import torch

from benchmarks.studies import long_histories
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.features.table_files import load_feature_table


@pytest.fixture(scope="module")
def home(sample_dataset):
    table = load_feature_table(sample_dataset / "features")
    return table.for_items(["", *(i for i in table.described() if i[0] == "h")])


def test_simulated_histories_follow_the_rule(home):
    one, two = (long_histories.long_sequences(home.items, "home", 30, seed) for seed in (0, 0))
    assert np.array_equal(one.interactions, two.interactions)
    assert np.array_equal(np.diff(one.offsets), [long_histories.LENGTH] * 30)
    for user in range(30):
        history = one.user_sequence(user)
        for step in range(1, len(history)):
            assert history[step] not in history[max(0, step - 50) : step]
    other = long_histories.long_sequences(home.items, "home", 30, seed=1)
    assert not np.array_equal(one.interactions, other.interactions)


@pytest.mark.parametrize(("max_len", "same"), [(long_histories.LENGTH, True), (20, False)])
def test_windows_differ_from_a_sliding_window_only_beyond_the_maximum_length(home, max_len, same):
    torch.manual_seed(0)
    model = M2SE(ModelConfig(feature_dim=home.width, max_len=max_len))
    torch.nn.init.normal_(model.transformer.position.weight)
    sequences = long_histories.long_sequences(home.items, "home", 2, seed=0)
    found = long_histories.compare_states(model, home, sequences, users=1)
    windows, sliding = found["windows"], found["sliding"]
    assert found["targets"] == long_histories.LENGTH - 2
    assert (found["cosine"]["least"] > 0.9999) is same
    assert (windows["context"] == sliding["context"]) is same
    assert windows["context"] <= sliding["context"]
    assert (abs(windows["loss"] - sliding["loss"]) < 2e-4) is same
