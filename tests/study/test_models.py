"""The compared models: grids, and what they need."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from msm4sr_lite.presets import PRESETS
from msm4sr_lite.study import models
from msm4sr_lite.study.models import MODELS, missing_needs
from msm4sr_lite.study.specs import EnsembleSpec
from tests.tiny_study import SHORT, TINY
from tests.toys import toy_table


def test_every_model_has_at_most_four_points_and_only_known_settings(data):
    for name, spec in MODELS.items():
        assert 1 <= len(spec.grid) <= 4, name
        assert len({json.dumps(point) for point in spec.grid}) == len(spec.grid)
        assert "0x" not in repr(spec), name  # names a run, so no address in it
        if spec.is_trained:
            for point in spec.grid:
                if not isinstance(spec, EnsembleSpec):
                    config = spec.config(data, point)
                    assert config != PRESETS[spec.preset] or name == "msm4sr"


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


def test_ids_are_enough_for_some_models(data):
    bare = replace(data, table=toy_table([0] * 19, [0] * 19))
    found = {name for name, spec in MODELS.items() if not missing_needs(spec, bare)}
    ids = {"popularity", "item_knn", "ease", "sequential_rules", "sasrec", "sasrec_sampled"}
    ids |= {"esasrec", "ids_ensemble"}
    assert found == ids
    assert missing_needs(MODELS["msm4sr"], bare) == ["the dataset has neither text nor image"]


def test_an_exact_softmax_has_a_name_of_its_own_where_the_default_is_sampled(data, monkeypatch):
    reason = "sasrec has an exact softmax, too"
    assert missing_needs(MODELS["sasrec_exact"], data) == [reason]
    monkeypatch.setattr(models, "MANY_CLASSES", 18)
    assert missing_needs(MODELS["sasrec_exact"], data) == []
    negatives = {
        name: MODELS[name].config(data, {}).finetune.n_negatives
        for name in MODELS
        if name.startswith("sasrec")
    }
    assert negatives == {"sasrec": -1, "sasrec_exact": 0, "sasrec_sampled": 256}


def test_models_of_all_pairs_of_items_are_left_out_where_memory_is_short(data, monkeypatch):
    assert missing_needs(MODELS["ids_ensemble"], data) == []
    monkeypatch.setattr(models, "fits_memory", lambda size: False)
    for name in ("ease", "ids_ensemble"):
        assert missing_needs(MODELS[name], data) == ["all pairs of items need more memory"]
