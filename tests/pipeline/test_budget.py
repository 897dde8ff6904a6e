"""The time budget of a fit, and the estimate of how long it takes."""

import json

import pytest
import torch
from small_dataset import fitted

from msm4sr_lite import UserError
from msm4sr_lite.config import Config, with_settings
from msm4sr_lite.pipeline import budget
from msm4sr_lite.pipeline.budget import check_budget, print_estimate
from msm4sr_lite.pipeline.ensemble import NETWORKS, part_configs
from msm4sr_lite.pipeline.stages import Stage, TrainingData

STAGES = {"pretrain.epochs": 40, "finetune.epochs": 20}


@pytest.mark.parametrize("seconds", ["60", -1, 0, float("nan"), True])
def test_a_time_budget_that_is_none_is_refused(seconds):
    with pytest.raises(UserError, match="time_budget must be a number > 0"):
        fitted(time_budget=seconds)


def test_a_time_budget_keeps_the_best_settings(tmp_path):
    model = fitted(run_dir=tmp_path, time_budget=3)
    assert len(list((tmp_path / "tuning").iterdir())) >= 1
    record = json.loads((tmp_path / "finetuned" / "record.json").read_text())
    assert record["config"]["finetune"] == json.loads(
        json.dumps(vars(model._model.config.finetune))
    )


def test_a_time_budget_needs_a_validation_part():
    check_budget(None, None)
    check_budget(60, "leave_one_out")
    with pytest.raises(UserError, match="needs a validation part"):
        check_budget(60, None)


@pytest.mark.parametrize(("seconds", "said"), [(1.9, ""), (2.0, "at most 1 min"), (60, "30 min")])
def test_an_estimate_is_printed_from_a_minute_on(seconds, said, capsys, monkeypatch):
    monkeypatch.setattr(budget, "seconds_per_epoch", lambda *_: seconds)
    config = with_settings(Config(), {"pretrain.epochs": 10, "finetune.epochs": 20})
    print_estimate(None, config, Stage(), has_ensemble=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert bool(err) == bool(said)
    assert said in err


def test_an_estimate_includes_the_parts_of_an_ensemble(capsys, monkeypatch):
    asked, model = [], fitted()

    def seconds(data, config, settings, device, kind):
        asked.append((kind.__name__, config.model.modalities))
        return 10

    monkeypatch.setattr(budget, "seconds_per_epoch", seconds)
    data = TrainingData(model._sequences, model._model.table)
    print_estimate(data, with_settings(model._model.config, STAGES), Stage(), has_ensemble=True)
    said = capsys.readouterr().err.partition("estimate: ")[2]
    assert [part.split(" 10 s")[0] for part in said.split("; ")[:-1]] == [
        "pre-training",
        "fine-tuning",
        "ensemble part ids",
        "ensemble part text",
        "ensemble part image",
    ]
    assert "at most 20 min" in said  # 40 epochs of pre-training, four times 20
    assert asked[2:] == [("SASRec", "text"), ("M2SE", "text"), ("M2SE", "image")]


def test_the_time_of_an_epoch_is_measured_for_every_kind_of_model():
    model = fitted()
    data = TrainingData(model._sequences, model._model.table)
    state = torch.random.get_rng_state()
    for kind, config in part_configs(data, model._model.config).items():
        found = budget.seconds_per_epoch(data, config, config.finetune, "cpu", NETWORKS[kind])
        assert 0 < found < 60
    assert torch.random.get_rng_state().equal(state)
