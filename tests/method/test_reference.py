"""Plain and fast forms equal the loops of ``tests/reference.py`` in values and gradients."""

import itertools
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from msm4sr_lite import fast
from msm4sr_lite.config import ModelConfig, PretrainConfig
from msm4sr_lite.encoder import (
    M2SE,
    AttentionPooling,
    CausalTransformer,
    MoEAdaptor,
    match_scores,
)
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.losses import (
    cross_modal_loss,
    false_negatives,
    next_item_loss,
    ranking_loss,
)
from msm4sr_lite.mixup import complementary_mixup, draw_kept, drop_items
from msm4sr_lite.objectives import contrastive_losses
from tests import reference

# The same examples in every run, so that a failure is a change of the code. They are small, so
# nothing is gained by the search for a smaller one.
some = settings(
    deadline=None, max_examples=12, derandomize=True, database=None, phases=[Phase.generate]
)
seeds = st.integers(0, 10**6)
temperatures = st.sampled_from([0.05, 0.07, 0.5])


@pytest.fixture(autouse=True, scope="module", params=["fast", "plain"])
def form(request):
    """Run every test of this file with the fast forms and with the plain ones."""
    with nullcontext() if request.param == "fast" else fast.switched_off():
        yield request.param


def axes(*upper):
    """Lengths of axes: distinct primes up to a limit each, so that no axis passes for another."""
    primes = (2, 3, 5, 7, 11)
    choices = itertools.product(*([p for p in primes if p <= limit] for limit in upper))
    return st.sampled_from([lengths for lengths in choices if len(set(lengths)) == len(upper)])


