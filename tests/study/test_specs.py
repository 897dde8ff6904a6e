"""How baselines, trained models and ensembles of a study are fitted and kept."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from msm4sr_lite import training
from msm4sr_lite.baselines import fit_baseline, selection
from msm4sr_lite.baselines.ensemble import Probabilities
from msm4sr_lite.baselines.selection import Choice
from msm4sr_lite.config import Config, with_settings
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.study import specs
from msm4sr_lite.study.models import MODELS, grid, missing_needs
from msm4sr_lite.study.specs import ModelSpec
from tests.tiny_study import ONE, SHORT, TINY, ConstantScorer
from tests.toys import toy_table


def test_a_grid_holds_every_combination():
    assert grid(a__b=[1, 2]) == [{"a.b": 1}, {"a.b": 2}]


def test_an_ensemble_chooses_among_all_points_and_is_never_worse(data, tmp_path, monkeypatch):
    made = []

    def fit(self, data, settings, seed, states):
        made.append((settings, seed))
        return ConstantScorer(9.0, *torch.linspace(-1, 1, 19).tolist())

    monkeypatch.setattr(ModelSpec, "fit", fit)
    spec = MODELS["item_knn+msm4sr_tuned"]
    settings = {"finetune.lr": 3e-4, "finetune.use_ids": True}
    found = spec.fit(data, settings, 3, tmp_path)
    assert made == [(settings, 3)]  # trained once, whatever the weights
    histories, targets = data.sequences.held_out("valid")

    def ndcg(scorer):
        ranks = target_ranks(scorer, histories, targets, filter_seen=True)
        return metrics(ranks, [10])["ndcg@10"].mean()

    model = found.parts["msm4sr_tuned 0"]
    assert isinstance(model, Probabilities)
    assert model.temperature == PRESETS["tuned"].finetune.temperature
    points = [fit_baseline("item_knn", data.baseline_data, **p) for p in MODELS["item_knn"].grid]
    knn = [ndcg(found.parts[f"item_knn {number}"]) for number in range(len(points))]
    assert knn == [*map(ndcg, points)]
    assert len(set(knn)) > 1
    assert ndcg(found) >= max(*knn, ndcg(model))
    assert 1 in found.weights.values()


def test_an_ensemble_of_baselines_needs_no_training_but_what_its_parts_need(data, tmp_path):
    spec = MODELS["item_knn+tfidf"]
    assert not spec.is_trained
    assert spec.needs == ("text", "sklearn")
    assert MODELS["item_knn+msm4sr_tuned"].is_trained
    scores = spec.fit(data, {}, 0, tmp_path).score([np.array([1, 2])])
    assert scores.shape == (1, 20)
    no_text = replace(data, table=toy_table([0] * 19, [1] * 19))
    assert missing_needs(spec, no_text) == ["the dataset has no text"]


def test_the_weights_of_an_ensemble_are_chosen_on_a_limited_number_of_cases(
    data, tmp_path, monkeypatch
):
    seen = []

    def spy(parts, histories, targets):
        seen.append(targets.tolist())
        assert [len(h) for h in histories] == [length[t] for t in targets]
        return Choice(dict.fromkeys(parts, 1.0), {}, 0.0)

    histories, targets = data.sequences.held_out("valid")
    length = {target: len(h) for h, target in zip(histories, targets, strict=True)}
    monkeypatch.setattr(specs, "choose_weights", spy)
    for most in (3, 3, 99):
        monkeypatch.setattr(selection, "MOST_CASES", most)
        MODELS["item_knn+tfidf"].fit(data, {}, 0, tmp_path)
    assert len(seen[0]) == 3
    assert seen[0] == seen[1]  # the same cases each time
    assert sorted(seen[2]) == sorted(targets)


def test_the_product_is_the_tuned_model_in_its_ensemble(data, tmp_path):
    spec, settings = MODELS["ensemble"], SHORT.budget.for_targets(100).settings()
    product = spec.fit(data, settings, 1, tmp_path)
    alone = MODELS["msm4sr_tuned"].fit(data, settings, 1, tmp_path)
    histories, targets = data.sequences.held_out("valid")
    assert product.parts["msm4sr"].scorer.score(histories).equal(alone.score(histories))

    seen = data.sequences.item_counts() > 0  # weights decide only between these items
    kept = np.flatnonzero(seen[targets])

    def ndcg(scorer):
        some = [histories[case] for case in kept], targets[kept]
        ranks = target_ranks(scorer, *some, filter_seen=True, candidates=np.flatnonzero(seen))
        return metrics(ranks, [10])["ndcg@10"].mean()

    assert len(kept) > 3
    assert ndcg(product) >= max(ndcg(part) for part in product.parts.values())


def test_unisrec_whitens_and_averages_sentences(data):
    spec = MODELS["unisrec"]
    for point in spec.grid:
        config = spec.config(data, point).model
        assert (config.modalities, config.item_pooling, config.adaptor) == (
            "text",
            "mean",
            "linear",
        )
        assert bool(config.whitened_dim) == (point["features.whitening"] == "pca")


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
            pool.submit(specs.pretrained, data, config, tmp_path / "states", **options)
            for _ in range(2)
        ]
        first, second = (one.result().state_dict() for one in asked)
    assert made == [1]
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_fine_tuned_model_is_kept_and_not_trained_again(data, tmp_path, monkeypatch):
    spec, settings = MODELS["sasrec"], SHORT.budget.for_targets(100).settings()
    histories, _ = data.sequences.held_out("valid")
    first = spec.fit(data, settings, 1, tmp_path).score(histories)
    monkeypatch.setattr("msm4sr_lite.training.finetune", None)  # calling it would fail
    assert spec.fit(data, settings, 1, tmp_path).score(histories).equal(first)
    for other in (replace(spec, settings={"model.dim": 16}), MODELS["text"], MODELS["msm4sr"]):
        with pytest.raises(TypeError, match="not callable"):
            other.fit(data, settings, 1, tmp_path)
    with pytest.raises(TypeError, match="not callable"):
        spec.fit(data, settings, 2, tmp_path)


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
