"""A training resumes from its state file to the same weights; its log has a line per epoch."""

import itertools
import json
import math
import os
import signal
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from toys import assert_same_weights, toy_sequences, toy_table

from msm4sr_lite.config import ModelConfig, PretrainConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.store.training_files import SIGNALS, StateFile, TrainingLog, checksum_of, read_log
from msm4sr_lite.training import Record, pretrain, pretrain_steps

TABLE, SEQUENCES = toy_table([1] * 12, [1] * 12), toy_sequences([6] * 10, 12)
TRAINING = PretrainConfig(epochs=3, batch_size=8)


def new_model():
    torch.manual_seed(0)
    return M2SE(ModelConfig(feature_dim=11, dim=4, ffn_dim=4, pooling_dim=3))


@pytest.mark.parametrize("steps", [1, 5, 6, 11])
def test_a_training_stopped_at_any_step_resumes_to_the_same_weights(steps, tmp_path):
    whole, model = new_model(), new_model()
    pretrain(whole, TABLE, SEQUENCES, TRAINING)
    state = StateFile(tmp_path / "x.state", every=0)
    running = pretrain_steps(model, TABLE, SEQUENCES, TRAINING, state=state)
    list(itertools.islice(running, steps))
    running.close()
    resumed = new_model()
    records = pretrain(resumed, TABLE, SEQUENCES, TRAINING, state=StateFile(tmp_path / "x.state"))
    assert records[-1].epoch == 3
    assert_same_weights(resumed, whole)


def test_it_is_written_when_time_has_passed_or_when_asked(tmp_path):
    state = StateFile(tmp_path / "x.state", every=3600)
    state.write()  # nothing to write yet
    steps = pretrain_steps(new_model(), TABLE, SEQUENCES, TRAINING, state=state)
    next(steps)
    assert not state.path.exists()
    state.write()
    assert state.path.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x.state"]


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    state = StateFile(tmp_path / "x.state", every=0)
    next(pretrain_steps(new_model(), TABLE, SEQUENCES, TRAINING, state=state))
    assert not state.path.exists()


def test_another_file_or_the_state_of_another_model_is_refused(tmp_path):
    state = StateFile(tmp_path / "x.state", every=0)
    state.path.write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"x.state: cannot be read .*; delete this file"):
        pretrain(new_model(), TABLE, SEQUENCES, TRAINING, state=state)
    state.path.unlink()
    next(pretrain_steps(new_model(), TABLE, SEQUENCES, TRAINING, state=state))
    other = M2SE(replace(new_model().config, dim=8))
    with pytest.raises(UserError, match=r"x.state: of another training") as error:
        pretrain(other, TABLE, SEQUENCES, TRAINING, state=state)
    assert "\n" not in str(error.value)


def test_a_full_disk_keeps_the_state_before_it(tmp_path, monkeypatch):
    state = StateFile(tmp_path / "x.state", every=0)
    steps = pretrain_steps(new_model(), TABLE, SEQUENCES, TRAINING, state=state)
    next(steps)
    before = state.path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    message = (
        r"cannot be written \(No space left on device\); free disk space .*finished work is kept"
    )
    with pytest.raises(UserError, match=message):
        next(steps)
    assert state.path.read_bytes() == before


# ----------------------------------------------------------------------------- the log

CONFIG = PretrainConfig(epochs=3, batch_size=64)


class FakeState:
    def __init__(self):
        self.written, self.log = 0, []

    def write(self):
        self.written += 1


def step(epoch, number, loss=1.0):
    return Record(number, epoch, loss, {"nip": loss / 2}, 10, float(number))


def epoch_end(epoch, recall, best):
    return Record(2 * epoch, epoch, 1.5, {"nip": 0.75}, 20, 2.0 * epoch, recall, best)


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


@pytest.mark.parametrize("steps", [1, 2, 5, 7, 8, 11])
def test_a_resumed_training_continues_its_log(steps, tmp_path):
    """Losses and their parts are those of a training that was never stopped."""
    lines = []
    for name, stop in (("whole", None), ("stopped", steps), ("stopped", None)):
        path, state = tmp_path / f"{name}.jsonl", StateFile(tmp_path / f"{name}.state", every=0)
        model = new_model()
        with TrainingLog(name, TRAINING, 50, path, state) as log:
            training = pretrain_steps(model, TABLE, SEQUENCES, TRAINING, state=state)
            for record in itertools.islice(training, stop):
                log(record)
        state.write()
        lines.append([{**line, "seconds": 0} for line in read_log(path)])
    assert lines[2] == lines[0]
    assert len(lines[0]) == 3
    with TrainingLog("x", TRAINING, 50, path, state) as log:  # stopped before it was saved
        assert pretrain(new_model(), TABLE, SEQUENCES, TRAINING, state=state) == []
    assert log.summary()["epochs"] == 3


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


