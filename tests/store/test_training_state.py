"""A training resumes from its state file to the same weights."""

import itertools
from dataclasses import replace

import pytest
import torch
from toys import assert_same_weights, toy_sequences, toy_table

from msm4sr_lite.config import ModelConfig, PretrainConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.store.training_state import StateFile
from msm4sr_lite.training import pretrain, pretrain_steps

TABLE, SEQUENCES = toy_table([1] * 12, [1] * 12), toy_sequences([6] * 10, 12)
CONFIG = PretrainConfig(epochs=3, batch_size=8)


def new_model():
    torch.manual_seed(0)
    return M2SE(ModelConfig(feature_dim=11, dim=4, ffn_dim=4, pooling_dim=3))


@pytest.mark.parametrize("steps", [1, 5, 6, 11])
def test_a_training_stopped_at_any_step_resumes_to_the_same_weights(steps, tmp_path):
    whole, model = new_model(), new_model()
    pretrain(whole, TABLE, SEQUENCES, CONFIG)
    state = StateFile(tmp_path / "x.state", every=0)
    running = pretrain_steps(model, TABLE, SEQUENCES, CONFIG, state=state)
    list(itertools.islice(running, steps))
    running.close()
    resumed = new_model()
    records = pretrain(resumed, TABLE, SEQUENCES, CONFIG, state=StateFile(tmp_path / "x.state"))
    assert records[-1].epoch == 3
    assert_same_weights(resumed, whole)


def test_it_is_written_when_time_has_passed_or_when_asked(tmp_path):
    state = StateFile(tmp_path / "x.state", every=3600)
    state.write()  # nothing to write yet
    steps = pretrain_steps(new_model(), TABLE, SEQUENCES, CONFIG, state=state)
    next(steps)
    assert not state.path.exists()
    state.write()
    assert state.path.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x.state"]


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    state = StateFile(tmp_path / "x.state", every=0)
    next(pretrain_steps(new_model(), TABLE, SEQUENCES, CONFIG, state=state))
    assert not state.path.exists()


def test_another_file_or_the_state_of_another_model_is_refused(tmp_path):
    state = StateFile(tmp_path / "x.state", every=0)
    state.path.write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"x.state: not the state of this training .*; delete it"):
        pretrain(new_model(), TABLE, SEQUENCES, CONFIG, state=state)
    state.path.unlink()
    next(pretrain_steps(new_model(), TABLE, SEQUENCES, CONFIG, state=state))
    other = M2SE(replace(new_model().config, dim=8))
    with pytest.raises(UserError, match="not the state of this training") as error:
        pretrain(other, TABLE, SEQUENCES, CONFIG, state=state)
    assert "\n" not in str(error.value)


def test_a_full_disk_keeps_the_state_before_it(tmp_path, monkeypatch):
    state = StateFile(tmp_path / "x.state", every=0)
    steps = pretrain_steps(new_model(), TABLE, SEQUENCES, CONFIG, state=state)
    next(steps)
    before = state.path.read_bytes()

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("msm4sr_lite.store.training_state.write_bytes", full)
    message = r"cannot be written \(No space left on device\); the state before it is kept"
    with pytest.raises(UserError, match=message):
        next(steps)
    assert state.path.read_bytes() == before
