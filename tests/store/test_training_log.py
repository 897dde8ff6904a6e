"""The log of a training: a line per epoch, a summary, and an orderly stop."""

import json
import math
import os
import signal

import pytest

from msm4sr_lite.config import PretrainConfig, UserError
from msm4sr_lite.store.training_log import TrainingLog, read_log
from msm4sr_lite.training import Record

CONFIG = PretrainConfig(epochs=3, batch_size=64)


class FakeState:
    written = 0

    def write(self):
        self.written += 1


def step(epoch, number, loss=1.0):
    return Record(number, epoch, loss, {"nip": loss / 2}, 10, float(number))


def epoch_end(epoch, recall, best):
    return Record(2 * epoch, epoch, 1.5, {}, 20, 2.0 * epoch, recall, best)


def follow(log, epochs):
    for epoch, (recall, best) in epochs.items():
        log(step(epoch, 2 * epoch - 1, 1.0))
        log(step(epoch, 2 * epoch, 2.0))
        log(epoch_end(epoch, recall, best))


def test_an_epoch_is_a_line_with_the_mean_parts_of_its_loss(tmp_path, capsys):
    path = tmp_path / "log.jsonl"
    with TrainingLog("pretrained", CONFIG, 20, path) as log:
        follow(log, {1: (0.25, True), 2: (0.125, False)})
    first, second = read_log(path)
    assert first == {
        "epoch": 1,
        "step": 2,
        "loss": 1.5,
        "parts": {"nip": 0.75},
        "recall@20": 0.25,
        "best": True,
        "targets": 20,
        "seconds": 2.0,
    }
    assert (second["epoch"], second["best"]) == (2, False)
    assert log.summary() == {"best": first, "epochs": 2, "seconds": 4.0}
    expected = "pretrained: best epoch 1 of 2, validation Recall@20 0.2500, 4 s\n"
    assert capsys.readouterr().err.endswith(expected)


def test_a_resumed_training_continues_its_log(tmp_path):
    path = tmp_path / "log.jsonl"
    with TrainingLog("x", CONFIG, 20, path) as log:
        follow(log, {1: (0.1, True), 2: (0.2, True)})
    with TrainingLog("x", CONFIG, 20, path) as log:  # the state was written within epoch 2
        log(step(2, 4))
        log(epoch_end(2, 0.2, True))
    assert [line["epoch"] for line in read_log(path)] == [1, 2]
    with TrainingLog("x", CONFIG, 20, path) as log:  # stopped after its last epoch
        pass
    assert log.summary()["epochs"] == 2


def test_without_validation_there_is_no_recall(tmp_path, capsys):
    with TrainingLog("x", CONFIG, 20, tmp_path / "log.jsonl") as log:
        follow(log, {1: (math.nan, True)})
    assert json.loads((tmp_path / "log.jsonl").read_text())["recall@20"] is None
    log.summary()
    assert capsys.readouterr().err.endswith("x: best epoch 1 of 1, 2 s\n")


def test_no_epoch_no_summary():
    with TrainingLog("x", CONFIG, 20) as log:
        pass
    assert log.summary() == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_takes_effect_after_the_step_and_keeps_the_state(number):
    state, before = FakeState(), signal.getsignal(number)

    def train():
        with TrainingLog("x", CONFIG, 20, state=state) as log:
            log(step(1, 1))
            os.kill(os.getpid(), number)
            assert state.written == 0  # the step in progress is finished first
            log(step(1, 2))

    with pytest.raises(KeyboardInterrupt):
        train()
    assert state.written == 1
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_stops_at_once():
    state = FakeState()

    def train():
        with TrainingLog("x", CONFIG, 20, state=state):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the second Ctrl-C was ignored")

    with pytest.raises(KeyboardInterrupt):
        train()
    assert state.written == 0


def test_the_end_of_another_process_keeps_the_state():
    state = FakeState()
    with pytest.raises(RuntimeError), TrainingLog("x", CONFIG, 20, state=state):
        raise RuntimeError("connection closed by peer")
    assert state.written == 1


def test_a_batch_too_large_for_the_dataset_is_noted(capsys):
    with TrainingLog("x", PretrainConfig(batch_size=1024), 900):
        pass
    expected = "x: batch_size=1024 gives 1 steps per epoch; a dataset of this size may train better"
    assert f"{expected} with batch_size=64\n" in capsys.readouterr().err


def test_a_damaged_log_is_named(tmp_path):
    assert read_log(tmp_path / "none.jsonl") == []
    (tmp_path / "log.jsonl").write_text('{"epoch": 1}\n{"epo')
    with pytest.raises(UserError, match=r"log.jsonl: cannot be read .*; delete it"):
        read_log(tmp_path / "log.jsonl")
