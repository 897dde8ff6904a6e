"""From a batch to a loss: fast paths against plain ones, sampling, several processes."""

import math
from dataclasses import replace

import pytest
import torch
import torch.multiprocessing
import torch.nn.functional as F

from msm4sr_lite import (
    encoder,
    losses,
    objectives,
    sequences,
)
from msm4sr_lite.config import (
    FinetuneConfig,
    ModelConfig,
    PretrainConfig,
    UserError,
)
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.fast.distributed import shares
from msm4sr_lite.losses import catalogue_loss, sampled_loss
from msm4sr_lite.objectives import finetuning_loss, pretraining_loss
from msm4sr_lite.sequences import Batch, training_batches
from tests.toys import toy_sequences, toy_table

SEQUENCES = toy_sequences([5, 7, 6, 9, 8, 5, 6, 12, 17], n_items=19)
TABLE = toy_table([2, 1, 3] * 6 + [4], [1, 1, 2] * 6 + [2])
SMALL = ModelConfig(feature_dim=11, dim=14, ffn_dim=17, max_len=9, experts=3, pooling_dim=5)
NO_DROPOUT = dict.fromkeys(("hidden_dropout", "attention_dropout", "adaptor_dropout"), 0.0)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def model(**options):
    torch.manual_seed(0)
    return M2SE(replace(SMALL, **NO_DROPOUT, **options)).train()


def batch(**options):
    return next(training_batches(SEQUENCES, 9, 10**6, rng(), **options))


def outcome(stage, data=None, config=None, net=None):
    """Loss, parts, and the gradients of all weights."""
    data = data or batch()
    if stage == "pretrain":
        net = net or model()
        loss, _ = pretraining_loss(net, TABLE, data, config or PretrainConfig(), rng())
    else:
        net = net or model(n_items=19)
        loss, _ = finetuning_loss(net, TABLE, data, config or FinetuneConfig(), rng())
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in net.named_parameters()}


def assert_same(one, two, **tolerance):
    torch.testing.assert_close(one[0], two[0], **tolerance)
    assert one[1].keys() == two[1].keys()
    for name, gradient in one[1].items():
        torch.testing.assert_close(gradient, two[1][name], **tolerance, msg=name)


