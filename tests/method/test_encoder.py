"""The whole M²SE by hand; its parts are in test_reference.py, laws in test_invariants.py."""

from dataclasses import replace

import pytest
import torch

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import (
    M2SE,
    MeanPooling,
    gather_rows,
    match_scores,
)
from tests.toys import toy_table

D, DIM = 11, 14
CONFIG = ModelConfig(feature_dim=D, dim=DIM, ffn_dim=17, max_len=13, experts=3, pooling_dim=5)


@pytest.fixture
def slots():
    values = torch.randn(5, 7, D)
    valid = torch.arange(7) < torch.tensor([7, 1, 3, 2, 5])[:, None]
    return values * valid.unsqueeze(-1), valid


def test_an_item_with_one_modality_uses_it_for_both():
    table = toy_table(text=[2, 0, 3, 0], image=[1, 2, 0, 0], width=D)
    model = M2SE(CONFIG).eval()
    z = model.item_embeddings(table, torch.arange(5))
    assert torch.equal(z["text"][2], z["image"][2])  # image only
    assert torch.equal(z["text"][3], z["image"][3])  # text only
    assert not torch.allclose(z["text"][1], z["image"][1])
    assert torch.isfinite(z["text"]).all()
    unique = model.item_embeddings(table, torch.tensor([3, 1]))
    torch.testing.assert_close(unique["text"], z["text"][[3, 1]])


@pytest.mark.parametrize("modality", ["text", "image"])
def test_each_modality_reads_its_slots(modality):
    """Other image slots change the image embeddings and leave those of the text as they are."""
    table, model = toy_table([2, 1, 3], [1, 2, 1], width=D), M2SE(CONFIG).eval()
    before = model.item_embeddings(table, torch.arange(4))
    getattr(table, modality).vectors.mul_(-1)
    after = model.item_embeddings(table, torch.arange(4))
    for name in ("text", "image"):
        changed = ~torch.isclose(after[name], before[name]).all(dim=1)
        assert changed.tolist() == [False, *[name == modality] * 3]


def test_id_embeddings_start_near_zero_and_padding_stays_zero():
    model = M2SE(ModelConfig(feature_dim=D, n_items=4))
    assert (model.ids.weight[0] == 0).all()
    assert 0.01 < model.ids.weight[1:].std() < 0.03
    assert M2SE(ModelConfig(feature_dim=D)).ids is None


def test_parameter_counts():
    sizes = {
        768: M2SE(ModelConfig(feature_dim=768)),
        384: M2SE(ModelConfig(feature_dim=384)),
    }
    count = {width: sum(p.numel() for p in model.parameters()) for width, model in sizes.items()}
    # The released code counts 1,015,938 at 768, of which 2 x 6,144 are unused gate noise.
    assert count[768] == 1_015_938 - 2 * 6_144
    # Attention pooling, experts and gates shrink by their D columns: 64 + 8 * 64 + 8 a modality.
    assert count[768] - count[384] == 384 * 2 * (64 + 8 * 64 + 8)


def test_heads_must_divide_the_width():
    with pytest.raises(UserError, match="dim must be a multiple of heads; got 65 and 2"):
        ModelConfig(dim=65)


def test_the_mean_is_the_mean_of_real_slots(slots):
    values, valid = slots
    pooled, weights = MeanPooling()(values, valid)
    for item in range(5):
        torch.testing.assert_close(pooled[item], values[item, valid[item]].mean(dim=0))
    assert (weights[~valid] == 0).all()
    nothing, _ = MeanPooling()(torch.zeros(1, 3, D), torch.zeros(1, 3, dtype=torch.bool))
    assert (nothing == 0).all()


@pytest.mark.parametrize("modality", ["text", "image"])
def test_a_model_with_one_modality_has_nothing_of_the_other(modality):
    net = M2SE(replace(CONFIG, modalities=modality)).eval()
    assert {name.split(".")[1] for name, _ in net.named_parameters() if "pool" in name} == {
        modality
    }
    table = toy_table(text=[1, 2], image=[2, 1], width=D)
    z = net.item_embeddings(table, torch.arange(3))
    assert list(z) == [modality]
    states = net.encode(gather_rows(z, torch.tensor([[1, 2]])))
    scores = match_scores({modality: states[modality][:, -1]}, z)
    assert (scores.abs() <= 1 + 1e-5).all()
