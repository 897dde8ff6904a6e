"""What must always be true of the method: 48 statements, each a test whose number can be found.

Dropout is off unless a statement says otherwise. Tolerances are those of float32 where none is
given.
"""

import itertools
import math
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from msm4sr_lite import fast, training
from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.encoder import M2SE, AttentionPooling, MoEAdaptor, gather_rows, match_scores
from msm4sr_lite.evaluation import (
    CUTOFFS,
    evaluate,
    metrics,
    target_ranks,
)
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer, top_keywords
from msm4sr_lite.initialize import transfer
from msm4sr_lite.losses import (
    cross_modal_loss,
    false_negatives,
    next_item_loss,
    ranking_loss,
)
from msm4sr_lite.mixup import (
    complementary_mixup,
    draw_kept,
    draw_probability,
    draw_swaps,
    drop_items,
)
from msm4sr_lite.objectives import contrastive_losses, finetuning_loss, pretraining_loss
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Batch, training_batches
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.training import finetune_steps, pretrain_steps
from tests import reference
from tests.toys import assert_same_weights, toy_sequences, toy_table

TAU = 0.07
D, DIM = 11, 14  # D of the features, d of the model
AUTHORS = PRESETS["authors"]
SEQUENCES = toy_sequences([5, 7, 6, 9, 8, 5, 6], n_items=19)
TABLE = toy_table([2, 1, 3] * 6 + [4], [1, 1, 2] * 6 + [2])


@pytest.fixture(autouse=True, scope="module", params=["fast", "plain"])
def form(request):
    """Run every test of this file with the fast forms and with the plain ones."""
    with nullcontext() if request.param == "fast" else fast.switched_off():
        yield request.param


def model(base=PRESETS["paper"].model, **options):
    """A small model without dropout."""
    sizes = {"feature_dim": D, "dim": DIM, "ffn_dim": 17, "max_len": 13}
    sizes |= {"experts": 3, "pooling_dim": 5}
    rates = dict.fromkeys(("hidden_dropout", "attention_dropout", "adaptor_dropout"), 0.0)
    return M2SE(replace(base, **{**sizes, **rates, **options}))


def batch(prefix_augmentation=False):
    """All training targets of the toy sequences."""
    return next(training_batches(SEQUENCES, 13, 10**6, torch.Generator(), prefix_augmentation))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def unit(rows, dim=7, seed=0):
    """Random unit vectors."""
    return F.normalize(torch.randn(rows, dim, generator=rng(seed)), dim=-1)


def nip(sequence, target, masked=None, **options):
    masked = torch.eye(len(target), dtype=torch.bool) if masked is None else masked
    return next_item_loss(sequence, target, masked, temperature=TAU, **options)


def cmcl(text, image, masked=None, **options):
    masked = torch.eye(len(text), dtype=torch.bool) if masked is None else masked
    return cross_modal_loss(text, image, masked, temperature=TAU, **options)


def same_target(targets):
    """False negatives of rows that belong to as many users."""
    return false_negatives(torch.tensor(targets), torch.arange(len(targets)), same_user=False)


# ------------------------------------------------------------ features, pooling


@pytest.fixture
def slots():
    """Five items with 7, 1, 3, 2 and 5 real slots of 7."""
    valid = torch.arange(7) < torch.tensor([7, 1, 3, 2, 5])[:, None]
    return torch.randn(5, 7, D) * valid.unsqueeze(-1), valid


def longer(values, valid, more=10):
    """The same items with empty slots behind."""
    shape = (len(values), more)
    return (
        torch.cat([values, torch.zeros(*shape, D)], dim=1),
        torch.cat([valid, torch.zeros(shape, dtype=torch.bool)], dim=1),
    )


def test_01_masked_pooling_ignores_padding(slots):
    """Neither the contents of padded slots nor further empty slots change the pooled vector.

    Without the mask, as in the released code, ten further empty slots do change it, by half.
    """
    values, valid = slots
    pool = AttentionPooling(D, 5)
    pooled, _ = pool(values, valid)
    noise = torch.where(valid.unsqueeze(-1), values, torch.randn_like(values) * 100)
    torch.testing.assert_close(pool(noise, valid)[0], pooled)
    torch.testing.assert_close(pool(*longer(noise, valid))[0], pooled)

    unmasked = AttentionPooling(D, 5, AUTHORS.model.mask_padding)
    before, after = unmasked(values, valid)[0], unmasked(*longer(values, valid))[0]
    change = (after - before).norm(dim=1) / before.norm(dim=1)
    assert (change > 0.4).all()
    assert (change < 0.8).all()


def test_02_attention_weights_sum_to_1_over_the_real_slots(slots):
    """Weights are >= 0, sum to 1, are 0 on padding; a single real slot is the pooled vector."""
    values, valid = slots
    pooled, weights = AttentionPooling(D, 5)(values, valid)
    assert (weights >= 0).all()
    assert (weights[~valid] == 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(5))
    torch.testing.assert_close(pooled[1], values[1, 0])


def test_03_the_order_of_slots_is_irrelevant(slots):
    """Permuting an item's slots changes nothing; the mean of equal slots is that slot."""
    values, valid = slots
    pool = AttentionPooling(D, 5)
    order = torch.randperm(7)
    torch.testing.assert_close(pool(values[:, order], valid[:, order])[0], pool(values, valid)[0])
    equal = values[:, :1].expand(-1, 7, -1)
    torch.testing.assert_close(pool(equal, valid)[0], values[:, 0])