# ------------------------------------------------------------------ fast = plain


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_groups_of_rows_change_nothing(stage, size, monkeypatch):
    """Sequences encoded in groups of about one length: the same as all in one call."""
    together = outcome(stage)
    calls, encode = [], M2SE.encode

    def spy(self, modalities, at=None):
        calls.append(tuple(modalities["text"].shape[:2]))
        return encode(self, modalities, at)

    monkeypatch.setattr(objectives, "ROWS_TOGETHER", size)
    monkeypatch.setattr(M2SE, "encode", spy)
    assert_same(outcome(stage), together, atol=1e-5, rtol=1e-4)
    assert len(calls) == -(-len(batch().items) // size)
    if stage == "finetune":  # nothing is dropped: each group is as long as its longest sequence
        lengths = sorted((batch().items > 0).sum(dim=1).tolist())
        assert [time for _, time in calls] == [max(lengths[i : i + size]) for i in range(0, len(lengths), size)]  # fmt: skip  # noqa: E501


def test_the_last_layer_at_some_places_is_the_last_layer():
    net = model(layers=2).eval()
    x, at = torch.randn(4, 7, 14), torch.tensor([[0, 6], [3, 3], [2, 5], [6, 1]])
    whole = net.transformer(x)
    expected = torch.stack([row[places] for row, places in zip(whole, at, strict=True)])
    torch.testing.assert_close(net.transformer(x, at), expected)


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_pooling_in_parts_changes_nothing(stage, monkeypatch):
    whole = outcome(stage)
    monkeypatch.setattr(encoder, "TOGETHER", 4)
    assert_same(outcome(stage), whole, atol=1e-6, rtol=1e-4)


def test_the_catalogue_may_be_pooled_in_parts_outside_training_too(monkeypatch):
    net, items = M2SE(SMALL).eval(), torch.arange(len(TABLE.items))
    whole = net.item_embeddings(TABLE, items)
    monkeypatch.setattr(encoder, "TOGETHER", 4)
    torch.testing.assert_close(net.item_embeddings(TABLE, items), whole)


def test_folded_slot_attention_is_the_two_maps():
    """In training one vector stands for both maps: the same values, the same gradients."""
    torch.manual_seed(3)
    pool = encoder.AttentionPooling(11, 5)
    slots, valid = torch.randn(6, 4, 11), torch.rand(6, 4) > 0.3
    results = []
    for training in (True, False):
        pool.train(training).zero_grad()
        pooled, weights = pool(slots, valid)
        pooled.square().sum().backward()
        results.append([pooled, weights, *(p.grad.clone() for p in pool.parameters())])
    for folded, plain in zip(*results, strict=True):
        torch.testing.assert_close(folded, plain, atol=1e-5, rtol=1e-5)


# ---------------------------------------------------------------- big catalogues


@pytest.mark.parametrize("at_once", [1, 40, 7 * 23 - 1])
@pytest.mark.parametrize("temperature", [1.0, 0.03])
def test_catalogue_loss_in_blocks_is_the_plain_one(at_once, temperature, monkeypatch):
    states, items = (
        F.normalize(torch.randn(n, 8, dtype=torch.float64), dim=-1).requires_grad_()
        for n in (7, 23)
    )
    target = torch.randint(23, (7,))
    expected = F.cross_entropy(states @ items.T / temperature, target)
    wanted = torch.autograd.grad(expected, [states, items])

    def no(*_, **__):
        raise AssertionError("the scores were held as a whole")

    monkeypatch.setattr(losses, "ranking_loss", no)
    loss = catalogue_loss(states, items, target, temperature=temperature, at_once=at_once)
    torch.testing.assert_close(loss, expected, atol=1e-12, rtol=1e-10)
    for found, gradient in zip(torch.autograd.grad(loss, [states, items]), wanted, strict=True):
        torch.testing.assert_close(found, gradient, atol=1e-12, rtol=1e-9)


def test_fine_tuning_chooses_blocks_by_size(monkeypatch):
    plain = outcome("finetune")
    monkeypatch.setattr(
        objectives,
        "catalogue_loss",
        lambda *arguments, **options: catalogue_loss(*arguments, **options, at_once=99),
    )
    assert_same(outcome("finetune"), plain, atol=1e-6, rtol=1e-4)


def test_sampled_softmax_is_right_on_average():
    """The corrected sum over drawn items is, on average, the sum over the catalogue."""
    torch.manual_seed(0)
    scores, target, tau = torch.randn(1, 12), 4, 0.7
    share = torch.rand(12) + 0.05
    share /= share.sum()
    sums = []
    for _ in range(4000):
        drawn = share.multinomial(5, replacement=True)
        hit, log_count = (drawn == target)[None], (5 * share[drawn]).log()
        vectors = scores.T  # of one number each; the state is 1
        loss = sampled_loss(
            torch.ones(1, 1), vectors[[target]], vectors[drawn], hit, log_count, temperature=tau
        )
        sums.append((loss + scores[0, target] / tau).exp())
    total = (scores / tau).exp().sum().item()
    sums = torch.stack(sums)
    assert sums.mean().item() == pytest.approx(total, abs=4 * sums.std().item() / math.sqrt(4000))
    assert sums.mean().item() == pytest.approx(total, rel=0.03)


def test_many_negatives_come_close_to_the_exact_loss():
    exact, gradients = outcome("finetune", config=FinetuneConfig(temperature=0.5))
    config = FinetuneConfig(temperature=0.5, n_negatives=20_000)
    sampled, others = outcome("finetune", config=config)
    assert sampled.item() == pytest.approx(exact.item(), abs=0.02)
    one, two = (g["transformer.blocks.0.up.weight"].flatten() for g in (gradients, others))
    assert F.cosine_similarity(one, two, dim=0) > 0.99


@pytest.mark.parametrize("negatives", [0, 50])
def test_scores_of_fine_tuning_are_not_rounded_by_autocast(negatives, monkeypatch):
    """Half precision ends where states and items are compared."""
    torch.manual_seed(0)
    units = F.normalize(torch.randn(400, 14), dim=-1)
    monkeypatch.setattr(
        objectives, "unit_vectors", lambda modalities: units[: len(modalities["text"])]
    )
    values = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            config = FinetuneConfig(n_negatives=negatives)
            net = model(n_items=19)
            values.append(finetuning_loss(net, TABLE, batch(), config, rng())[0])
    assert torch.equal(*values)


def test_negatives_touch_only_the_drawn_items():
    net = model(n_items=19)
    data = next(training_batches(toy_sequences([5], 4), 9, 99, rng()))
    popularity = torch.zeros(20)
    popularity[7] = 1.0
    loss, _ = finetuning_loss(net, TABLE, data, FinetuneConfig(n_negatives=3), rng(), popularity)
    loss.backward()
    moved = net.ids.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist()
    known = set(data.items.flatten().tolist()) | set(data.targets.flatten().tolist())
    assert set(moved) == (known | {7}) - {0}


@pytest.mark.parametrize("negatives", [0, 4])
def test_items_that_are_never_bought_take_no_part(negatives):
    """With candidates=bought the loss is that of a shop that does not list them."""
    data = next(training_batches(toy_sequences([9, 8], 12), 9, 99, rng()))
    bought = torch.bincount(torch.cat([data.items, data.targets]).flatten(), minlength=20)
    bought[0] = 0
    config = FinetuneConfig(candidates="seen", n_negatives=negatives)
    net = model(n_items=19)
    loss, _ = finetuning_loss(net, TABLE, data, config, rng(), bought / bought.sum())
    loss.backward()
    never = bought == 0
    assert never[1:].any()
    assert not net.ids.weight.grad[never].any()
    assert net.ids.weight.grad[bought > 0].abs().sum(dim=1).all()
    if not negatives:
        fewer, net = bought.nonzero().squeeze(1), model(n_items=19)
        numbers = torch.zeros(20, dtype=torch.int64)
        numbers[fewer] = torch.arange(1, 1 + len(fewer))
        small = TABLE.for_items(["", *(TABLE.items[i] for i in fewer)])
        moved = Batch(numbers[data.items], numbers[data.targets], data.users)
        with torch.no_grad():
            net.ids.weight[: 1 + len(fewer)] = net.ids.weight[
                bought.index_fill(0, torch.tensor(0), 1) > 0
            ]
        listed, _ = finetuning_loss(net, small, moved, FinetuneConfig(), rng())
        assert loss.item() == pytest.approx(listed.item(), abs=1e-5)
        whole, _ = finetuning_loss(model(n_items=19), TABLE, data, FinetuneConfig(), rng())
        assert whole.item() > loss.item() + 0.01  # more to choose from


def test_negatives_and_the_class_of_padding_exclude_each_other():
    with pytest.raises(UserError, match="negatives and pad_class exclude each other"):
        FinetuneConfig(n_negatives=5, pad_class=True)
    with pytest.raises(UserError, match=r"negatives must be 0 \(all\) or more; got -1"):
        FinetuneConfig(n_negatives=-1)
    with pytest.raises(UserError, match=r"anchors_per_sequence must be 0 \(all\) or more; got -2"):
        PretrainConfig(targets_per_sequence=-2)


# ----------------------------------------------------------------------- anchors


def test_anchors_of_a_sequence():
    """No more than so many targets of a row; each with its chance; batches of the usual size."""
    for seed in range(20):
        data = next(training_batches(SEQUENCES, 9, 10**6, rng(seed), targets_per_sequence=2))
        whole = next(training_batches(SEQUENCES, 9, 10**6, rng(seed)))
        assert torch.equal(data.items, whole.items)
        assert torch.equal(data.targets, whole.targets * (data.targets > 0))
        counts = (whole.targets > 0).sum(dim=1).clamp(max=2)
        assert torch.equal((data.targets > 0).sum(dim=1), counts)

    one = toy_sequences([12], 19)  # nine targets
    drawn = [next(training_batches(one, 9, 9, rng(seed), targets_per_sequence=2)) for seed in range(200)]
    seen = torch.stack([data.targets[0] > 0 for data in drawn]).sum(dim=0)
    assert seen.sum() == 400
    assert ((seen > 20) & (seen < 75)).all()  # 44 on average, spread 6
    sizes = [
        int((b.targets > 0).sum()) for b in training_batches(SEQUENCES, 9, 6, rng(), targets_per_sequence=2)
    ]
    assert all(6 <= size <= 7 for size in sizes[:-1])


def test_training_targets_are_foretold():
    for anchors in (0, 3):
        batches = training_batches(SEQUENCES, 50, 7, rng(), targets_per_sequence=count)
        counted = sum(int((b.targets > 0).sum()) for b in batches)
        assert SEQUENCES.training_targets(anchors) == counted


# ------------------------------------------------------------- several processes


def work(rank, world, address, stage, found_at):
    """Be one of several processes: loss and averaged gradients of a joint batch."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{address}", rank=rank, world_size=world
    )
    net = model(n_items=0 if stage == "pretrain" else 19, projections=True)
    loss, gradients = outcome(stage, net=net)
    torch.distributed.all_reduce(loss)
    for gradient in gradients.values():
        if gradient is not None:
            torch.distributed.all_reduce(gradient)
    if rank == 0:
        found = {name: g / world for name, g in gradients.items() if g is not None}
        data = {name: getattr(batch(), name) for name in ("items", "targets", "users")}
        torch.save((loss / world, found, data), found_at)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("world", [2, 3])
def test_several_processes_are_one(stage, world, tmp_path):
    """Loss and gradients of a joint batch, shared by two or three, as one process has them."""
    torch.multiprocessing.spawn(
        work, (world, tmp_path / "meeting", stage, tmp_path / "found"), nprocs=world
    )
    loss, gradients, data = torch.load(tmp_path / "found", weights_only=True)
    net = model(n_items=0 if stage == "pretrain" else 19, projections=True)
    expected, plain = outcome(stage, Batch(**data), net=net)
    plain = {name: gradient for name, gradient in plain.items() if gradient is not None}
    assert_same((loss, gradients), (expected, plain), atol=1e-5, rtol=1e-4)


def test_each_row_has_one_owner(monkeypatch):
    monkeypatch.setattr(sequences, "processes", lambda: (1, 3))
    for count in (3, 7, 9):
        assert [row for part in shares(count) for row in range(count)[part]] == list(range(count))
        sizes = [part.stop - part.start for part in shares(count)]
        assert max(sizes) - min(sizes) <= 1
    lengths = (batch().items > 0).sum(dim=1)
    loads = [int(lengths[part].sum()) for part in shares(len(lengths))]
    assert max(loads) - min(loads) <= 2 * lengths.max()
