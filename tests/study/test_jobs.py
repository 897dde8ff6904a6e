"""Runs at the same time."""

import os
from dataclasses import dataclass

import pytest

from msm4sr_lite.baselines import ItemKNN
from msm4sr_lite.config import UserError
from msm4sr_lite.study.compare import Comparison
from msm4sr_lite.study.models import ModelSpec
from msm4sr_lite.study.trainers import ModelTrainer
from tests.tiny_study import SHORT, TINY


@dataclass(frozen=True)
class Leaf:
    """A model's ``make`` that leaves the number of its process behind."""

    def __call__(self, data, settings, seed, states):
        states.mkdir(parents=True, exist_ok=True)
        (states / f"{settings['decay']}-{seed}.txt").write_text(str(os.getpid()))
        if settings["decay"] > 1:
            raise UserError("decay must be at most 1")
        return ItemKNN(data.sequences, settings["decay"])


def test_runs_made_at_once_are_those_made_one_after_another(data, tmp_path):
    points = [{"decay": 0.5}, {"decay": 0.9}]
    specs = {
        "leaf": ModelSpec(points, Leaf(), is_trained=True),
        "text": ModelSpec(
            [{"finetune.lr": 1e-3}, {"finetune.lr": 3e-4}],
            ModelTrainer(settings=TINY | {"model.modalities": "text"}),
            is_trained=True,
        ),
    }
    found = {}
    for jobs in (1, 2):
        study = Comparison(data, tmp_path / str(jobs), SHORT, specs, jobs)
        chosen = study.tune(list(specs))
        runs = study.test(list(specs), chosen, [1, 2])
        found[jobs] = chosen, [[run["filter_seen"] for run in runs[name]] for name in specs]
    assert found[1] == found[2]

    def processes(jobs):
        return {file.read_text() for file in (tmp_path / str(jobs) / "states").glob("*.txt")}

    assert processes(1) == {str(os.getpid())}
    assert str(os.getpid()) not in processes(2)

    broken = {"leaf": ModelSpec([{"decay": 2}, {"decay": 3}], Leaf(), is_trained=True)}
    with pytest.raises(UserError, match="decay must be at most 1"):
        Comparison(data, tmp_path / "broken", SHORT, broken, 2).tune(["leaf"])
