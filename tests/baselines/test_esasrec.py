"""Gated Transformer layers beside their formula, and the model made of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from msm4sr_lite import fast
from msm4sr_lite.baselines import SASRec
from msm4sr_lite.baselines.esasrec import ESASRec, GatedBlock
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.feature_table import no_features
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint

CONFIG = ModelConfig(feature_dim=1, dim=8, heads=2, ffn_dim=12, layers=2, max_len=6, n_items=9)


def literal(block: GatedBlock, x: torch.Tensor) -> torch.Tensor:
    """The formula for one sequence ``(time, d)``, position by position and head by head."""

    def gated(gate: nn.Linear, x, found):
        return x + found / (1 + torch.exp(-gate(x)))

    width, time = block.qkv.in_features, len(x)
    query, key, value = block.qkv(block.norm_attention(x)).split(width, dim=-1)
    attended = torch.zeros_like(x)
    for head in torch.arange(width).split(width // block.heads):
        for now in range(time):
            energy = [query[now, head] @ key[past, head] for past in range(now + 1)]
            weights = (torch.stack(energy) / math.sqrt(len(head))).softmax(0)
            attended[now, head] = weights @ value[: now + 1, head]
    x = gated(block.gate_attention, x, block.out(attended))
    wide = block.up(block.norm_ffn(x))
    up, gate = wide[:, : wide.shape[1] // 2], wide[:, wide.shape[1] // 2 :]
    return gated(block.gate_ffn, x, block.down(up * gate * gate.sigmoid()))


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = ESASRec(CONFIG).eval()
    with torch.no_grad():
        for weight in model.transformer.parameters():
            weight.normal_(std=0.5)
    return model


def test_a_gated_layer_is_its_formula(model):
    block, x = model.transformer.blocks[0], torch.randn(3, 5, 8)
    torch.testing.assert_close(block(x), torch.stack([literal(block, one) for one in x]))


def test_every_layer_is_gated_and_starts_as_small_as_in_sasrec():
    torch.manual_seed(0)
    model = ESASRec(replace(CONFIG, dim=64, ffn_dim=256))
    assert [type(block) for block in model.transformer.blocks] == [GatedBlock, GatedBlock]
    for block in model.transformer.blocks:
        assert block.gate_ffn.weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert not block.gate_attention.bias.any()


@pytest.mark.parametrize("is_fast", [True, False])
def test_the_fast_forms_compute_these_layers_too(model, is_fast, tmp_path):
    """``ModelScorer`` asks for the last position of each history only."""
    histories = [np.array([3]), np.array([1, 2, 5, 4]), np.array([9, 8, 7, 6, 5, 4, 3, 2])]
    table = no_features(["", *"abcdefghi"])
    z = nn.functional.normalize(model.ids.weight, dim=-1)
    expected = []
    for history in histories:
        kept = torch.from_numpy(history[-6:])
        transformer = model.transformer
        x = transformer.norm(model.ids(kept) + transformer.position.weight[: len(kept)])
        for block in transformer.blocks:
            x = literal(block, x)
        expected.append(nn.functional.normalize(x[-1], dim=0) @ z.T)
    with torch.no_grad():
        expected = torch.stack(expected)
    save_checkpoint(model, tmp_path / "model", table.items, {})
    stored = load_checkpoint(tmp_path / "model", ESASRec)[0]
    for one in (model, stored):
        scorer = ModelScorer(one, table)
        if is_fast:
            found = scorer.score_on_device(histories)
        else:
            with fast.switched_off():
                found = scorer.score_on_device(histories)
        torch.testing.assert_close(found, expected)
    assert issubclass(ESASRec, SASRec)
