"""Pre-training, fine-tuning, checkpoints."""

import copy
import errno
import json
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from safetensors import safe_open

from msm4sr_lite import fast, training
from msm4sr_lite.config import (
    FinetuneConfig,
    ModelConfig,
    PretrainConfig,
    UserError,
)
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.objectives import finetuning_loss, pretraining_loss
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import training_batches
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.training_files import StateFile
from msm4sr_lite.training import (
    finetune,
    finetune_steps,
    pretrain,
    pretrain_steps,
    validation_recall,
)
from tests.toys import assert_same_weights, toy_sequences, toy_table

SEQUENCES = toy_sequences([5, 7, 6, 9, 8, 5, 6], n_items=19)
TABLE = toy_table([2, 1, 3] * 6 + [0], [1, 1, 0] * 6 + [2])
CONFIG = ModelConfig(feature_dim=11, dim=14, ffn_dim=17, max_len=5, experts=3, pooling_dim=5)
NO_DROPOUT = dict.fromkeys(("hidden_dropout", "attention_dropout", "adaptor_dropout"), 0.0)


def model(**options):
    torch.manual_seed(0)
    return M2SE(ModelConfig(**{**CONFIG.__dict__, **options}))


def batch():
    return next(training_batches(SEQUENCES, 5, 10**6, torch.Generator()))


def test_every_weight_gets_a_gradient():
    for stage in ("pretrain", "finetune"):
        net = model(n_items=19 if stage == "finetune" else 0)
        if stage == "pretrain":
            loss, _ = pretraining_loss(net, TABLE, batch(), PretrainConfig(), torch.Generator())
        else:
            loss, _ = finetuning_loss(net, TABLE, batch(), FinetuneConfig(), torch.Generator())
        loss.backward()
        silent = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
        # The softmax over slots does not change when all energies rise alike: biases are free.
        assert all(name.endswith(("inner.bias", "outer.bias")) for name in silent)


def test_training_is_reproducible_and_lowers_the_loss():
    runs = []
    for _ in range(2):
        net = model()
        records = list(
            pretrain_steps(net, TABLE, SEQUENCES, PretrainConfig(epochs=30, patience=99), seed=3)
        )
        runs.append((net, [r.loss for r in records], [r.recall for r in records]))
    assert runs[0][1:] == runs[1][1:]
    assert_same_weights(runs[0][0], runs[1][0])
    assert np.mean(runs[0][1][-6:]) < np.mean(runs[0][1][:6])


def big_dataset():
    """So many items that Recall@20 says something."""
    return toy_sequences([5, 7, 6, 9, 8, 5, 6] * 3, n_items=90), toy_table([2, 1, 3] * 30, [1] * 90)


def test_the_test_interactions_play_no_part():
    """Whatever they are, training and validation stay the same."""
    sequences, table = big_dataset()
    changed = sequences.interactions.copy()
    last = sequences.offsets[1:] - 1
    changed[last] = changed[last] % 90 + 1
    runs = [
        [
            (r.loss, r.recall)
            for r in pretrain_steps(model(), table, s, PretrainConfig(epochs=3), seed=0)
        ]
        for s in (sequences, replace(sequences, interactions=changed))
    ]
    assert runs[0] == runs[1]
    for part, equal in (("valid", True), ("test", False)):
        targets = [
            s.held_out(part)[1].tolist()
            for s in (sequences, replace(sequences, interactions=changed))
        ]
        assert (targets[0] == targets[1]) == equal


def test_validation_ranks_the_last_item_but_one():
    sequences, table = big_dataset()
    net = model()
    histories, targets = sequences.held_out("valid")
    ranks = target_ranks(ModelScorer(net, table), histories, targets)
    assert 0 < (ranks <= 20).mean() < 1
    assert validation_recall(net, table, sequences) == (ranks <= 20).mean()


def test_it_ends_with_the_best_weights(monkeypatch):
    """The weights of the last epoch with the best recall, to the last bit; a tie is a new best."""
    recalls, weights = [0.1, 0.5, 0.2, 0.5, 0.3, 0.4], []

    def scripted(net, *_):
        weights.append(copy.deepcopy(net))
        return recalls[len(weights) - 1]

    monkeypatch.setattr(training, "validation_recall", scripted)
    net = model()
    records = list(pretrain_steps(net, TABLE, SEQUENCES, PretrainConfig(epochs=6)))
    assert [r.best for r in records if r.recall is not None] == [1, 1, 0, 1, 0, 0]
    assert_same_weights(net, weights[3])
    assert not torch.equal(weights[3].transformer.norm.weight, weights[5].transformer.norm.weight)
    assert not net.training


