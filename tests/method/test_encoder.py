"""The whole M²SE by hand; its parts are in test_reference.py, laws in test_invariants.py."""

from dataclasses import replace

import pytest
import torch

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import (
    M2SE,
    Dropout,
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


def test_an_item_with_one_modality_stands_in_both_views():
    table = toy_table(text=[2, 0, 3, 0], image=[1, 2, 0, 0], width=D)
    model = M2SE(CONFIG).eval()
    vectors = model.item_embeddings(table, torch.arange(5))
    assert torch.equal(vectors["text"][2], vectors["image"][2])  # image only
    assert torch.equal(vectors["text"][3], vectors["image"][3])  # text only
    assert not torch.allclose(vectors["text"][1], vectors["image"][1])
    assert torch.isfinite(vectors["text"]).all()
    unique = model.item_embeddings(table, torch.tensor([3, 1]))
    torch.testing.assert_close(unique["text"], vectors["text"][[3, 1]])


def test_ids_start_near_zero_and_padding_stays_zero():
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
    # Slot attention, experts and gates shrink by their D columns: 64 + 8 * 64 + 8 a modality.
    assert count[768] - count[384] == 384 * 2 * (64 + 8 * 64 + 8)


def test_heads_must_divide_the_width():
    with pytest.raises(UserError, match="dim must be a multiple of heads; got dim=65, heads=2"):
        ModelConfig(dim=65)


def test_the_mean_is_the_mean_of_real_slots(slots):
    values, valid = slots
    pooled, weights = MeanPooling()(values, valid)
    for item in range(5):
        torch.testing.assert_close(pooled[item], values[item, valid[item]].mean(dim=0))
    assert (weights[~valid] == 0).all()
    nothing, _ = MeanPooling()(torch.zeros(1, 3, D), torch.zeros(1, 3, dtype=torch.bool))
    assert (nothing == 0).all()


@pytest.mark.parametrize("view", ["text", "image"])
def test_a_model_with_one_view_has_nothing_of_the_other(view):
    net = M2SE(replace(CONFIG, modalities=view)).eval()
    assert {name.split(".")[1] for name, _ in net.named_parameters() if "pool" in name} == {view}
    table = toy_table(text=[1, 2], image=[2, 1], width=D)
    vectors = net.item_embeddings(table, torch.arange(3))
    assert list(vectors) == [view]
    states = net.encode(gather_rows(vectors, torch.tensor([[1, 2]])))
    scores = match_scores({view: states[view][:, -1]}, vectors)
    assert (scores.abs() <= 1 + 1e-5).all()


@pytest.mark.parametrize("rate", [0.2, 0.5])
@pytest.mark.parametrize("number", [torch.float32, torch.bfloat16])
def test_dropout_is_that_of_pytorch(rate, number):
    x = torch.full((1000, 1000), 3.0, dtype=number, requires_grad=True)
    dropped = Dropout(rate)(x)
    assert dropped.dtype == number
    gone = dropped == 0
    # A million coins: a standard deviation of their share is at most 0.0005.
    assert gone.float().mean().item() == pytest.approx(rate, abs=0.003)
    kept = torch.full_like(dropped, 3 / (1 - rate))
    torch.testing.assert_close(dropped[~gone], kept[~gone], rtol=0.01, atol=0)
    dropped.sum().backward()
    assert ((x.grad == 0) == gone).all()
    assert not torch.equal(gone, Dropout(rate)(x) == 0)


@pytest.mark.parametrize("layer", [Dropout(0.5).eval(), Dropout(0.0)])
def test_dropout_changes_nothing_at_rate_0_or_outside_training(layer):
    x = torch.randn(7)
    assert torch.equal(layer(x), x)


def test_dropout_of_everything_leaves_zeros():
    assert (Dropout(1.0)(torch.randn(7)) == 0).all()