def test_04_energies_count_up_to_a_constant(slots):
    """A constant added to all energies changes no weight; equal energies give the plain mean."""
    values, valid = slots
    pool = AttentionPooling(D, 5)
    _, weights = pool(values, valid)
    with torch.no_grad():
        pool.outer.bias += 3.0
    torch.testing.assert_close(pool(values, valid)[1], weights)
    torch.nn.init.zeros_(pool.outer.weight)
    mean = values.sum(dim=1) / valid.sum(dim=1, keepdim=True)
    torch.testing.assert_close(pool(values, valid)[0], mean)


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_05_the_attention_pooling_learns(stage):
    """Both stages train the attention pooling.

    In the preset ``authors`` it gets no gradient, and a step with weight decay leaves it alone.
    """

    def step(base):
        net = model(base.model, n_items=19 if stage == "finetune" else 0).train()
        before = {n: p.clone() for n, p in net.pool.named_parameters()}
        if stage == "pretrain":
            config = replace(base.pretrain, prefix_augmentation=False, drop_keeps="first")
            loss, _ = pretraining_loss(net, TABLE, batch(), config, rng())
        else:
            loss, _ = finetuning_loss(net, TABLE, batch(), base.finetune, torch.Generator())
        loss.backward()
        torch.optim.Adam(net.parameters(), lr=0.1, weight_decay=0.1).step()
        return net, before

    net, before = step(PRESETS["paper"])
    for modality in ("text", "image"):
        for part in ("inner", "outer"):
            assert getattr(net.pool[modality], part).weight.grad.abs().sum() > 0
            name = f"{modality}.{part}.weight"
            assert not torch.equal(dict(net.pool.named_parameters())[name], before[name])

    net, before = step(AUTHORS)
    assert len(before) == 8
    for name, parameter in net.pool.named_parameters():
        assert parameter.grad is None
        assert torch.equal(parameter, before[name])


def test_06_without_the_mask_an_embedding_shrinks_with_its_share_of_slots(slots):
    """Equal energies: k real slots of S give k / S times their mean. At first it is nearly so."""
    values, valid = slots
    pool = AttentionPooling(D, 5, mask_padding=False)
    share = valid.sum(dim=1) / 7
    _, weights = pool(F.normalize(values, dim=-1), valid)
    torch.testing.assert_close((weights * valid).sum(dim=1), share, atol=0.05, rtol=0)
    torch.nn.init.zeros_(pool.outer.weight)
    mean = values.sum(dim=1) / valid.sum(dim=1, keepdim=True)
    torch.testing.assert_close(pool(values, valid)[0], share[:, None] * mean)


class Scaled:
    """Stands in for CLIP: vectors that are given, times a scale."""

    def __init__(self, images, words, scale):
        self.images, self.words = images * scale, words * scale

    def get_image_features(self, pixel_values):
        return SimpleNamespace(pooler_output=self.images)

    def get_text_features(self, rows):
        return SimpleNamespace(pooler_output=self.words[rows])


class Prompts(dict):
    """Tokens of a batch of prompts: here their numbers."""

    def to(self, device):
        return self


def keywords(images, words, n, scale=1.0):
    """The best ``n`` words of each image, through all of the tokenizer but CLIP itself."""
    tokenizer = KeywordTokenizer.__new__(KeywordTokenizer)
    tokenizer.dictionary = [str(i) for i in range(len(words))]
    tokenizer.prompt, tokenizer.device, tokenizer.options = "{}", "cpu", {}
    tokenizer.threshold, tokenizer.diversity = -1.0, 0.0
    tokenizer.model = Scaled(images, words, scale)
    tokenizer.image_processor = lambda images, return_tensors: Prompts(pixel_values=torch.zeros(1))
    tokenizer.tokenizer = lambda prompts, **_: Prompts(rows=[int(p) for p in prompts])
    tokenizer.word_embeddings = tokenizer._word_embeddings()
    return tokenizer.keywords(images, n)


def test_07_the_keywords_of_an_image():
    """Scores fall, no word comes twice, a word below the last changes nothing.

    As many words as the dictionary has give all of it; scaling CLIP's vectors changes nothing.
    """
    images, words = torch.randn(3, 4), torch.randn(9, 4)
    best = keywords(images, words, 5)
    names = [str(i) for i in range(9)]
    for row, found in zip(F.normalize(images, dim=-1), best, strict=True):
        scores = [k.score for k in found]
        assert scores == sorted(scores, reverse=True)
        assert len({k.word for k in found}) == 5
        unit_words = F.normalize(words, dim=-1)
        assert scores[-1] > -1
        lower = torch.cat([unit_words, -row[None]])  # the least alike that a word can be
        again = top_keywords(row[None], lower, [*names, "x"], 5)[0]
        assert [k.word for k in again] == [k.word for k in found]
    assert {k.word for k in keywords(images, words, 9)[0]} == set(names)
    assert len(top_keywords(images, words, names, 99)[0]) == 9
    scaled = keywords(images, words, 5, scale=30.0)
    assert [[k.word for k in row] for row in scaled] == [[k.word for k in row] for row in best]
    for one, two in zip(scaled[0], best[0], strict=True):
        assert one.score == pytest.approx(two.score, abs=1e-6)


def test_08_padding_has_no_features():
    """Entry 0 of the table has no slot; whatever has none is pooled to zero, with no weight."""
    for slots in (TABLE.text, TABLE.image):
        values, valid = slots.gather(torch.tensor([0]))
        assert not valid.any()
        assert not values.any()
        pooled, weights = AttentionPooling(D, 5)(values, valid)
        assert torch.equal(pooled, torch.zeros(1, D))
        assert not weights.any()


# ---------------------------------------------------------------------- adapter


def adapter(experts=3):
    return MoEAdaptor(D, DIM, experts, dropout=0.2).eval()


def test_09_gates_sum_to_1_and_are_equal_at_first():
    """Output width d; at the start each of E experts has the weight 1 / E, later they sum to 1."""
    module, x = MoEAdaptor(D, DIM, experts=8, dropout=0.0), torch.randn(5, D)
    assert module(x).shape == (5, DIM)
    assert torch.equal(module.gate(x).softmax(dim=-1), torch.full((5, 8), 0.125))
    alone = F.layer_norm(module.project(x).view(5, 8, DIM), (DIM,), eps=1e-12)
    torch.testing.assert_close(module(x), alone.mean(dim=1))

    # Experts that all answer with the same vector show the sum of the gates.
    torch.nn.init.normal_(module.gate.weight)
    torch.nn.init.zeros_(module.scale)
    torch.nn.init.ones_(module.shift)
    torch.testing.assert_close(module(x), torch.ones(5, DIM))
    for expert in range(8):  # and a single one that answers shows its own gate
        torch.nn.init.zeros_(module.shift)
        with torch.no_grad():
            module.shift[expert] = 1
        assert (module(x) >= 0).all()


def test_10_one_expert_or_equal_experts_make_the_gate_irrelevant():
    """E = 1: the output is the expert's; identical experts: the gate changes nothing."""
    x = torch.randn(5, D)
    single = adapter(experts=1)
    torch.nn.init.normal_(single.gate.weight)
    expected = F.layer_norm(single.project(x), (DIM,), eps=1e-12)
    torch.testing.assert_close(single(x), expected)
    equal = adapter()
    with torch.no_grad():
        for part in (equal.project.weight, equal.project.bias):
            part.view(3, DIM, -1)[1:] = part.view(3, DIM, -1)[0]
    before = equal(x)
    torch.nn.init.normal_(equal.gate.weight)
    torch.testing.assert_close(equal(x), before)


