"""Differences to the released code that show without training."""

import pytest
import torch

from benchmarks.studies import loss_numerics
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.losses import cross_modal_loss
from tests.toys import toy_sequences, toy_table

TABLE = toy_table([2, 1, 3] * 6 + [4], [1, 1, 2] * 6 + [2])


def test_the_form_with_sums_is_the_row_wise_loss_and_loses_digits_in_float32():
    modalities = torch.nn.functional.normalize(torch.randn(2, 32, 8, dtype=torch.float64), dim=-1)
    ours = cross_modal_loss(
        modalities[0],
        modalities[1],
        torch.eye(32, dtype=torch.bool),
        temperature=0.07,
        form="rowwise",
    )
    assert float(loss_numerics.cross_modal_sums(*modalities)) == pytest.approx(
        float(ours), abs=1e-5
    )
    two = loss_numerics.subtracting(2, trials=100)
    assert two["broken"] > 0
    many = loss_numerics.subtracting(16, trials=20)
    assert many["broken"] == 0
    assert many["library_error"] < 1e-5 < many["error"]


def test_a_logit_of_zero_adds_to_the_loss_only_where_targets_repeat():
    model = M2SE(ModelConfig(feature_dim=11, max_len=8))
    sequences = toy_sequences([6, 6], n_items=19)
    added = {}
    for name, interactions in (
        ("repeat", [1, 2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6]),
        ("differ", range(1, 13)),
    ):
        sequences.interactions[:] = interactions
        rows = loss_numerics.same_target(model, model, TABLE, sequences, sizes=(99,))
        assert rows[0]["untrained"] == rows[0]["trained"]
        added[name] = [rows[0][kind]["added"] for kind in ("untrained", "random")]
    assert min(added["repeat"]) > 0
    assert added["differ"] == [0, 0]


def test_pooling_without_a_mask_gives_weight_to_empty_slots():
    text = loss_numerics.pooling(TABLE, "text")
    assert text["slots"] == 4
    assert text["weight_of_real"]["4"] == 1
    for k in (1, 2, 3):
        assert text["weight_of_real"][str(k)] == pytest.approx(k / 4, abs=0.2)
    assert 0.3 < text["ten_more"] < 1
