"""From a batch to a loss: sampled negatives, unseen items, few targets per sequence."""

import pytest
import torch
import torch.nn.functional as F

import msm4sr_lite.config as settings
from msm4sr_lite.config import FinetuneConfig, UserError
from msm4sr_lite.fast import objectives
from msm4sr_lite.objectives import finetuning_loss
from msm4sr_lite.sequences import Batch, training_batches
from tests.toy_steps import SEQUENCES, TABLE, batch, model, outcome, rng
from tests.toys import toy_sequences


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
        objectives, "concat_normalized", lambda modalities: units[: len(modalities["text"])]
    )
    values = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            config = FinetuneConfig(n_negatives=negatives)
            net = model(n_items=19)
            values.append(finetuning_loss(net, TABLE, batch(), config, rng())[0])
    assert torch.equal(*values)


def test_a_large_catalogue_has_sampled_negatives_by_default(monkeypatch):
    exact = [outcome("finetune", config=FinetuneConfig(**k))[0] for k in ({}, {"n_negatives": 0})]
    assert torch.equal(*exact)
    monkeypatch.setattr(settings, "MANY_CLASSES", 18)
    monkeypatch.setattr(settings, "MANY_NEGATIVES", 7)
    default, sampled, padding = (
        outcome("finetune", config=FinetuneConfig(**options))[0]
        for options in ({}, {"n_negatives": 7}, {"pad_class": True})
    )
    assert torch.equal(default, sampled)
    assert not torch.equal(default, exact[0])
    assert padding > exact[0]  # one class more: the exact softmax


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
def test_items_without_training_interactions_are_no_classes(negatives):
    """With candidates=seen the loss is that of a dataset without these items."""
    data = next(training_batches(toy_sequences([9, 8], 12), 9, 99, rng()))
    seen = torch.bincount(torch.cat([data.items, data.targets]).flatten(), minlength=20)
    seen[0] = 0
    config = FinetuneConfig(candidates="seen", n_negatives=negatives)
    net = model(n_items=19)
    loss, _ = finetuning_loss(net, TABLE, data, config, rng(), seen / seen.sum())
    loss.backward()
    never = seen == 0
    assert never[1:].any()
    assert not net.ids.weight.grad[never].any()
    assert net.ids.weight.grad[seen > 0].abs().sum(dim=1).all()
    if not negatives:
        fewer, net = seen.nonzero().squeeze(1), model(n_items=19)
        numbers = torch.zeros(20, dtype=torch.int64)
        numbers[fewer] = torch.arange(1, 1 + len(fewer))
        small = TABLE.for_items(["", *(TABLE.items[i] for i in fewer)])
        moved = Batch(numbers[data.items], numbers[data.targets], data.users)
        with torch.no_grad():
            net.ids.weight[: 1 + len(fewer)] = net.ids.weight[
                seen.index_fill(0, torch.tensor(0), 1) > 0
            ]
        listed, _ = finetuning_loss(net, small, moved, FinetuneConfig(), rng())
        assert loss.item() == pytest.approx(listed.item(), abs=1e-5)
        whole, _ = finetuning_loss(model(n_items=19), TABLE, data, FinetuneConfig(), rng())
        assert whole.item() > loss.item() + 0.01  # more classes


def test_negatives_and_the_class_of_padding_exclude_each_other():
    with pytest.raises(UserError, match="n_negatives excludes pad_class"):
        FinetuneConfig(n_negatives=5, pad_class=True)


# -------------------------------------------------------- few targets a sequence


def test_some_targets_of_each_sequence():
    """No more than so many targets of a row; each with its chance; batches of the usual size."""
    for seed in range(20):
        data = next(training_batches(SEQUENCES, 9, 10**6, rng(seed), targets_per_sequence=2))
        whole = next(training_batches(SEQUENCES, 9, 10**6, rng(seed)))
        assert torch.equal(data.items, whole.items)
        assert torch.equal(data.targets, whole.targets * (data.targets > 0))
        counts = (whole.targets > 0).sum(dim=1).clamp(max=2)
        assert torch.equal((data.targets > 0).sum(dim=1), counts)

    one = toy_sequences([12], 19)  # nine targets
    drawn = [
        next(training_batches(one, 9, 9, rng(seed), targets_per_sequence=2)) for seed in range(200)
    ]
    seen = torch.stack([data.targets[0] > 0 for data in drawn]).sum(dim=0)
    assert seen.sum() == 400
    assert ((seen > 20) & (seen < 75)).all()  # 44 on average, spread 6
    sizes = [
        int((b.targets > 0).sum())
        for b in training_batches(SEQUENCES, 9, 6, rng(), targets_per_sequence=2)
    ]
    assert all(6 <= size <= 7 for size in sizes[:-1])


def test_the_number_of_training_targets():
    for count in (0, 3):
        batches = training_batches(SEQUENCES, 50, 7, rng(), targets_per_sequence=count)
        counted = sum(int((b.targets > 0).sum()) for b in batches)
        assert SEQUENCES.training_targets(count) == counted