def test_11_every_expert_is_normalised():
    """Each expert's output has mean 0 and variance 1 over d, so no output is longer than sqrt d."""
    module, x = adapter(), torch.randn(50, D) * 100
    assert (module(x).norm(dim=-1) <= math.sqrt(DIM) + 1e-4).all()
    for expert in range(3):
        with torch.no_grad():
            module.scale.zero_()
            module.scale[expert] = 3.0  # the gates are still equal: 3 / 3
        out = module(x)
        torch.testing.assert_close(out.mean(dim=-1), torch.zeros(50), atol=1e-5, rtol=0)
        torch.testing.assert_close(out.var(dim=-1, correction=0), torch.ones(50))


@pytest.mark.parametrize("preset", ["paper", "authors"])
def test_12_an_item_is_adapted_alone(preset):
    """An item's vector does not depend on the others in the call: unique items serve a batch."""
    net = model(PRESETS[preset].model)
    items = torch.tensor([3, 1, 19, 1, 0, 7])
    unique, place = items.unique(return_inverse=True)
    everything = net.item_embeddings(TABLE, torch.arange(20))
    for some, rows in ((net.item_embeddings(TABLE, items), items), (None, items[:1])):
        some = some or net.item_embeddings(TABLE, rows)
        for modality in ("text", "image"):
            torch.testing.assert_close(some[modality], everything[modality][rows])
    for modality, values in net.item_embeddings(TABLE, unique).items():
        torch.testing.assert_close(values[place], everything[modality][items])


def test_13_the_gate_learns_from_the_first_step():
    """With experts that differ the gate has a gradient although it starts at zero."""
    module = adapter()
    module(torch.randn(5, D)).square().sum().backward()
    assert module.gate.weight.grad.abs().sum() > 1e-3


# ---------------------------------------------------------------- sequence drop


def ragged(rows=5, time=7):
    """Left-aligned item numbers with 1..rows items a row."""
    lengths = torch.arange(rows) % time + 1
    items = torch.arange(1, rows * time + 1).view(rows, time)
    return torch.where(torch.arange(time) < lengths[:, None], items, 0)


def probability(value, items):
    return torch.full((len(items), 1), value)


@pytest.mark.parametrize("keep", ["first", "last"])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_14_dropping_keeps_the_order_and_moves_left(value, keep):
    """Probability 0 changes nothing; else a subsequence is left, never empty, with zeros behind."""
    items = ragged()
    kept = draw_kept(items, probability(value, items), rng(2), keep=keep)
    assert not kept[items == 0].any()
    shortened, state = drop_items(items, kept)
    if value == 0:
        real = items > 0
        assert torch.equal(shortened, items)
        assert torch.equal(state[real], torch.arange(7).expand_as(items)[real])
    for before, after in zip(items.tolist(), shortened.tolist(), strict=True):
        length = sum(item > 0 for item in after)
        assert 1 <= length <= sum(item > 0 for item in before)
        assert after[length:] == [0] * (7 - length)
        left = after[:length]
        assert left == [item for item in before if item in left]


@pytest.mark.parametrize("keep", ["first", "last"])
def test_15_the_protected_item_stays(keep):
    """The first (or last) item is never dropped, so a single item stays as it is."""
    items = ragged()
    kept = draw_kept(items, probability(1.0, items), rng(), keep=keep)
    shortened, state = drop_items(items, kept)
    last = (items > 0).sum(dim=1) - 1
    protected = items[:, 0] if keep == "first" else items[torch.arange(5), last]
    assert torch.equal(shortened[:, 0], protected)
    assert (shortened[:, 1:] == 0).all()
    assert torch.equal(shortened[0], items[0])
    assert (state == 0).all()


def test_16_the_rate_of_dropping():
    """With one item of n protected the rate is q (n - 1) / n; q ~ U(0, 0.2) has the mean 0.1."""
    items = torch.ones(4000, 25, dtype=torch.long)
    kept = draw_kept(items, probability(0.2, items), rng(5))
    assert kept[:, 0].all()
    rate = 1 - kept.float().mean()
    assert abs(rate - 0.2 * 24 / 25) < 0.006  # 100,000 draws: 5 standard errors
    drawn = draw_probability(0.2, 4000, rng(6), per="sequence")
    assert 0 <= drawn.min() <= drawn.max() <= 0.2
    rate = 1 - draw_kept(items, drawn, rng(7)).float().mean()
    assert abs(rate - 0.1 * 24 / 25) < 0.008  # 4,000 probabilities: 5 standard errors


# ------------------------------------------------------------------------ mixup


@pytest.fixture
def modalities():
    """Item numbers with the text and image vectors of each position."""
    items = ragged()
    return items, torch.randn(*items.shape, 3), torch.randn(*items.shape, 3)


def test_17_mixup_keeps_the_sum(modalities):
    """M_t + M_v = Z_t + Z_v; p = 0 is the identity, p = 1 swaps all but the padding."""
    items, text, image = modalities
    swaps = draw_swaps(items, probability(0.5, items), rng(2))
    assert 0 < swaps.sum() < (items > 0).sum()
    mixed_text, mixed_image = complementary_mixup(text, image, swaps)
    torch.testing.assert_close(mixed_text + mixed_image, text + image)
    assert not draw_swaps(items, probability(0.0, items), rng()).any()
    everything = draw_swaps(items, probability(1.0, items), rng())
    assert torch.equal(everything, items > 0)
    mixed_text, mixed_image = complementary_mixup(text, image, everything)
    assert torch.equal(mixed_text[items == 0], text[items == 0])
    assert torch.equal(mixed_text[items > 0], image[items > 0])
    assert torch.equal(mixed_image[items > 0], text[items > 0])


