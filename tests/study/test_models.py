"""The compared models: grids, needs, how they are fitted."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from msm4sr_lite import training
from msm4sr_lite.baselines import ItemKNN
from msm4sr_lite.config import Config, with_settings
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.study import models
from msm4sr_lite.study.models import MODELS, EnsembleSpec, ModelSpec, grid, missing_needs
from tests.tiny_study import ONE, SHORT, TINY, ConstantScorer
from tests.toys import toy_table


def test_every_model_has_at_most_four_points_and_only_known_settings(data):
    for name, spec in MODELS.items():
        assert 1 <= len(spec.grid) <= 4, name
        assert len({json.dumps(point) for point in spec.grid}) == len(spec.grid)
        assert "0x" not in repr(spec), name  # names a run, so no address in it
        if spec.is_trained:
            for point in spec.grid:
                config = spec.config(data, point)
                assert isinstance(spec, EnsembleSpec) or (
                    config != PRESETS[spec.preset] or name == "msm4sr"
                )


def test_a_model_that_needs_images_cannot_run_without_images(data):
    textual = replace(data, table=toy_table([1] * 19, [0] * 19))
    found = [name for name, spec in MODELS.items() if not missing_needs(spec, textual)]
    assert missing_needs(MODELS["text+image"], textual) == ["the dataset has no image"]
    assert "image" not in found
    assert "text+image" not in found
    assert {"text", "msm4sr", "tfidf_knn", "sasrec"} <= set(found)


@pytest.mark.parametrize("name", [name for name, one in MODELS.items() if one.is_trained])
def test_every_trained_model_trains_and_ranks(name, data, tmp_path):
    spec = MODELS[name]
    for point in spec.grid[1:3]:
        settings = {**SHORT.budget.settings(), **TINY, **point}
        scorer = spec.fit(data, settings, 1, tmp_path)
        scores = scorer.score([np.array([1, 2]), np.array([3])])
        assert scores.shape == (2, 20)
        assert torch.isfinite(scores).all()
        assert scores[0, 1:].std() > 0


def test_a_model_that_needs_scikit_learn_names_the_extra(data, monkeypatch):
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    (reason,) = missing_needs(MODELS["tfidf_knn"], data)
    assert 'pip install "msm4sr_lite[course]"' in reason
    assert not missing_needs(MODELS["item_knn"], data)


def test_a_grid_holds_every_combination():
    assert grid(a__b=[1, 2]) == [{"a.b": 1}, {"a.b": 2}]


def test_an_ensemble_adds_scaled_scores_and_trains_its_model_once(data, tmp_path, monkeypatch):
    made = []

    def fit(self, data, settings, seed, states):
        made.append(seed)
        return ConstantScorer(9.0, *torch.linspace(-1, 1, 19).tolist())

    monkeypatch.setattr(ModelSpec, "fit", fit)
    both, histories = EnsembleSpec(preset="tuned"), [np.array([1, 2]), np.array([5])]
    found = {
        weight: both.fit(data, {"decay": 0.5, "weight": weight}, 3, tmp_path).score(histories)
        for weight in (0.0, 2.0)
    }
    assert made == [3]
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
        options = {"seed": 1, "device": "cpu"}
        asked = [
            pool.submit(models.pretrained, data, config, tmp_path / "states", **options)
            for _ in range(2)
        ]
        first, second = (one.result().state_dict() for one in asked)
    assert made == [1]
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_model_can_be_pre_trained_on_another_source(data, tmp_path, monkeypatch):
    seen = []

    def spy(stage):
        plain = getattr(training, stage)

        def wrapped(model, table, sequences, *rest, **options):
            seen.append((stage, sequences.n_items, len(sequences.users)))
            return plain(model, table, sequences, *rest, **options)

        monkeypatch.setattr(training, stage, wrapped)

    spy("pretrain")
    spy("finetune")
    settings = {**SHORT.budget.settings(), **TINY}
    both = replace(data, source=ONE)
    assert both.made_from[0] == data.made_from[0]
    assert len(both.made_from) == 2  # results depend on the source, too
    for spec in (ModelSpec(on_source=True), ModelSpec()):
        scorer = spec.fit(both, settings, 1, tmp_path)
        assert scorer.score([np.array([1, 2])]).shape == (1, 20)
    here = (19, 6)
    assert seen == [
        ("pretrain", 9, 3), ("finetune", *here), ("pretrain", *here), ("finetune", *here)
    ]  # fmt: skip
