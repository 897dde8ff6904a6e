"""Slot attention, adapters, the Transformer, and the whole M²SE."""

from dataclasses import replace

import pytest
import torch

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import (
    M2SE,
    CausalTransformer,
    ExpertAdapter,
    SlotAttention,
    SlotMean,
    match_scores,
    take,
)
from tests.toys import toy_table

D, DIM = 11, 14
CONFIG = ModelConfig(feature_dim=D, dim=DIM, ffn_dim=17, max_len=13, experts=3, pooling_dim=5)


@pytest.fixture
def slots():
    values = torch.randn(5, 7, D)
    valid = torch.arange(7) < torch.tensor([7, 1, 3, 2, 5])[:, None]
    return values * valid.unsqueeze(-1), valid


def test_pooling_against_a_loop(slots):
    values, valid = slots
    pool = SlotAttention(D, 5)
    pooled, weights = pool(values, valid)
    for item in range(5):
        own = values[item, valid[item]]
        energy = torch.stack([pool.outer(pool.inner(slot)).squeeze() for slot in own])
        share = torch.exp(energy) / torch.exp(energy).sum()
        torch.testing.assert_close(weights[item, valid[item]], share)
        torch.testing.assert_close(
            pooled[item], sum(w * s for w, s in zip(share, own, strict=True))
        )
    assert (weights[~valid] == 0).all()