def test_18_mixup_never_blends(modalities):
    """Each mixed position is one of the two vectors as it is; the same mask twice undoes itself."""
    items, text, image = modalities
    swaps = draw_swaps(items, probability(0.5, items), rng(2))
    mixed_text, mixed_image = complementary_mixup(text, image, swaps)
    assert torch.equal(mixed_text[swaps], image[swaps])
    assert torch.equal(mixed_image[swaps], text[swaps])
    assert torch.equal(mixed_text[~swaps], text[~swaps])
    assert torch.equal(mixed_image[~swaps], image[~swaps])
    again = complementary_mixup(mixed_text, mixed_image, swaps)
    assert torch.equal(again[0], text)
    assert torch.equal(again[1], image)


def test_19_mixup_treats_both_modalities_alike(modalities):
    """Equal inputs stay; exchanged inputs give exchanged outputs; mixup_max = 0 switches it off."""
    items, text, image = modalities
    swaps = draw_swaps(items, probability(0.5, items), rng(3))
    one = complementary_mixup(text, image, swaps)
    two = complementary_mixup(image, text, swaps)
    assert torch.equal(one[0], two[1])
    assert torch.equal(one[1], two[0])
    for mixed in complementary_mixup(text, text, swaps):
        assert torch.equal(mixed, text)

    net = model()
    off = PretrainConfig(drop_max=0.0, mixup_max=0.0)
    seen, data = [], batch()
    net.transformer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with fast.switched_off():  # the fast form does not call the module
        for config in (off, replace(off, mixup_max=1.0, mixup_draw="fixed")):
            pretraining_loss(net, TABLE, data, config, rng())
    plain = gather_rows(net.item_embeddings(TABLE, torch.arange(20)), data.items)
    torch.testing.assert_close(seen[0], torch.cat([plain["text"], plain["image"]]))
    real = (data.items > 0).repeat(2, 1)
    exchanged = torch.cat([plain["image"], plain["text"]])
    torch.testing.assert_close(seen[1][real], exchanged[real])


def test_20_the_rate_of_swapping():
    """p ~ U(0, 0.5), one for a batch: a quarter of the real positions is swapped on average."""
    items = torch.ones(40, 25, dtype=torch.long)
    rates = []
    for seed in range(400):
        generator = rng(seed)
        p = draw_probability(0.5, 40, generator)
        assert p.unique().numel() == 1
        swaps = draw_swaps(items, p, generator)
        assert abs(swaps.float().mean() - p[0, 0]) < 0.08  # 1,000 draws: 5 standard errors
        rates.append(float(swaps.float().mean()))
    assert abs(np.mean(rates) - 0.25) < 0.035  # 400 probabilities: 5 standard errors
    assert max(rates) > 0.45


# ---------------------------------------------------------------------- encoder


def encoded(net, x):
    """Hidden states of text vectors."""
    return net.encode({"text": x, "image": x})["text"]


def test_21_the_encoder_sees_no_future():
    """Changing what follows a position leaves its hidden state as it is."""
    net, x = model(), torch.randn(3, 13, DIM)
    states = encoded(net, x)
    for k in (1, 7, 12):
        changed = x.clone()
        changed[:, k:] = torch.randn(3, 13 - k, DIM)
        after = encoded(net, changed)
        torch.testing.assert_close(after[:, :k], states[:, :k])
        assert ((after[:, k:] - states[:, k:]).abs().amax(dim=-1) > 1e-3).all()


def test_22_the_encoder_sees_no_padding():
    """Nothing that stands in padded positions matters, nor how many there are."""
    net, x = model(), torch.randn(3, 13, DIM)
    states = encoded(net, x)
    noisy = x.clone()
    noisy[:, 5:] = 100 * torch.randn(3, 8, DIM)
    torch.testing.assert_close(encoded(net, noisy)[:, :5], states[:, :5])
    torch.testing.assert_close(encoded(net, x[:, :5]), states[:, :5])
    scorer = ModelScorer(net, TABLE)
    short, long = np.array([3, 1]), np.arange(1, 14)
    alone = scorer.score([short])
    torch.testing.assert_close(scorer.score([short, long])[:1], alone)


def test_23_rows_do_not_meet():
    """A sequence's states do not depend on the other rows; permuting rows permutes states."""
    net, x = model(), torch.randn(5, 7, DIM)
    states = encoded(net, x)
    torch.testing.assert_close(encoded(net, x[1:2]), states[1:2])
    order = torch.randperm(5)
    torch.testing.assert_close(encoded(net, x[order]), states[order])


def test_24_positions_count_and_the_encoder_is_shared():
    """Other orders give other states, through the positions alone if attention cannot tell.

    Equal inputs give equal states in both modalities.
    """
    net, x = model(layers=1), torch.randn(1, 5, DIM)
    swapped = x[:, [1, 0, 2, 3, 4]]
    torch.nn.init.normal_(net.transformer.position.weight)
    with torch.no_grad():
        net.transformer.blocks[0].qkv.weight *= 20  # attention that matters
        net.transformer.blocks[0].out.weight *= 20
    assert (encoded(net, x)[:, 4] - encoded(net, swapped)[:, 4]).abs().max() > 1e-3
    # Without positions the last state of one layer cannot tell what order came before it.
    torch.nn.init.zeros_(net.transformer.position.weight)
    torch.testing.assert_close(encoded(net, x)[:, 4], encoded(net, swapped)[:, 4])
    states = net.encode({"text": x, "image": x})
    torch.testing.assert_close(states["text"], states["image"])
    both = net.encode({"text": x, "image": swapped})
    torch.testing.assert_close(both["image"], net.transformer(swapped))
    assert sum("transformer.position" in name for name in net.state_dict()) == 1


def test_25_the_state_at_the_last_real_position_is_used():
    """Sequences of one item depend on it alone; the scores belong to the newest item's state."""
    net = model()
    scorer = ModelScorer(net, TABLE)
    vectors = net.item_embeddings(TABLE, torch.arange(20))
    for history in ([4], [4, 9], [9, 4, 2]):
        states = net.encode(gather_rows(vectors, torch.tensor([history])))
        expected = match_scores({modality: h[:, -1] for modality, h in states.items()}, vectors)
        found = scorer.score([np.array(history), np.arange(1, 12)])[:1]
        torch.testing.assert_close(found, expected)
    one = encoded(net, torch.randn(1, 1, DIM))
    two = encoded(net, torch.randn(1, 1, DIM))
    assert not torch.allclose(one, two)


# -------------------------------------------------------------------------- NIP