def test_checkpoint_gives_the_same_scores_to_the_last_bit(tmp_path):
    net = model(n_items=19)
    histories, _ = SEQUENCES.held_out("test")
    before = ModelScorer(net, TABLE).score(histories)
    save_checkpoint(net, tmp_path / "model", SEQUENCES.items, {"note": 1})
    loaded, items = load_checkpoint(tmp_path / "model")
    assert items == SEQUENCES.items
    assert loaded.config == net.config
    assert torch.equal(ModelScorer(loaded, TABLE).score(histories), before)
    assert json.loads((tmp_path / "model/record.json").read_text()) == {"note": 1, "format": 3}
    assert not [p for p in tmp_path.iterdir() if p.name != "model"]


def test_a_broken_checkpoint_is_one_line(tmp_path):
    with pytest.raises(UserError, match="nothing: no such folder"):
        load_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("stage", "stop_after"), [("pretrain", 1), ("pretrain", 4), ("finetune", 2)]
)
def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path, stage, stop_after):
    """Stopped in the middle of an epoch: the same steps, epochs and weights, to the last bit."""
    options = {"epochs": 6, "batch_size": 12}
    if stage == "pretrain":
        run, config, new = pretrain_steps, PretrainConfig(**options), model
    else:
        run, config = finetune_steps, FinetuneConfig(n_negatives=7, **options)
        new = partial(model, n_items=19)
    whole, stopped, again = new(), new(), new()
    tell = lambda r: (r.step, r.epoch, r.loss, r.parts, r.recall, r.best, r.targets)  # noqa: E731
    expected = [tell(r) for r in run(whole, TABLE, SEQUENCES, config, seed=5)]
    state = StateFile(tmp_path / "state", every=0.0)
    for record in run(stopped, TABLE, SEQUENCES, config, seed=5, state=state):
        if record.epoch == stop_after + 1 and record.recall is None and record.step % 2:
            break
    torch.manual_seed(99)  # whatever happened in between
    rest = [tell(r) for r in run(again, TABLE, SEQUENCES, config, seed=5, state=state)]
    assert rest[0][0] == record.step + 1
    assert rest[0][1] == record.epoch
    assert rest == expected[-len(rest) :]
    assert len(rest) < len(expected)
    assert_same_weights(again, whole)


def test_the_state_is_kept_at_intervals(tmp_path):
    state = StateFile(tmp_path / "state", every=3600.0)
    list(pretrain_steps(model(), TABLE, SEQUENCES, PretrainConfig(epochs=1), state=state))
    assert not state.path.exists()
    state.write()
    assert [p.name for p in tmp_path.iterdir()] == ["state"]
    with safe_open(state.path, "pt") as file:
        counters = json.loads(file.metadata()["counters"])
    assert (counters["epoch"], counters["done"], counters["seen"]) == (1, 0, 0)


def test_a_full_disk_leaves_the_last_state(tmp_path, monkeypatch):
    state = StateFile(tmp_path / "state", every=0.0)
    records = pretrain_steps(model(), TABLE, SEQUENCES, PretrainConfig(batch_size=12), state=state)
    next(records)
    before = state.path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        UserError, match=r"No space left on device\); free disk space .*finished work is kept"
    ):
        next(records)
    assert state.path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_a_loss_that_is_not_finite_leaves_the_last_state(tmp_path):
    state, net = StateFile(tmp_path / "state", every=0.0), model()
    records = pretrain_steps(net, TABLE, SEQUENCES, PretrainConfig(batch_size=12), state=state)
    next(records)
    before = state.path.read_bytes()
    with torch.no_grad():
        net.adapt["text"].scale.fill_(torch.nan)
    with pytest.raises(UserError, match="stopped at step 2: the loss is not finite"):
        next(records)
    assert state.path.read_bytes() == before