def randn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ragged(seed, rows, width, least=1):
    """True for the first entries of each row, a different number in each."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(least, width + 1, (rows,), generator=generator)
    counts[0] = width
    return torch.arange(width) < counts[:, None]


def gradients(outputs, inputs):
    """Gradients of a fixed random sum of all outputs."""
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    probe = sum((randn(7, *out.shape) * out.double()).sum() for out in outputs)
    found = torch.autograd.grad(probe, inputs, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def assert_same(library, slow, inputs, tolerance=1e-9):
    """Both functions give the same values and the same gradients of their inputs."""
    inputs = [x.detach().requires_grad_() for x in inputs]
    quick, obvious = library(*inputs), slow(*inputs)
    pairs = zip(
        quick if isinstance(quick, tuple) else (quick,),
        obvious if isinstance(obvious, tuple) else (obvious,),
        strict=True,
    )
    for one, two in pairs:
        torch.testing.assert_close(one.double(), two, rtol=tolerance, atol=tolerance)
    for one, two in zip(gradients(quick, inputs), gradients(obvious, inputs), strict=True):
        torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance)


def randomise(module, seed):
    """Give every weight of a module a random value in double precision; return them by name."""
    module.double().eval()
    for step, parameter in enumerate(module.parameters()):
        parameter.data = randn(seed + step, *parameter.shape) * 0.5
    return dict(module.named_parameters())


def with_weights(module, names):
    """A function of inputs and weights that calls the module."""

    def call(*values):
        inputs, weights = values[: -len(names)], values[-len(names) :]
        return torch.func.functional_call(module, dict(zip(names, weights, strict=True)), inputs)

    return call


# --------------------------------------------------------------------- encoder


@some
@given(axes(5, 7, 5, 3), seeds, st.booleans())
def test_attention_pooling(lengths, seed, mask_padding):
    items, slots, feature, hidden = lengths
    module = AttentionPooling(feature, hidden, mask_padding)
    weights = randomise(module, seed)
    valid = ragged(seed, items, slots)
    x = randn(seed, items, slots, feature)
    x = x if mask_padding else x * valid.unsqueeze(-1)  # masked: noise in the padding

    def slow(x, *w):
        return reference.attention_pooling(x, valid, w[:2], w[2:], mask_padding)

    library = with_weights(module, list(weights))
    assert_same(lambda x, *w: library(x, valid, *w), slow, [x, *weights.values()])


@some
@given(axes(7, 7, 5, 3), seeds)
def test_moe_adaptor(lengths, seed):
    rows, feature, dim, experts = lengths
    module = MoEAdaptor(feature, dim, experts, dropout=0.3)
    weights = randomise(module, seed)
    names = ["project.weight", "project.bias", "scale", "shift", "gate.weight"]
    assert set(names) == set(weights)

    def slow(x, project, bias, scale, shift, gate):
        return reference.moe_adaptor(x, (project, bias), scale, shift, gate)

    inputs = [randn(seed, rows, feature), *(weights[name] for name in names)]
    assert_same(with_weights(module, names), slow, inputs, tolerance=1e-7)


@settings(some, max_examples=6)
@given(st.sampled_from([(3, 5, 4, 2), (2, 3, 6, 2), (2, 5, 6, 3)]), st.sampled_from([1, 2]), seeds)
def test_transformer_on_ragged_rows(lengths, layers, seed):
    """Each real position of a padded batch equals the sequence encoded alone, without padding."""
    rows, time, dim, heads = lengths
    module = CausalTransformer(
        ModelConfig(dim=dim, heads=heads, layers=layers, ffn_dim=7, max_len=time + 1)
    )
    weights = randomise(module, seed)
    real = ragged(seed, rows, time)

    def slow(x, *values):
        named = dict(zip(weights, values, strict=True))
        alone = [
            reference.transformer(x[row][real[row]], named, layers, heads) for row in range(rows)
        ]
        return torch.cat(alone)

    library = with_weights(module, list(weights))
    inputs = [randn(seed, rows, time, dim), *weights.values()]
    assert_same(lambda *values: library(*values)[real], slow, inputs, tolerance=1e-7)


@some
@given(axes(5, 7, 5), seeds)
def test_scores(lengths, seed):
    rows, items, dim = lengths
    shapes = [(rows, dim), (rows, dim), (items, dim), (items, dim)]
    inputs = [randn(seed + i, *shape) for i, shape in enumerate(shapes)]

    def library(h_text, h_image, text, image):
        return match_scores({"text": h_text, "image": h_image}, {"text": text, "image": image})

    def slow(h_text, h_image, text, image):
        sums = [
            reference.cosine(h_text[r], text[i]) + reference.cosine(h_image[r], image[i])
            for r in range(rows)
            for i in range(items)
        ]
        return torch.stack(sums).view(rows, items)

    assert_same(library, slow, inputs, tolerance=1e-5)  # scores are computed in float32


# --------------------------------------------------------------- augmentations


@some
@given(axes(5, 7, 3), seeds, st.floats(0, 1))
def test_mixup(lengths, seed, p):
    rows, time, dim = lengths
    generator = torch.Generator().manual_seed(seed)
    swaps = torch.rand(rows, time, generator=generator) < p
    inputs = [randn(seed + i, rows, time, dim) for i in range(2)]
    assert_same(
        lambda text, image: complementary_mixup(text, image, swaps),
        lambda text, image: reference.mixup(text, image, swaps),
        inputs,
    )


@some
@given(axes(7, 11), seeds, st.floats(0, 1), st.sampled_from(["first", "last"]))
def test_drop(lengths, seed, q, keep):
    rows, time = lengths
    real = ragged(seed, rows, time)
    items = torch.where(real, torch.arange(1, rows * time + 1).view(rows, time), 0)
    generator = torch.Generator().manual_seed(seed)
    kept = draw_kept(items, torch.full((rows, 1), q), generator, keep=keep)
    shortened, state = drop_items(items, kept)
    for row in range(rows):
        left, position = reference.drop(items[row].tolist(), kept[row].tolist())
        assert shortened[row].tolist() == left
        assert state[row].tolist() == position


# ---------------------------------------------------------------------- losses


@st.composite
def loss_inputs(draw):
    """Rows, width, targets and users, some of them repeated."""
    rows, dim = draw(axes(7, 5))
    targets = draw(st.lists(st.integers(1, 5), min_size=rows, max_size=rows))
    users = draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows))
    return rows, dim, targets, users, draw(st.booleans()), draw(seeds)


@some
@given(loss_inputs())
def test_false_negatives(drawn):
    _, _, targets, users, same_user, _ = drawn
    library = false_negatives(torch.tensor(targets), torch.tensor(users), same_user=same_user)
    assert library.tolist() == reference.false_negatives(targets, users, same_user)


@settings(some, max_examples=20)
@given(loss_inputs(), st.sampled_from([1, 2, 3]), st.booleans(), temperatures)
def test_next_item_loss(drawn, count, zero_logit, tau):
    """One state, or several as with projections; masked pairs excluded or with logit 0."""
    rows, dim, targets, users, same_user, seed = drawn
    masked = reference.false_negatives(targets, users, same_user)
    logit = {"masked_logit": 0.0} if zero_logit else {}

    def library(targets_z, *states):
        states = states[0] if count == 1 else torch.stack(states)
        return next_item_loss(states, targets_z, torch.tensor(masked), temperature=tau, **logit)

    def slow(targets_z, *states):
        return reference.next_item_loss(states, targets_z, masked, tau, zero_logit)

    inputs = [randn(seed + i, rows, dim) for i in range(count + 1)]
    assert_same(library, slow, inputs, tolerance=1e-4)  # float32 at cosine / 0.05


@settings(some, max_examples=20)
@given(loss_inputs(), st.booleans(), st.booleans(), temperatures)
def test_cross_modal_loss(drawn, zero_logit, rowwise, tau):
    rows, dim, targets, users, same_user, seed = drawn
    masked = reference.false_negatives(targets, users, same_user)
    options = {"form": "rowwise"} if rowwise else {}
    options |= {"masked_logit": 0.0} if zero_logit else {}

    def library(text, image):
        return cross_modal_loss(text, image, torch.tensor(masked), temperature=tau, **options)

    def slow(text, image):
        return reference.cross_modal_loss(text, image, masked, tau, zero_logit, rowwise)

    assert_same(library, slow, [randn(seed, rows, dim), randn(seed + 1, rows, dim)], tolerance=1e-4)


@some
@given(loss_inputs(), st.booleans())
def test_pretraining_loss_with_and_without_projections(drawn, projections):
    """With P_t and P_v each of them maps both states, and each has its own NIP and its own CMCL.

    NIP has two positives then, and the two CMCL are added.
    """
    rows, _, targets, users, _, seed = drawn
    net = M2SE(ModelConfig(feature_dim=3, dim=4, projections=projections))
    kept = reference.false_negatives(targets, users, same_user=False)
    excluded = reference.false_negatives(targets, users, same_user=True)

    def mapped(modality, side):
        weight, bias = (p.detach().double() for p in net.project[modality].parameters())
        return torch.stack([reference.linear(row, weight, bias) for row in side])

    def library(text, image, *targets_z):
        total, parts = contrastive_losses(
            net,
            {"text": text.float(), "image": image.float()},
            dict(zip(("text", "image"), (z.float() for z in targets_z), strict=True)),
            torch.tensor(targets),
            torch.tensor(users),
            PretrainConfig(cmcl_weight=0.5),
        )
        return (total, *parts.values())

    def slow(text, image, *targets_z):
        nips, pairs = [], [(text, image)]
        if projections:
            pairs = [
                (mapped(modality, text), mapped(modality, image)) for modality in ("text", "image")
            ]
        for place, z in enumerate(targets_z):
            states = list(pairs[place]) if projections else [(text, image)[place]]
            nips.append(reference.next_item_loss(states, z, kept, 0.07))
        cmcl = sum(reference.cross_modal_loss(*pair, excluded, 0.07) for pair in pairs)
        return (nips[0] + nips[1] + 0.5 * cmcl, *nips, cmcl)

    assert_same(library, slow, [randn(seed + i, rows, 4) for i in range(4)], tolerance=2e-4)


@some
@given(axes(5, 7), seeds, temperatures)
def test_ranking_loss(lengths, seed, tau):
    rows, items = lengths
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, items, (rows,), generator=generator)
    assert_same(
        lambda scores: ranking_loss(scores, targets, temperature=tau),
        lambda scores: reference.ranking_loss(scores, targets.tolist(), tau),
        [randn(seed, rows, items)],
        tolerance=1e-4,
    )


# --------------------------------------------------------------------- ranking


class Given:
    """A scorer with the scores of each history written down; a history's first item is its row."""

    def __init__(self, rows):
        self.rows = torch.tensor(rows)

    def score(self, histories):
        return self.rows[[int(history[0]) - 1 for history in histories]]