def test_26_nip_is_a_cross_entropy():
    """NIP >= 0; without repeated targets it is the cross-entropy of the B x B cosines."""
    h, g = unit(13), unit(13, seed=1)
    expected = F.cross_entropy(h @ g.T / TAU, torch.arange(13))
    torch.testing.assert_close(nip(h, g), expected)
    for seed in range(20):
        repeated = same_target(torch.randint(3, (7,), generator=rng(seed)).tolist())
        assert nip(unit(7, seed=seed), unit(7, seed=99), repeated) >= 0


def test_27_nip_has_bounds():
    """log(1 + (B-1) e^(-2/tau)) <= NIP <= log(1 + (B-1) e^(2/tau)), both reached."""
    for rows in (2, 5, 11):
        low = math.log1p((rows - 1) * math.exp(-2 / TAU))
        high = math.log1p((rows - 1) * math.exp(2 / TAU))
        for seed in range(20):
            loss = nip(unit(rows, 3, seed), unit(rows, 3, seed + 50)).item()
            assert low - 1e-5 <= loss <= high + 1e-4
    poles = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert nip(poles, poles).item() == pytest.approx(math.log1p(math.exp(-2 / TAU)), abs=1e-6)
    assert nip(poles, -poles).item() == pytest.approx(math.log1p(math.exp(2 / TAU)), rel=1e-6)