def test_a_file_that_is_no_state_is_named(tmp_path):
    (tmp_path / "state").write_bytes(b"nothing")
    state = StateFile(tmp_path / "state")
    with pytest.raises(UserError, match=r"cannot be read .*; delete this file to start"):
        next(pretrain_steps(model(), TABLE, SEQUENCES, PretrainConfig(), state=state))
    state = StateFile(tmp_path / "other", every=0.0)
    next(pretrain_steps(model(), TABLE, SEQUENCES, PretrainConfig(), state=state))
    with pytest.raises(UserError, match="of another training"):
        next(pretrain_steps(model(dim=16), TABLE, SEQUENCES, PretrainConfig(), state=state))


def test_validation_of_some_users():
    sequences, table = big_dataset()
    net = model()
    some = [validation_recall(net, table, sequences, "cpu", users) for users in (5, 5, 21, 99)]
    assert some[0] == some[1]
    assert some[0] * 5 == round(some[0] * 5)
    assert some[2] == some[3] == validation_recall(net, table, sequences)


def test_half_precision_stays_close_to_float32():
    """bfloat16 keeps 8 bits: the first losses differ by less than 1 %, the weights by little."""
    runs = []
    for precision in ("float32", "bfloat16"):
        net = model(**NO_DROPOUT)
        config = PretrainConfig(epochs=3, batch_size=12, precision=precision)
        runs.append(([r.loss for r in pretrain_steps(net, TABLE, SEQUENCES, config)], net))
    (exact, net), (close, other) = runs
    assert exact != close
    assert close == pytest.approx(exact, rel=0.05)
    assert close[0] == pytest.approx(exact[0], rel=0.01)
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        assert one.dtype == two.dtype == torch.float32
        assert (one - two).abs().max() < 0.02


def test_pretrain_and_finetune_return_the_records_of_the_epochs():
    seen = []
    for run, config, ids in ((pretrain, PretrainConfig, 0), (finetune, FinetuneConfig, 19)):
        records = run(
            model(n_items=ids),
            TABLE,
            SEQUENCES,
            config(epochs=2, batch_size=12),
            callback=seen.append,
        )
        assert [record.epoch for record in records] == [1, 2]
        assert all(record.recall is not None for record in records)
    assert [r.step for r in seen if r.recall is None][:3] == [1, 2, 3]
    assert sum(r.recall is not None for r in seen) == 4


def test_an_interrupted_training_leaves_a_usable_model_and_state(tmp_path):
    """Ctrl-C in the middle of an epoch: the model scores, and the training can go on."""
    config = PretrainConfig(epochs=4, batch_size=12)
    whole = model()
    expected = pretrain(whole, TABLE, SEQUENCES, config, seed=2)
    net, state = model(), StateFile(tmp_path / "state", every=0.0)

    def interrupt(record):
        if record.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(net, TABLE, SEQUENCES, config, seed=2, state=state, callback=interrupt)
    assert not net.training
    histories, _ = SEQUENCES.held_out("test")
    assert torch.isfinite(ModelScorer(net, TABLE).score(histories)).all()
    again = model()
    rest = pretrain(again, TABLE, SEQUENCES, config, seed=2, state=state)
    assert [r.recall for r in rest] == [r.recall for r in expected][-len(rest) :]
    assert_same_weights(again, whole)


def test_a_training_in_plain_form_learns_the_same(monkeypatch):
    """Three epochs without dropout: the same losses up to rounding; batches hold the same rows."""
    monkeypatch.setattr("msm4sr_lite.fast.sequences.sorted", lambda rows, key: rows, raising=False)
    losses = []
    for form in (nullcontext, fast.switched_off):
        net = model(**NO_DROPOUT)
        with form():
            config = PretrainConfig(epochs=3, batch_size=12)
            losses.append([r.loss for r in pretrain_steps(net, TABLE, SEQUENCES, config)])
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_every_epoch_has_an_order_of_its_own(monkeypatch):
    """The order of the batches depends on the seed and the epoch, and on nothing else."""
    orders = []

    def spy(sequences, max_len, batch_size, generator, *options):
        orders.append(generator.initial_seed())
        return training_batches(sequences, max_len, batch_size, generator, *options)

    monkeypatch.setattr(training, "training_batches", spy)
    for seed in (0, 0, 1):
        pretrain(model(), TABLE, SEQUENCES, PretrainConfig(epochs=3), seed=seed)
    assert orders[:3] == orders[3:6]
    assert len(set(orders)) == 6