def test_pooling_does_not_see_padding(slots):
    values, valid = slots
    pool = SlotAttention(D, 5)
    pooled, _ = pool(values, valid)
    noise = torch.where(valid.unsqueeze(-1), values, torch.randn_like(values) * 100)
    torch.testing.assert_close(pool(noise, valid)[0], pooled)
    wider = torch.cat([noise, torch.randn(5, 10, D)], dim=1)
    wide_valid = torch.cat([valid, torch.zeros(5, 10, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(pool(wider, wide_valid)[0], pooled)
    torch.testing.assert_close(pooled[1], values[1, 0])  # one real slot: that slot


def test_pooling_is_permutation_invariant_and_trains(slots):
    values, valid = slots
    pool = SlotAttention(D, 5)
    order = torch.randperm(7)
    torch.testing.assert_close(pool(values[:, order], valid[:, order])[0], pool(values, valid)[0])
    pool(values, valid)[0].square().sum().backward()
    assert pool.inner.weight.grad.abs().sum() > 0
    assert pool.outer.weight.grad.abs().sum() > 0


def test_items_without_slots_are_zero_and_finite():
    pool = SlotAttention(D, 5)
    pooled, weights = pool(torch.zeros(1, 3, D), torch.zeros(1, 3, dtype=torch.bool))
    assert (pooled == 0).all()
    assert (weights == 0).all()


def test_adapter_against_a_loop():
    adapter = ExpertAdapter(D, DIM, experts=3, dropout=0.2).eval()
    torch.nn.init.normal_(adapter.gate.weight)
    torch.nn.init.normal_(adapter.scale)
    torch.nn.init.normal_(adapter.shift)
    x = torch.randn(5, D)
    gate = adapter.gate(x).softmax(-1)
    expected = torch.zeros(5, DIM)
    for k in range(3):
        rows = slice(k * DIM, (k + 1) * DIM)
        out = x @ adapter.project.weight[rows].T + adapter.project.bias[rows]
        out = (out - out.mean(-1, keepdim=True)) / out.var(-1, keepdim=True, correction=0).sqrt()
        expected += gate[:, k : k + 1] * (out * adapter.scale[k] + adapter.shift[k])
    torch.testing.assert_close(adapter(x), expected, atol=1e-5, rtol=1e-5)


def test_adapter_starts_with_equal_gates_and_bounded_norm():
    adapter = ExpertAdapter(D, DIM, experts=8, dropout=0.2).eval()
    x = torch.randn(5, D)
    assert torch.equal(adapter.gate(x).softmax(-1), torch.full((5, 8), 1 / 8))
    assert (adapter(x).norm(dim=-1) <= DIM**0.5 + 1e-4).all()
    adapter(x).square().sum().backward()
    assert adapter.gate.weight.grad.abs().sum() > 0


def test_transformer_sees_no_future_and_no_padding():
    encoder = CausalTransformer(CONFIG).eval()
    x = torch.randn(3, 13, DIM)
    states = encoder(x)
    changed = x.clone()
    changed[:, 7:] = torch.randn(3, 6, DIM)
    torch.testing.assert_close(encoder(changed)[:, :7], states[:, :7])
    assert not torch.allclose(encoder(changed)[:, 7:], states[:, 7:])
    torch.testing.assert_close(encoder(x[:, :7]), states[:, :7])
    torch.testing.assert_close(encoder(x[1:2]), states[1:2])  # rows do not meet


def test_transformer_sees_order():
    encoder = CausalTransformer(CONFIG).eval()
    torch.nn.init.normal_(encoder.position.weight)
    x = torch.randn(1, 5, DIM)
    swapped = x[:, [1, 0, 2, 3, 4]]
    assert not torch.allclose(encoder(x)[:, 4], encoder(swapped)[:, 4], atol=1e-4)


def test_one_call_for_both_views_equals_two():
    model = M2SE(CONFIG).eval()
    text, image = torch.randn(3, 5, DIM), torch.randn(3, 5, DIM)
    both = model.encode({"text": text, "image": image})
    torch.testing.assert_close(both["text"], model.transformer(text))
    torch.testing.assert_close(both["image"], model.transformer(image))
    same = model.encode({"text": text, "image": text})
    assert torch.equal(same["text"], same["image"])


def test_an_item_with_one_modality_stands_in_both_views():
    table = toy_table(text=[2, 0, 3, 0], image=[1, 2, 0, 0], width=D)
    model = M2SE(CONFIG).eval()
    vectors = model.item_vectors(table, torch.arange(5))
    assert torch.equal(vectors["text"][2], vectors["image"][2])  # image only
    assert torch.equal(vectors["text"][3], vectors["image"][3])  # text only
    assert not torch.allclose(vectors["text"][1], vectors["image"][1])
    assert torch.isfinite(vectors["text"]).all()
    unique = model.item_vectors(table, torch.tensor([3, 1]))
    torch.testing.assert_close(unique["text"], vectors["text"][[3, 1]])


def test_ids_start_near_zero_and_padding_stays_zero():
    model = M2SE(ModelConfig(feature_dim=D, n_items=4))
    assert (model.ids.weight[0] == 0).all()
    assert 0.01 < model.ids.weight[1:].std() < 0.03
    assert M2SE(ModelConfig(feature_dim=D)).ids is None


def test_scores_are_cosines_summed():
    table = toy_table(text=[1, 2, 3], image=[1, 1, 1], width=D)
    model = M2SE(CONFIG).eval()
    vectors = model.item_vectors(table, torch.arange(4))
    h = torch.randn(6, DIM)
    scores = match_scores({"text": h, "image": 3 * h}, vectors)
    assert scores.shape == (6, 4)
    assert (scores.abs() <= 2 + 1e-5).all()
    expected = torch.cosine_similarity(h[2], vectors["text"][1], dim=0) + torch.cosine_similarity(
        h[2], vectors["image"][1], dim=0
    )
    torch.testing.assert_close(scores[2, 1], expected)


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
    pooled, weights = SlotMean()(values, valid)
    for item in range(5):
        torch.testing.assert_close(pooled[item], values[item, valid[item]].mean(dim=0))
    assert (weights[~valid] == 0).all()
    nothing, _ = SlotMean()(torch.zeros(1, 3, D), torch.zeros(1, 3, dtype=torch.bool))
    assert (nothing == 0).all()


@pytest.mark.parametrize("view", ["text", "image"])
def test_a_model_with_one_view_has_nothing_of_the_other(view):
    net = M2SE(replace(CONFIG, views=view)).eval()
    assert {name.split(".")[1] for name, _ in net.named_parameters() if "pool" in name} == {view}
    table = toy_table(text=[1, 2], image=[2, 1], width=D)
    vectors = net.item_vectors(table, torch.arange(3))
    assert list(vectors) == [view]
    states = net.encode(take(vectors, torch.tensor([[1, 2]])))
    scores = match_scores({view: states[view][:, -1]}, vectors)
    assert (scores.abs() <= 1 + 1e-5).all()