@pytest.mark.parametrize(("rows", "value"), [(8, 2.0794), (64, 4.1589), (1024, 6.9315)])
def test_28_nip_at_collapse_is_log_b(rows, value):
    """All vectors equal: log B; with excluded pairs the mean of log(1 + negatives of the row)."""
    same = torch.ones(rows, 5)
    loss = nip(same, same).item()
    assert loss == pytest.approx(math.log(rows), abs=1e-5)
    assert loss == pytest.approx(value, abs=1e-4)
    targets = [i // 2 if i < 6 else i for i in range(rows)]  # three pairs of equal targets
    expected = (6 * math.log(rows - 1) + (rows - 6) * math.log(rows)) / rows
    assert nip(same, same, same_target(targets)).item() == pytest.approx(expected, abs=1e-5)


def test_29_nip_of_an_aligned_orthonormal_batch():
    """B = 64 orthonormal states, each on its target: log(1 + 63 e^(-1/tau)) = 3.94e-5."""
    expected = math.log1p(63 * math.exp(-1 / TAU))
    assert expected == pytest.approx(3.94e-5, abs=5e-8)
    assert nip(torch.eye(64), torch.eye(64)).item() == pytest.approx(expected, abs=1e-6)
    exact = torch.eye(64, dtype=torch.float64)
    masked = torch.eye(64, dtype=torch.bool).tolist()
    row = reference.next_item_row(0, [exact], exact, masked, TAU).item()
    assert row == pytest.approx(expected, rel=1e-9)


def test_30_nip_does_not_depend_on_order_length_or_axes():
    """Permuting the batch, scaling vectors and rotating both sides change nothing."""
    h, g = unit(11), unit(11, seed=1)
    masked = same_target([1, 2, 3, 1, 4, 5, 6, 7, 8, 9, 2])
    loss = nip(h, g, masked)
    order = torch.randperm(11)
    torch.testing.assert_close(nip(h[order], g[order], masked[order][:, order]), loss)
    lengths = torch.rand(11, 1) + 0.1
    torch.testing.assert_close(nip(7 * lengths * h, g / lengths, masked), loss)
    rotation = torch.linalg.qr(torch.randn(7, 7)).Q
    torch.testing.assert_close(nip(h @ rotation, g @ rotation, masked), loss, rtol=1e-5, atol=1e-5)


def test_31_rows_with_the_same_target_are_no_negatives():
    """Excluded: moving the other row's target vector leaves the anchor's loss; all equal costs 0.

    With logit 0, as in the released code, each of the S excluded rows adds e^0 to the denominator
    X of its anchor, and the loss grows by log((X + S) / X).
    """
    h, g, masked = unit(5), unit(5, seed=1), same_target([4, 2, 4, 3, 4])
    anchor = h.clone().requires_grad_()

    def row_gradient(targets_z):
        return torch.autograd.grad(nip(anchor, targets_z, masked), anchor)[0][0]

    moved = g.clone()
    moved[2] = unit(1, seed=5)[0]
    torch.testing.assert_close(row_gradient(moved), row_gradient(g))
    moved[1] = unit(1, seed=6)[0]
    assert not torch.allclose(row_gradient(moved), row_gradient(g))
    assert nip(h, g, same_target([3] * 5)) == 0

    cosines = (h @ g.T).double()
    for targets in ([4, 2, 4, 3, 4], [1, 1, 2, 3, 5], [1, 2, 3, 4, 5]):
        masked = same_target(targets)
        off = ~torch.eye(5, dtype=torch.bool)
        terms = (cosines / TAU).exp()
        x = terms.diagonal() + (terms * ~masked).sum(dim=1)
        s = (masked & off).sum(dim=1)
        expected = ((x + s) / x).log()
        difference = nip(h, g, masked, masked_logit=0.0) - nip(h, g, masked)
        assert difference.item() == pytest.approx(expected.mean().item(), abs=1e-5)
        for i in range(5):  # row by row
            states, blocks = [h.double()], masked.tolist()
            zero = reference.next_item_row(i, states, g.double(), blocks, TAU, zero_logit=True)
            less = reference.next_item_row(i, states, g.double(), blocks, TAU)
            assert (zero - less).item() == pytest.approx(expected[i].item(), abs=1e-5)
    assert AUTHORS.pretrain.same_target == "zero_logit"


def test_32_the_released_codes_broadcast_gives_the_same():
    """Positives (B, 1) over negatives (B,) make a B x B matrix of ratios, with the same mean."""
    h, g = unit(7).requires_grad_(), unit(7, seed=1)
    terms = (h @ g.T / TAU).exp()
    ratios = terms.diagonal()[:, None] / terms.sum(dim=1)[None, :]
    assert ratios.shape == (7, 7)
    theirs = -ratios.log().mean()
    torch.testing.assert_close(nip(h, g), theirs, rtol=1e-5, atol=1e-5)
    ours, other = (torch.autograd.grad(loss, h)[0] for loss in (nip(h, g), theirs))
    # Theirs is not normalised inside: compare along the sphere, where the loss can move.
    along = other - (other * h).sum(dim=1, keepdim=True) * h
    torch.testing.assert_close(ours, along, rtol=1e-4, atol=1e-5)
    assert nip(unit(1), unit(1, seed=1)) == 0


def test_33_false_negatives_get_no_gradient():
    """A row's loss does not pull or push the target vector of a masked row."""
    h, g = unit(3), unit(3, seed=1).requires_grad_()
    masked = torch.ones(3, 3, dtype=torch.bool)
    assert torch.equal(torch.autograd.grad(nip(h, g, masked), g)[0], torch.zeros(3, 7))
    masked[0, 1] = False  # now row 0 pushes target 1, and still leaves target 2 alone
    gradient = torch.autograd.grad(nip(h, g, masked), g)[0]
    assert gradient[1].abs().sum() > 0
    assert torch.equal(gradient[2], torch.zeros(7))


# ------------------------------------------------------------------------- CMCL


def test_34_cmcl_is_positive():
    """CMCL > 0 with any negative, exactly 0 for one row, >= log(1 + 2(B-1) e^(-2/tau))."""
    assert cmcl(unit(1), unit(1, seed=1)) == 0
    assert cmcl(unit(5), unit(5, seed=1), same_target([2] * 5)) == 0
    one_pair = torch.ones(5, 5, dtype=torch.bool)
    one_pair[0, 1] = False
    assert cmcl(unit(5), unit(5, seed=1), one_pair) > 0
    for rows in (2, 5, 11):
        low = math.log1p(2 * (rows - 1) * math.exp(-2 / TAU))
        for seed in range(20):
            assert cmcl(unit(rows, 3, seed), unit(rows, 3, seed + 50)) >= low - 1e-6


@pytest.mark.parametrize("form", ["symmetric", "rowwise"])
def test_35_cmcl_at_collapse_and_aligned(form):
    """Collapse: log(2B - 1). Orthonormal and aligned, B = 64: log(1 + 126 e^(-1/tau)) = 7.87e-5."""
    for rows, value in ((8, 2.7081), (64, 4.8442), (1024, 7.6241)):
        same = torch.ones(rows, 5)
        loss = cmcl(same, same, form=form).item()
        assert loss == pytest.approx(math.log(2 * rows - 1), abs=1e-5)
        assert loss == pytest.approx(value, abs=1e-4)
    expected = math.log1p(126 * math.exp(-1 / TAU))
    assert expected == pytest.approx(7.87e-5, abs=5e-8)
    found = cmcl(torch.eye(64), torch.eye(64), form=form).item()
    assert found == pytest.approx(expected, abs=1e-6)
    exact = torch.eye(64, dtype=torch.float64)
    row = reference.cross_modal_row(0, exact, exact, torch.eye(64, dtype=torch.bool).tolist(), TAU)
    assert row.item() == pytest.approx(expected, rel=1e-9)


def test_36_cmcl_is_symmetric():
    """Permuting the batch or scaling changes nothing; nor does exchanging the modalities.

    The row-wise form of the preset ``authors`` is not symmetric.
    """
    text, image = unit(11), unit(11, seed=1)
    masked = same_target([1, 2, 3, 1, 4, 5, 6, 7, 8, 9, 2])
    for form in ("symmetric", "rowwise"):
        loss = cmcl(text, image, masked, form=form)
        order = torch.randperm(11)
        again = cmcl(text[order], image[order], masked[order][:, order], form=form)
        torch.testing.assert_close(again, loss)
        torch.testing.assert_close(cmcl(5 * text, 0.1 * image, masked, form=form), loss)
    torch.testing.assert_close(cmcl(image, text, masked), cmcl(text, image, masked))
    one = cmcl(text, image, masked, form=AUTHORS.pretrain.cmcl_form)
    two = cmcl(image, text, masked, form=AUTHORS.pretrain.cmcl_form)
    assert abs(one - two) > 1e-3


@pytest.mark.parametrize("rows", [2, 4, 8, 64])
def test_37_float32_is_exact_enough(rows):
    """Float32 equals float64 to 1e-5: no sum loses its small terms, no NaN in small batches."""
    text, image = unit(rows, 64), unit(rows, 64, seed=1)
    modalities = [F.normalize(x.double(), dim=-1) for x in (text, image)]
    off = torch.eye(rows, dtype=torch.bool)

    def direction(anchor, other):
        positive = (anchor * other).sum(dim=1) / TAU
        logits = torch.cat([anchor @ other.T, anchor @ anchor.T], dim=1) / TAU
        negatives = logits.masked_fill(torch.cat([off, off], dim=1), -torch.inf)
        return torch.cat([positive[:, None], negatives], dim=1).logsumexp(dim=1) - positive

    expected = (direction(*modalities) + direction(*modalities[::-1])).mean().item() / 2
    assert cmcl(text, image).item() == pytest.approx(expected, abs=1e-5)
    expected = F.cross_entropy(modalities[0] @ modalities[1].T / TAU, torch.arange(rows)).item()
    assert nip(text, image).item() == pytest.approx(expected, abs=1e-5)


def test_38_the_total_is_a_weighted_sum():
    """Total = w (NIP_t + NIP_v) + lambda CMCL; exchanging the modalities leaves it as it is."""
    hidden = {"text": torch.randn(7, DIM), "image": torch.randn(7, DIM)}
    z = {"text": torch.randn(7, DIM), "image": torch.randn(7, DIM)}
    targets, users = torch.tensor([1, 2, 3, 1, 4, 5, 6]), torch.tensor([0, 0, 1, 1, 2, 2, 3])
    net = model()

    def losses(hidden, z, **options):
        total, parts = contrastive_losses(net, hidden, z, targets, users, PretrainConfig(**options))
        return total.item(), {name: part.item() for name, part in parts.items()}

    _, parts = losses(hidden, z)
    sides = {"same_user": False}, {"same_user": True}
    nip_masked, cmcl_masked = (false_negatives(targets, users, **side) for side in sides)
    for modality in ("text", "image"):
        assert parts[f"nip_{modality}"] == nip(hidden[modality], z[modality], nip_masked).item()
    assert parts["cmcl"] == cmcl(hidden["text"], hidden["image"], cmcl_masked).item()
    for w, weight in ((1.0, 0.01), (2.0, 0.5), (0.0, 3.0), (1.0, 0.0)):
        total, _ = losses(hidden, z, nip_weight=w, cmcl_weight=weight)
        expected = w * (parts["nip_text"] + parts["nip_image"]) + weight * parts["cmcl"]
        assert total == pytest.approx(expected, rel=1e-6)
    other = [dict(zip(("image", "text"), side.values(), strict=True)) for side in (hidden, z)]
    assert losses(*other, cmcl_weight=1.0)[0] == pytest.approx(
        losses(hidden, z, cmcl_weight=1.0)[0], rel=1e-6
    )


@pytest.mark.parametrize("rows", [64, 256])
def test_39_the_loss_at_the_start(rows):
    """With fresh weights and dropout the total is 2 log B + lambda log(2B - 1), or above."""
    torch.manual_seed(1)
    table = toy_table([3] * (rows + 50), [2] * (rows + 50), width=48)
    for slots in (table.text, table.image):
        slots.vectors.div_(48**0.5)  # unit length, about
    net = M2SE(ModelConfig(feature_dim=48)).train()
    items = torch.randint(1, rows + 51, (rows, 6), generator=rng(1))
    targets = torch.zeros_like(items)
    targets[:, 5] = torch.randperm(rows + 50, generator=rng(2))[:rows] + 1
    data = Batch(items, targets, torch.arange(rows))
    loss, parts = pretraining_loss(net, table, data, PretrainConfig(), rng())
    expected = 2 * math.log(rows) + 0.01 * math.log(2 * rows - 1)
    assert expected - 0.2 < loss.item() < expected + 1
    assert set(parts) == {"nip_text", "nip_image", "cmcl"}


# --------------------------------------------------------- fine-tuning, scoring


def test_40_scores_are_two_cosines():
    """Scores lie in [-2, 2], do not depend on the length of h; the loss is CE(score / tau)."""
    net = model(n_items=19)
    vectors = net.with_ids(net.item_embeddings(TABLE, torch.arange(20)), torch.arange(20))
    h = {"text": torch.randn(6, DIM), "image": torch.randn(6, DIM)}
    scores = match_scores(h, vectors)
    assert (scores.abs() <= 2 + 1e-5).all()
    torch.testing.assert_close(match_scores(vectors, vectors).diagonal(), torch.full((20,), 2.0))
    longer_h = {"text": 9 * h["text"], "image": 0.2 * h["image"]}
    torch.testing.assert_close(match_scores(longer_h, vectors), scores)
    target = torch.arange(6)
    torch.testing.assert_close(
        ranking_loss(scores, target, temperature=TAU), F.cross_entropy(scores / TAU, target)
    )

    data = batch()
    states = net.encode(gather_rows(vectors, data.items))
    real = data.targets > 0
    scores = match_scores({modality: state[real] for modality, state in states.items()}, vectors)
    loss, _ = finetuning_loss(net, TABLE, data, FinetuneConfig(temperature=0.3), torch.Generator())
    expected = F.cross_entropy(scores[:, 1:] / 0.3, data.targets[real] - 1)
    torch.testing.assert_close(loss, expected)


def test_41_padding_is_never_recommended_and_no_class():
    """Column 0 never ranks nor is recommended; its ID embedding learns nothing.

    In the preset ``authors`` it is one more class of the loss.
    """
    net = model(n_items=19)
    assert not net.ids.weight[0].any()

    class PadFirst:
        def score(self, histories):
            return torch.tensor([[9.0, 0.1, 0.5]] * len(histories))

    assert target_ranks(PadFirst(), [np.array([1])], np.array([2])).tolist() == [1]
    scorer = ModelScorer(net, TABLE)
    scorer.score_on_device = lambda histories: torch.linspace(2, 1, 20)[None]  # padding is best
    found = Recommender(scorer, SEQUENCES.items).recommend({"": ["i1"]}, k=99)
    assert found["item_id"].tolist() == SEQUENCES.items[2:]

    data = batch()
    rows, position = data.targets.nonzero(as_tuple=True)
    target = data.targets[rows, position]
    z = net.with_ids(net.item_embeddings(TABLE, torch.arange(20)), torch.arange(20))
    h = {m: states[rows, position] for m, states in net.encode(gather_rows(z, data.items)).items()}
    scores = match_scores(h, z).detach() / TAU
    for config, first in ((FinetuneConfig(), 1), (AUTHORS.finetune, 0)):
        loss, _ = finetuning_loss(net, TABLE, data, config, torch.Generator())
        torch.testing.assert_close(loss, F.cross_entropy(scores[:, first:], target - first))
        net.zero_grad()
        loss.backward()
        assert not net.ids.weight.grad[0].any()
        assert net.ids.weight.grad[1:].abs().sum() > 0


def test_42_without_ids_fine_tuning_scores_as_pre_training_does():
    """ID embeddings are added to both modalities; zero ones change neither inputs nor items."""
    pretrained = model()
    tuned = transfer(pretrained, 19)
    torch.nn.init.zeros_(tuned.ids.weight)
    histories, _ = SEQUENCES.held_out("test")
    before = ModelScorer(pretrained, TABLE).score(histories)
    assert torch.equal(ModelScorer(tuned, TABLE).score(histories), before)
    torch.nn.init.normal_(tuned.ids.weight[1:])
    assert not torch.allclose(ModelScorer(tuned, TABLE).score(histories), before)
    items = torch.tensor([3, 0, 19])
    plain = tuned.item_embeddings(TABLE, items)
    for modality, vectors in tuned.with_ids(plain, items).items():
        torch.testing.assert_close(vectors, plain[modality] + tuned.ids.weight[items])


def test_43_a_checkpoint_moves_to_another_dataset(tmp_path):
    """A saved model gives the same states to the last bit, also for a dataset of another size."""
    net = model()
    save_checkpoint(net, tmp_path / "model", SEQUENCES.items, {})
    loaded, items = load_checkpoint(tmp_path / "model")
    assert items == SEQUENCES.items
    x = torch.randn(3, 7, DIM)
    assert torch.equal(encoded(loaded, x), encoded(net.eval(), x))
    other = toy_table([1, 2, 5], [1, 0, 2], seed=3)
    tuned = transfer(loaded, 3).eval()
    assert tuned.ids.weight.shape == (4, DIM)
    torch.nn.init.zeros_(tuned.ids.weight)
    history = [np.array([2, 3])]
    expected = ModelScorer(net, other).score(history)
    assert torch.equal(ModelScorer(tuned, other).score(history), expected)


def test_44_what_should_not_move_does_not():
    """No epoch changes nothing; frozen weights stay whatever the learning rate."""
    net, other = model(n_items=19), model(n_items=19)
    other.load_state_dict(net.state_dict())
    list(finetune_steps(net, TABLE, SEQUENCES, FinetuneConfig(weight_decay=0.1, epochs=0)))
    assert_same_weights(net, other)
    net.adapt.requires_grad_(False)
    list(finetune_steps(net, TABLE, SEQUENCES, FinetuneConfig(lr=0.01, weight_decay=0.1, epochs=2)))
    assert_same_weights(net.adapt, other.adapt)
    assert not torch.equal(net.ids.weight, other.ids.weight)


# --------------------------------------------------------------- data, metrics


def test_45_leave_one_out_and_prefixes():
    """m interactions give m - 3 training samples, one to validate and one to test.

    A sample's input is the up to 50 newest interactions before its target, all of them older; the
    test input holds the validation target; no test target is among its user's targets.
    """
    counts = [5, 8, 60, 117]
    generator = np.random.default_rng(0)
    rows = [
        (f"u{user}", f"i{item}", time)
        for user, count in enumerate(counts)
        for time, item in enumerate(generator.permutation(130)[:count])
    ]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    time_of = {(user, item): time for user, item, time in rows}
    sequences = build_sequences(
        interactions.sort_values("timestamp", kind="stable"), [f"i{i}" for i in range(130)]
    )
    test_of = dict(zip(sequences.users, sequences.held_out("test")[1].tolist(), strict=True))
    data = next(training_batches(sequences, 50, 10**6, rng(), prefix_augmentation=True))
    samples = dict.fromkeys(sequences.users, 0)
    for user, items, targets in zip(data.users, data.items, data.targets, strict=True):
        name = sequences.users[int(user)]
        samples[name] += 1
        anchor = sequences.user_sequence(int(user)).tolist()
        (target,) = targets[targets > 0].tolist()
        at = anchor.index(target)
        inputs = items[items > 0].tolist()
        assert inputs == anchor[max(0, at - 50) : at]
        times = [time_of[name, sequences.items[item]] for item in inputs]
        assert max(times) <= time_of[name, sequences.items[target]]
        assert target != test_of[name]
    assert samples == {f"u{u}": count - 3 for u, count in enumerate(counts)}
    (valid, valid_targets), (test, _) = (sequences.held_out(part) for part in ("valid", "test"))
    assert len(valid) == len(test) == len(counts)
    for history, target, later in zip(valid, valid_targets, test, strict=True):
        assert later.tolist() == [*history.tolist(), target]


class Oracle:
    """A scorer that gives each history's target the best, or a random, score."""

    def __init__(self, targets, n_items, rng=None):
        rows = len(targets)
        self.rows = rng.random((rows, n_items + 1)) if rng else np.zeros((rows, n_items + 1))
        if rng is None:
            self.rows[np.arange(rows), targets] = 1.0
        self.at = 0

    def score(self, histories):
        self.at += len(histories)
        return torch.from_numpy(self.rows[self.at - len(histories) : self.at])


def test_46_metrics():
    """Closed forms, growth with K, a perfect ranker 1, a random one K / n, numbering irrelevant.

    With one target a case Recall@K = Hit@K = K x Precision@K.
    """
    rng = np.random.default_rng(0)
    targets, histories = rng.integers(1, 101, 3000), [np.array([1])] * 3000
    perfect = evaluate(Oracle(targets, 100), histories, targets)
    assert all(value["value"] == 1 for value in perfect.values())
    ranks = target_ranks(Oracle(targets, 100, rng), histories, targets)
    values = metrics(ranks)
    for k in CUTOFFS:
        assert abs(values[f"recall@{k}"].mean() - k / 100) < 0.045  # 3,000 draws: 5 errors
        hits = [float(rank in range(1, k + 1)) for rank in ranks]
        assert values[f"recall@{k}"].tolist() == hits
        precision = np.array(
            [sum(place == rank for place in range(1, k + 1)) / k for rank in ranks]
        )
        np.testing.assert_allclose(k * precision, values[f"recall@{k}"])
    for name in ("recall", "ndcg", "mrr"):
        for small, large in itertools.pairwise(CUTOFFS):
            assert (values[f"{name}@{small}"] <= values[f"{name}@{large}"]).all()
        assert ((values[f"{name}@50"] >= 0) & (values[f"{name}@50"] <= 1)).all()
    assert values["ndcg@50"][ranks == 3].tolist() == [0.5] * int((ranks == 3).sum())
    assert values["mrr@50"][ranks == 4].tolist() == [0.25] * int((ranks == 4).sum())

    histories, targets = SEQUENCES.held_out("test")
    expected = target_ranks(ModelScorer(net := model(), TABLE), histories, targets)
    order = rng.permutation(19)
    table = TABLE.for_items(["", *(TABLE.items[i + 1] for i in order)])
    number = np.concatenate([[0], np.argsort(order) + 1])
    again = target_ranks(ModelScorer(net, table), [number[h] for h in histories], number[targets])
    assert again.tolist() == expected.tolist()


def test_47_patience(monkeypatch):
    """With patience 20 the 21st epoch in a row without improvement ends it; a tie is a new best."""

    def epochs(recalls):
        script = iter([*recalls, *[0.0] * 99])
        monkeypatch.setattr(training, "validation_recall", lambda *_: next(script))
        config = FinetuneConfig(lr=1e-9, patience=20)
        records = list(finetune_steps(model(n_items=19), TABLE, SEQUENCES, config))
        return sum(record.recall is not None for record in records)

    assert epochs([0.5]) == 1 + 21
    assert epochs([0.2, 0.5]) == 2 + 21
    assert epochs([0.5, *[0.4] * 20, 0.5]) == 22 + 21  # the tie comes just in time


def test_48_same_seed_same_losses():
    """The same seed gives the same masks and the same losses, another seed others."""

    def losses(seed):
        torch.manual_seed(0)
        net = model(hidden_dropout=0.2, attention_dropout=0.2, adaptor_dropout=0.2)
        config = PretrainConfig(epochs=3, batch_size=12)
        return [r.loss for r in pretrain_steps(net, TABLE, SEQUENCES, config, seed=seed)]

    assert losses(3) == losses(3)
    assert losses(3) != losses(4)
    items = torch.ones(300, 50, dtype=torch.long)
    one, two, other = (draw_swaps(items, probability(0.25, items), rng(s)) for s in (4, 4, 5))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
