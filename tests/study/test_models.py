"""The compared models: grids, needs, training."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from msm4sr_lite.config import PRESETS
from msm4sr_lite.study import models
from msm4sr_lite.study.data import StudyData
from msm4sr_lite.study.models import MODELS, grid, missing_needs
from msm4sr_lite.study.trainers import EnsembleTrainer
from tests.tiny_study import SHORT, TINY
from tests.toys import toy_table


def test_every_model_has_at_most_four_points_and_only_known_settings(data):
    for name, spec in MODELS.items():
        assert 1 <= len(spec.grid) <= 4, name
        assert len({json.dumps(point) for point in spec.grid}) == len(spec.grid)
        assert "0x" not in repr(spec.fit), name  # names a run, so no address in it
        if spec.is_trained:
            for point in spec.grid:
                config = spec.fit.config(data, point)
                assert isinstance(spec.fit, EnsembleTrainer) or (
                    config != PRESETS[spec.fit.preset] or name == "msm4sr"
                )


def test_a_model_that_needs_images_cannot_run_without_images(data):
    textual = StudyData(data.dataset, data.sequences, toy_table([1] * 19, [0] * 19))
    found = [name for name, spec in MODELS.items() if not missing_needs(spec, textual)]
    assert missing_needs(MODELS["text+image"], textual) == ["the dataset has no image"]
    assert "image" not in found
    assert "text+image" not in found
    assert {"text", "msm4sr", "tfidf_knn", "sasrec"} <= set(found)


@pytest.mark.parametrize("name", [name for name, one in MODELS.items() if one.is_trained])
def test_every_trained_model_trains_and_ranks(name, data, tmp_path):
    spec = MODELS[name]
    data = replace(data, whole=data)
    for point in spec.grid[1:3]:
        settings = {**SHORT.settings(), **TINY, **point}
        scorer = spec.fit(data, settings, 1, tmp_path)
        scores = scorer.score([np.array([1, 2]), np.array([3])])
        assert scores.shape == (2, 20)
        assert torch.isfinite(scores).all()
        assert scores[0, 1:].std() > 0


def test_a_model_that_needs_scikit_learn_names_the_extra(data, monkeypatch):
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    (reason,) = missing_needs(MODELS["tfidf_knn"], data)
    assert "pip install 'msm4sr_lite[course]'" in reason
    assert not missing_needs(MODELS["item_knn"], data)


def test_a_grid_holds_every_combination():
    assert grid(a__b=[1, 2]) == [{"a.b": 1}, {"a.b": 2}]
