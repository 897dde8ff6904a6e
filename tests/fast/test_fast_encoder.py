"""The kernels of the encoder, one by one, beside the plain modules."""

import pytest
import torch
import torch.nn.functional as F

from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE, AttentionPooling, CausalTransformer, MeanPooling, MoEAdaptor
from msm4sr_lite.fast import encoder
from msm4sr_lite.feature_table import Slots
from tests.toys import toy_table

TABLE = toy_table([2, 1, 3] * 6 + [4], [1, 1, 2] * 6 + [2])
CONFIG = ModelConfig(feature_dim=11, dim=14, ffn_dim=17, max_len=9, experts=3, pooling_dim=5)


# --------------------------------------------------------------------- dropout


@pytest.mark.parametrize("p", [0.2, 0.5])
@pytest.mark.parametrize("number", [torch.float32, torch.bfloat16])
def test_dropout_is_that_of_pytorch(p, number):
    x = torch.full((1000, 1000), 3.0, dtype=number, requires_grad=True)
    dropped = encoder.dropout(x, p, True)
    assert dropped.dtype == number
    gone = dropped == 0
    # The share of a million draws has a standard deviation of at most 0.0005.
    assert gone.float().mean().item() == pytest.approx(p, abs=0.003)
    kept = torch.full_like(dropped, 3 / (1 - p))
    torch.testing.assert_close(dropped[~gone], kept[~gone], rtol=0.01, atol=0)
    dropped.sum().backward()
    assert ((x.grad == 0) == gone).all()
    assert not torch.equal(gone, encoder.dropout(x, p, True) == 0)


@pytest.mark.parametrize(("p", "training"), [(0.5, False), (0.0, True), (0.0, False)])
def test_dropout_changes_nothing_at_probability_0_or_outside_training(p, training):
    x = torch.randn(7)
    assert torch.equal(encoder.dropout(x, p, training), x)


def test_dropout_of_everything_leaves_zeros():
    assert (encoder.dropout(torch.randn(7), 1.0, True) == 0).all()


# --------------------------------------------------------------------- pooling