@some
@given(axes(7, 11), seeds, st.booleans(), st.sampled_from([1, 2, 512]))
def test_ranks_with_ties(lengths, seed, filter_seen, batch_size):
    """Four different scores among many items: most of them are tied."""
    rows, items = lengths
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (rows, items + rows + 1)).astype(np.float32)
    histories = [
        np.array([row + 1, *rng.integers(1, items + 1, rng.integers(1, 5))]) for row in range(rows)
    ]
    targets = rng.integers(1, items + rows + 1, rows)
    library = target_ranks(
        Given(scores), histories, targets, filter_seen=filter_seen, batch_size=batch_size
    )
    slow = [
        reference.rank(scores[row], targets[row], histories[row] if filter_seen else ())
        for row in range(rows)
    ]
    assert library.tolist() == slow


@some
@given(st.lists(st.integers(1, 30), min_size=1, max_size=13), st.sampled_from([1, 3, 10, 20]))
def test_metrics(ranks, k):
    library = metrics(np.array(ranks), [k])
    assert set(library) == {f"recall@{k}", f"ndcg@{k}", f"mrr@{k}"}
    for name in ("recall", "ndcg", "mrr"):
        slow = [reference.ranking_metrics(rank, k)[name] for rank in ranks]
        np.testing.assert_allclose(library[f"{name}@{k}"], slow, rtol=1e-12)
