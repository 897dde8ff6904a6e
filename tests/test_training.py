"""Pre-training, fine-tuning, checkpoints."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from msm4sr_lite import training
from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import ModelScorer, target_ranks
from msm4sr_lite.sequences import training_batches
from msm4sr_lite.training import (
    finetuning_loss,
    load_checkpoint,
    pretrain,
    pretraining_loss,
    save_checkpoint,
    validation_recall,
)
from tests.toys import assert_same_weights, toy_sequences, toy_table

SEQUENCES = toy_sequences([5, 7, 6, 9, 8, 5, 6], n_items=19)
TABLE = toy_table([2, 1, 3] * 6 + [0], [1, 1, 0] * 6 + [2])
CONFIG = ModelConfig(feature_dim=11, dim=14, ffn_dim=17, max_len=5, experts=3, pooling_dim=5)
NO_DROPOUT = dict.fromkeys(("hidden_dropout", "attention_dropout", "adapter_dropout"), 0.0)


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
            loss, _ = finetuning_loss(net, TABLE, batch(), FinetuneConfig())
        loss.backward()
        silent = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
        # The softmax over slots does not change when all energies rise alike: biases are free.
        assert all(name.endswith(("inner.bias", "outer.bias")) for name in silent)


def test_training_is_reproducible_and_lowers_the_loss():
    runs = []
    for _ in range(2):
        net = model()
        records = list(
            pretrain(net, TABLE, SEQUENCES, PretrainConfig(epochs=30, patience=99), seed=3)
        )
        runs.append((net, [r.loss for r in records], [r.recall for r in records]))
    assert runs[0][1:] == runs[1][1:]
    assert_same_weights(runs[0][0], runs[1][0])
    assert np.mean(runs[0][1][-6:]) < np.mean(runs[0][1][:6])


def big_shop():
    """So many items that Recall@20 says something."""
    return toy_sequences([5, 7, 6, 9, 8, 5, 6] * 3, n_items=90), toy_table([2, 1, 3] * 30, [1] * 90)


def test_the_last_purchases_play_no_part():
    """They are for the test alone: whatever they are, training and validation stay the same."""
    sequences, table = big_shop()
    events = sequences.events.copy()
    last = sequences.offsets[1:] - 1
    events[last] = events[last] % 90 + 1
    runs = [
        [(r.loss, r.recall) for r in pretrain(model(), table, s, PretrainConfig(epochs=3), seed=0)]
        for s in (sequences, replace(sequences, events=events))
    ]
    assert runs[0] == runs[1]
    for part, equal in (("valid", True), ("test", False)):
        targets = [
            s.held_out(part)[1].tolist() for s in (sequences, replace(sequences, events=events))
        ]
        assert (targets[0] == targets[1]) == equal


def test_validation_ranks_the_last_item_but_one():
    sequences, table = big_shop()
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
    records = list(pretrain(net, TABLE, SEQUENCES, PretrainConfig(epochs=6)))
    assert [r.best for r in records if r.recall is not None] == [1, 1, 0, 1, 0, 0]
    assert_same_weights(net, weights[3])
    assert not torch.equal(weights[3].transformer.norm.weight, weights[5].transformer.norm.weight)
    assert not net.training


def test_a_loss_that_is_not_finite_stops_and_names_the_step():
    net = model()
    with torch.no_grad():
        net.adapt["text"].scale.fill_(torch.inf)
    with pytest.raises(UserError, match=r"stopped at step 1: .*nip_text.*learning rate 0.001"):
        list(pretrain(net, TABLE, SEQUENCES, PretrainConfig(epochs=1)))


def test_checkpoint_gives_the_same_scores_to_the_last_bit(tmp_path):
    net = model(n_items=19)
    histories, _ = SEQUENCES.held_out("test")
    before = ModelScorer(net, TABLE).scores(histories)
    save_checkpoint(net, tmp_path / "model", SEQUENCES.items, {"note": 1})
    loaded, items = load_checkpoint(tmp_path / "model")
    assert items == SEQUENCES.items
    assert loaded.config == net.config
    assert torch.equal(ModelScorer(loaded, TABLE).scores(histories), before)
    assert json.loads((tmp_path / "model/record.json").read_text()) == {"note": 1}
    assert not [p for p in tmp_path.iterdir() if p.name != "model"]


def test_a_broken_checkpoint_is_one_line(tmp_path):
    with pytest.raises(UserError, match="nothing: not a model folder"):
        load_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize("stop_after", [1, 4])
def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch, stop_after):
    monkeypatch.setattr(training, "STATE_SECONDS", 0.0)
    config, state = PretrainConfig(epochs=6, batch_size=12), tmp_path / "state"
    whole, stopped = model(), model()
    expected = [
        (r.step, r.loss, r.recall) for r in pretrain(whole, TABLE, SEQUENCES, config, seed=5)
    ]
    for record in pretrain(stopped, TABLE, SEQUENCES, config, seed=5, state=state):
        if record.epoch == stop_after + 1:
            break  # in the middle of the next epoch
    again = model()
    torch.manual_seed(99)  # whatever happened in between
    rest = [
        (r.step, r.loss, r.recall)
        for r in pretrain(again, TABLE, SEQUENCES, config, seed=5, state=state)
    ]
    assert rest == expected[-len(rest) :]
    assert len(rest) < len(expected)
    assert_same_weights(again, whole)