@pytest.mark.parametrize("mask_padding", [True, False])
def test_folded_energies_are_those_of_the_two_maps(mask_padding):
    torch.manual_seed(3)
    pooling = AttentionPooling(11, 5, mask_padding).train()
    slots, valid = torch.randn(6, 4, 11), torch.rand(6, 4) > 0.3
    results = []
    for pool in (lambda *x: encoder.pool_slots(pooling, *x), pooling):
        pooling.zero_grad()
        pooled, alpha = pool(slots, valid)
        pooled.square().sum().backward()
        results.append([pooled, alpha, *(p.grad.clone() for p in pooling.parameters())])
    for folded, plain in zip(*results, strict=True):
        torch.testing.assert_close(folded, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pooling", [AttentionPooling(11, 5).eval(), MeanPooling().train()])
def test_other_pooling_is_the_module_itself(pooling):
    slots, valid = torch.randn(6, 4, 11), torch.rand(6, 4) > 0.3
    for found, expected in zip(encoder.pool_slots(pooling, slots, valid), pooling(slots, valid)):  # noqa: B905
        assert torch.equal(found, expected)


@pytest.mark.parametrize("training", [True, False])
def test_items_in_parts(training, monkeypatch):
    """Some items at a time, gathered again for the gradients: the same values and gradients."""
    torch.manual_seed(0)
    net = M2SE(ModelConfig(**{**CONFIG.__dict__, "adaptor_dropout": 0.0})).train(training)
    items, results = torch.tensor([3, 1, 19, 0, 7, 7, 12, 5, 2]), []
    embed = M2SE.embed_modality.plain
    for form in (embed, encoder.embed_modality):
        monkeypatch.setattr(encoder, "POOL_ITEMS", 4)
        monkeypatch.setattr(encoder, "ADAPT_ITEMS", 5)
        net.zero_grad()
        z = form(net, "text", TABLE.text, items)
        z.square().sum().backward()
        weights = [*net.pool["text"].parameters(), *net.adapt["text"].parameters()]
        results.append([z, *(p.grad.clone() for p in weights)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mask_padding", [True, False])
def test_only_a_missing_mask_needs_padding(mask_padding, monkeypatch):
    """Items with equally many slots are pooled together; without a mask, padding matters."""
    net = M2SE(ModelConfig(**{**CONFIG.__dict__, "mask_padding": mask_padding})).eval()
    widths, gather = [], Slots.gather

    def spy(slots, items, width=None):
        widths.append(width)
        return gather(slots, items, width)

    monkeypatch.setattr(Slots, "gather", spy)
    monkeypatch.setattr(encoder, "POOL_ITEMS", 5)
    encoder.pool_items(net, "text", TABLE.text, torch.arange(20))
    assert widths == ([1, 2, 3, 4] if mask_padding else [4] * 4)


FROZEN = {"train_pooling": False}


@pytest.mark.parametrize(
    "options", [{"item_pooling": "mean"}, FROZEN, FROZEN | {"mask_padding": False}]
)
def test_pooling_that_is_not_trained_happens_once(options):
    """Training with one pooled slot per item takes the steps of training with all slots."""
    torch.manual_seed(0)
    net = M2SE(ModelConfig(**{**CONFIG.__dict__, **options})).eval()
    once, items = encoder.pool_once(net, TABLE), torch.tensor([3, 0, 19, 7, 7])
    assert once.text.counts.tolist() == [min(count, 1) for count in TABLE.text.counts.tolist()]
    for modality, z in net.item_embeddings(TABLE, items).items():
        found = net.item_embeddings(once, items)[modality]
        torch.testing.assert_close(found, z, atol=1e-5, rtol=1e-5)


def test_pooling_that_is_trained_keeps_all_slots():
    assert encoder.pool_once(M2SE(CONFIG), TABLE) is TABLE


def test_dropout_on_features_happens_in_training_alone():
    net = M2SE(ModelConfig(**{**CONFIG.__dict__, "feature_dropout": 0.5, "adaptor_dropout": 0.0}))
    items = torch.arange(1, 20)
    whole = encoder.embed_modality(net.eval(), "text", TABLE.text, items)
    torch.testing.assert_close(encoder.embed_modality(net, "text", TABLE.text, items), whole)
    noisy = encoder.embed_modality(net.train(), "text", TABLE.text, items)
    assert not torch.allclose(noisy, whole)


def test_the_adaptor_without_dropout():
    adaptor, x = MoEAdaptor(11, 14, 3, dropout=0.2), torch.randn(5, 11)
    torch.nn.init.normal_(adaptor.gate.weight)
    assert torch.equal(encoder.adapt(adaptor.eval(), x), adaptor(x))
    assert not torch.allclose(encoder.adapt(adaptor.train(), x), adaptor.eval()(x))


# ----------------------------------------------------------------- transformer


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_last_layer_at_some_positions(layers):
    """Values and gradients are those of the whole pass, read at these positions."""
    torch.manual_seed(0)
    options = {"layers": layers, "hidden_dropout": 0.0, "attention_dropout": 0.0}
    net = CausalTransformer(ModelConfig(**{**CONFIG.__dict__, **options})).train()
    x, at = torch.randn(4, 7, 14), torch.tensor([[0, 6], [3, 3], [2, 5], [6, 1]])
    found = encoder.run_transformer(net, x, at)
    expected = net(x)[torch.arange(4)[:, None], at]
    torch.testing.assert_close(found, expected)
    weights = list(net.parameters())
    pairs = zip(*(torch.autograd.grad(h.sin().sum(), weights) for h in (found, expected)), strict=True)  # fmt: skip  # noqa: E501
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_without_positions_it_is_the_whole_pass():
    net = CausalTransformer(CONFIG).eval()
    x = torch.randn(4, 7, 14)
    assert torch.equal(encoder.run_transformer(net, x), net(x))


def test_dropout_reaches_every_place_of_a_layer(monkeypatch):
    """Of the input once, of each layer twice, and of the attention weights."""
    seen = []
    monkeypatch.setattr(encoder, "dropout", lambda x, p, training: seen.append((p, training)) or x)
    real = F.scaled_dot_product_attention

    def spy(*args, dropout_p, **options):
        seen.append(("attention", dropout_p))
        return real(*args, dropout_p=dropout_p, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    net = CausalTransformer(ModelConfig(**{**CONFIG.__dict__, "attention_dropout": 0.3})).train()
    encoder.run_transformer(net, torch.randn(2, 5, 14))
    layer = [("attention", 0.3), (0.2, True), (0.2, True)]
    assert seen == [(0.2, True), *layer, *layer]


def test_both_modalities_in_one_call():
    net = M2SE(CONFIG).eval()
    z = {"text": torch.randn(3, 5, 14), "image": torch.randn(3, 5, 14)}
    at = torch.tensor([[4], [0], [2]])
    whole = net.encode(z)
    for modality, h in encoder.encode_at(net, z, at).items():
        torch.testing.assert_close(h[:, 0], whole[modality][torch.arange(3), at[:, 0]])