@pytest.mark.parametrize("number", SIGNALS)
def test_a_stop_takes_effect_after_the_step_and_keeps_the_state(number):
    state, inherited = FakeState(), signal.getsignal(number)
    before = signal.default_int_handler
    signal.signal(number, before)  # under nohup, SIGHUP would be ignored

    def train():
        with TrainingLog("x", CONFIG, 20, state=state) as log:
            log(step(1, 1))
            os.kill(os.getpid(), number)
            assert state.written == 0  # the step in progress is finished first
            log(step(1, 2))

    try:
        with pytest.raises(KeyboardInterrupt):
            train()
        assert state.written == 1
        assert signal.getsignal(number) is before
    finally:
        signal.signal(number, inherited)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP, which Windows lacks")
def test_a_run_under_nohup_survives_the_end_of_the_terminal(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with TrainingLog("x", CONFIG, 20) as log:
            os.kill(os.getpid(), signal.SIGHUP)
            log(step(1, 1))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not log.stop_asked


def test_a_second_ctrl_c_stops_at_once():
    state = FakeState()

    def train():
        with TrainingLog("x", CONFIG, 20, state=state):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the second Ctrl-C was ignored")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored under nohup
    try:
        with pytest.raises(KeyboardInterrupt):
            train()
    finally:
        signal.signal(signal.SIGINT, before)
    assert state.written == 0


def test_the_end_of_another_process_keeps_the_state():
    state = FakeState()
    with pytest.raises(RuntimeError), TrainingLog("x", CONFIG, 20, state=state):
        raise RuntimeError("connection closed by peer")
    assert state.written == 1


def test_a_batch_too_large_for_the_dataset_is_noted(capsys):
    with TrainingLog("x", PretrainConfig(batch_size=1024), 900):
        pass
    expected = "x: batch_size=1024: 1 step per epoch; a dataset of this size may train better"
    assert f"{expected} with batch_size=64\n" in capsys.readouterr().err


LINE = {"epoch": 1, "step": 7, "loss": 1.5, "parts": {}, "recall@20": None}
LINE |= {"best": True, "targets": 20, "seconds": 2.0}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"epoch": 1}\n{"epo', "step: Field required"),
        (json.dumps(LINE) + "\n[]\n", "Input should be an object"),
        (json.dumps({**LINE, "loss": "1.5"}), "loss: Input should be a valid number"),
        (json.dumps({**LINE, "loss": math.nan}), "loss: Input should be a finite number"),
        (json.dumps({**LINE, "best": None}), "best: Input should be a valid boolean"),
        (json.dumps({**LINE, "epoch": 2}), "the epochs are not numbered"),
        ("[" * 900, "Invalid JSON: recursion limit exceeded"),
    ],
)
def test_a_damaged_log_is_named(text, reason, tmp_path):
    assert read_log(tmp_path / "none.jsonl") == []
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(UserError, match=rf"log.jsonl: cannot be read \({reason}.*; delete this"):
        read_log(tmp_path / "log.jsonl")


# --------------------------------------------------------------------------- damaged states


@pytest.fixture
def state(tmp_path):
    """Return a state after five steps."""
    state = StateFile(tmp_path / "x.state", every=0)
    list(itertools.islice(pretrain_steps(new_model(), TABLE, SEQUENCES, TRAINING, state=state), 5))
    return state.path


def test_a_state_of_which_one_bit_has_flipped_is_refused(state):
    content = bytearray(state.read_bytes())
    content[-3] ^= 16
    state.write_bytes(content)
    with pytest.raises(UserError, match="it has changed since it was written"):
        pretrain(new_model(), TABLE, SEQUENCES, TRAINING, state=StateFile(state))


def test_a_state_of_nan_or_without_a_checksum_is_refused(state):
    with safe_open(state, "pt") as file:
        tensors = {name: file.get_tensor(name) * math.nan for name in file.keys()}  # noqa: SIM118
        counters = file.metadata()["counters"]
    for told, reason in (
        ({"checksum": checksum_of(tensors, counters)}, "not finite"),
        ({}, "it has changed since it was written"),
    ):
        state.write_bytes(save(tensors, {"counters": counters, **told}))
        with pytest.raises(UserError, match=rf"x\.state.*{reason}"):
            pretrain(new_model(), TABLE, SEQUENCES, TRAINING, state=StateFile(state))


def test_a_folder_in_the_place_of_a_state_is_refused(tmp_path):
    (tmp_path / "x.state").mkdir()
    with pytest.raises(UserError, match="not a file"):
        pretrain(new_model(), TABLE, SEQUENCES, TRAINING, state=StateFile(tmp_path / "x.state"))
