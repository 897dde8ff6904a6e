"""How the compared models are fitted."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from msm4sr_lite import training
from msm4sr_lite.baselines import ItemKNN
from msm4sr_lite.config import PRESETS, Config, with_settings
from msm4sr_lite.study.models import MODELS
from msm4sr_lite.study.trainers import EnsembleTrainer, pretrained
from tests.tiny_study import SHORT, TINY, ConstantScorer, study_data_with_whole


def test_an_ensemble_adds_scaled_scores_and_trains_its_model_once(data, tmp_path, monkeypatch):
    made = []

    class Fake:
        def config(self, data, settings):
            made.append(settings)
            return PRESETS["tuned"]

        def __call__(self, data, settings, seed, states):
            made.append(seed)
            return ConstantScorer(9.0, *torch.linspace(-1, 1, 19).tolist())

    both, histories = EnsembleTrainer(Fake()), [np.array([1, 2]), np.array([5])]
    found = {
        weight: both(data, {"decay": 0.5, "weight": weight, "x.y": 1}, 3, tmp_path).score(histories)
        for weight in (0.0, 2.0)
    }
    assert made == [{"x.y": 1}, 3, {"x.y": 1}]
    counts = ItemKNN(data.sequences, 0.5).score(histories)
    counts = counts / counts.amax(dim=1, keepdim=True)
    torch.testing.assert_close(found[0.0], counts)
    likely = (torch.linspace(-1, 1, 19).double() / PRESETS["tuned"].finetune.temperature).softmax(0)
    torch.testing.assert_close(
        (found[2.0] - counts)[:, 1:], (2 * likely / likely.max()).expand(2, -1), atol=1e-6, rtol=0
    )
    assert (found[2.0] - counts)[:, 0].tolist() == [0, 0]  # padding is not likely


def test_two_processes_that_need_the_same_pre_trained_model_train_it_once(
    data, tmp_path, monkeypatch
):
    made = []

    def slow(*args, **options):
        made.append(options["seed"])
        time.sleep(0.3)
        return iter(())

    monkeypatch.setattr("msm4sr_lite.training.pretrain", slow)
    config = with_settings(Config(), TINY | {"model.feature_dim": data.table.width})
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(pretrained, data, config, 1, tmp_path / "states") for _ in range(2)]
        first, second = (one.result().state_dict() for one in asked)
    assert made == [1]
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_whole_dataset_is_pre_trained_on_and_the_core_fine_tuned_on(tmp_path, monkeypatch):
    data, seen = study_data_with_whole(), []

    def spy(stage):
        plain = getattr(training, stage)

        def wrapped(model, table, sequences, *rest, **options):
            seen.append((stage, table.items[1:], sequences.users))
            return plain(model, table, sequences, *rest, **options)

        monkeypatch.setattr(training, stage, wrapped)

    spy("pretrain")
    spy("finetune")
    spec = MODELS["msm4sr_tuned+whole"]
    settings = {**SHORT.settings(), **TINY}
    scorer = spec.fit(data, settings, 1, tmp_path)
    assert scorer.score([np.array([1, 2])]).shape == (1, 9)
    assert [stage for stage, *_ in seen] == ["pretrain", "finetune"]
    assert seen[0][1:] == (list("abcdefghuvwxyz"), [*(f"u{n}" for n in range(8)), "few", "out"])
    assert seen[1][1:] == (list("abcdefgh"), [f"u{n}" for n in range(8)])
