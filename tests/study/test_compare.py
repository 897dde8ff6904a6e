"""Comparisons: choice on validation, frozen settings, the test set, resuming, processes."""

import os
import re
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from msm4sr_lite.baselines import ItemKNN
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.records import read_access_log
from msm4sr_lite.study.compare import Comparison, read_configs
from msm4sr_lite.study.models import MODELS
from msm4sr_lite.study.specs import ModelSpec
from tests.tiny_study import SHORT, TINY, ConstantScorer
from tests.toys import toy_sequences


@dataclass(frozen=True)
class Spy(ModelSpec):
    """A model that hits when its setting is right; it lists how it is made."""

    made: ClassVar[list] = []

    def fit(self, data, settings, seed, states):
        self.made.append((settings["finetune.use_ids"], seed))
        histories, targets = data.sequences.held_out("valid")
        answer = {tuple(h): t for h, t in zip(histories, targets, strict=True)}

        class Scorer:
            def score(self, histories):
                rows = torch.zeros(len(histories), data.sequences.n_items + 1)
                for row, history in enumerate(histories):
                    if settings["finetune.use_ids"] and tuple(history) in answer:
                        rows[row, answer[tuple(history)]] = 1
                return rows

        return Scorer()


def test_settings_are_chosen_on_validation_frozen_and_tested_with_other_seeds(data, tmp_path):
    spy = Spy([{"finetune.use_ids": False}, {"finetune.use_ids": True}])
    specs = {
        "spy": spy,
        "one point": Spy([{"finetune.use_ids": True}]),
        "popularity": MODELS["popularity"],
    }
    config = replace(SHORT, n_seeds=2)
    study = Comparison(data, tmp_path, config, specs, against="spy")
    chosen = study.tune(["spy", "one point", "popularity"])
    assert chosen["spy"]["settings"] == {"finetune.use_ids": True}
    assert [one["ndcg@10"] for one in chosen["spy"]["tried"]] == [0, 1]
    assert chosen["one point"] == {"settings": {"finetune.use_ids": True}, "tried": []}
    assert spy.made == [(False, 0), (True, 0)]  # and nothing for a grid with nothing to choose
    assert read_access_log(tmp_path) == []  # the test split is still closed

    found = study.test(["spy", "popularity"], chosen)
    assert spy.made[2:] == [(True, 1), (True, 2)]
    assert (len(found["spy"]), len(found["popularity"])) == (2, 1)
    opened = read_access_log(tmp_path)
    assert len(opened) == 1
    assert (opened[0]["models"], opened[0]["seeds"]) == (["spy", "popularity"], [1, 2])

    # Once more: nothing is made, nothing is opened; with another seed it is.
    again = Comparison(data, tmp_path, config, specs)
    assert again.tune(["spy", "popularity"]) == chosen
    again.test(["spy", "popularity"], chosen)
    assert (len(spy.made), len(read_access_log(tmp_path))) == (4, 1)
    Comparison(data, tmp_path, replace(config, n_seeds=3), specs).test(["spy"], chosen)
    assert (len(spy.made), len(read_access_log(tmp_path))) == (5, 2)

    table = study.table(found)
    assert table["models"]["spy"]["filter_seen"]["ndcg@10"]["value"] == pytest.approx(
        np.mean([metrics(np.array(run["filter_seen"]))["ndcg@10"].mean() for run in found["spy"]])
    )
    assert set(table["change"]) == {"popularity"}
    assert table["change"]["popularity"]["filter_seen"]["ndcg@10"]["p_holm"] <= 1
    assert again.table(found)["against"] in found


def test_differences_to_the_product_are_added_if_it_is_compared(data, tmp_path):
    study = Comparison(data, tmp_path, SHORT, MODELS, against="item_knn")
    rng, cases = np.random.default_rng(0), len(data.sequences.cases("test")[0])
    extra = {"coverage@10": 1, "popularity_bias@10": 1, "seconds": 1, "expected_ndcg@10": None}
    found = {
        name: [
            dict.fromkeys(("filter_seen", "keep_seen"), rng.integers(1, 20, cases)) | extra
            for _ in range(2)
        ]
        for name in ("item_knn", "sasrec", "ensemble")
    }
    table = study.table(found)
    assert set(table["change"]) == {"sasrec", "ensemble"}
    assert set(table["change_to_product"]) == {"sasrec", "item_knn"}
    one, other = (
        table[block][name]["filter_seen"]["ndcg@10"]["value"]
        for block, name in (("change", "ensemble"), ("change_to_product", "item_knn"))
    )
    assert one == pytest.approx(-other)
    assert table["overlap@10"].keys() == {"item_knn", "sasrec"}
    without = study.table({name: found[name] for name in ("item_knn", "sasrec")})
    assert "change_to_product" not in without


def test_cold_targets_are_also_ranked_among_the_cold_items(data, tmp_path):
    data = replace(data, sequences=toy_sequences([5, 4, 5, 4], n_items=19))
    histories, targets = data.sequences.held_out("test")
    seen = {int(item) for history in histories for item in history}
    cold = np.array([item for item in range(1, 20) if item not in seen])
    assert len(cold) > 1
    asked = np.isin(targets, cold)
    assert 0 < asked.sum() < len(targets)
    scorer = ConstantScorer(*np.random.default_rng(0).random(20))
    found = Comparison(data, tmp_path, SHORT, MODELS).measure(scorer, "test")
    scores = scorer.score(histories).numpy()
    by_hand = []
    for row in np.flatnonzero(asked):
        rivals = [i for i in cold if i != targets[row] and i not in histories[row]]
        by_hand.append(1 + sum(scores[row, i] >= scores[row, targets[row]] for i in rivals))
    assert found["among_cold"] == by_hand
    # What was bought for validation alone is not cold, though no training sequence holds it.
    assert len(cold) < (data.sequences.item_counts()[1:] == 0).sum()


def test_a_file_without_chosen_settings_is_refused(tmp_path):
    path = tmp_path / "configs.json"
    with pytest.raises(UserError, match=r"no such file.*; run the part tune"):
        read_configs(path)
    for text in ("", "[]", '{"sasrec": {}}', '{"sasrec": 3}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(
            UserError, match=r"configs.json: (no chosen settings in it|cannot be read)"
        ):
            read_configs(path)


def test_a_quick_study_takes_the_first_settings_of_a_grid(data, tmp_path):
    study = Comparison(data, tmp_path, replace(SHORT, quick=True), MODELS)
    assert study.tune(["sasrec"]) == {"sasrec": {"settings": MODELS["sasrec"].grid[0]}}
    assert not (tmp_path / "configs.json").exists()


def test_coverage_and_popularity_bias_of_the_lists(tmp_path, data):
    """Everybody is recommended the ten items with the highest numbers, but those seen."""
    histories, targets = data.sequences.held_out("test")
    study = Comparison(data, tmp_path, SHORT, MODELS)
    found = study.measure(ConstantScorer(*np.arange(20.0)), "test")
    lists = [[i for i in range(19, 0, -1) if i not in seen][:10] for seen in histories]
    counts = data.sequences.item_counts()
    assert found["coverage@10"] == len({item for row in lists for item in row}) / 19
    recommended = np.mean([counts[item] for row in lists for item in row])
    assert found["popularity_bias@10"] == pytest.approx(recommended / counts[targets].mean())
    assert found["expected_ndcg@10"] is None  # nothing is known of the true distribution


@dataclass(frozen=True)
class Leaf(ModelSpec):
    """A model that leaves the number of its process behind."""

    def fit(self, data, settings, seed, states):
        states.mkdir(parents=True, exist_ok=True)
        (states / f"{settings['decay']}-{seed}.txt").write_text(str(os.getpid()))
        if settings["decay"] > 1:
            raise UserError("decay must be at most 1")
        return ItemKNN(data.sequences, settings["decay"])


def test_runs_made_at_once_are_those_made_one_after_another(data, tmp_path):
    rates = [{"finetune.lr": 1e-3}, {"finetune.lr": 3e-4}]
    text = TINY | {"model.modalities": "text"}
    specs = {
        "leaf": Leaf([{"decay": 0.5}, {"decay": 0.9}]),
        "text": ModelSpec(rates, settings=text, pretrains=False),
    }
    found = {}
    for jobs in (1, 2):
        config = replace(SHORT, n_seeds=2, jobs=jobs)
        study = Comparison(data, tmp_path / str(jobs), config, specs)
        chosen = study.tune(list(specs))
        runs = study.test(list(specs), chosen)
        found[jobs] = chosen, [[run["filter_seen"] for run in runs[name]] for name in specs]
    assert found[1] == found[2]

    def processes(jobs):
        return {file.read_text() for file in (tmp_path / str(jobs) / "states").glob("*.txt")}

    assert processes(1) == {str(os.getpid())}
    assert str(os.getpid()) not in processes(2)

    broken = {"leaf": Leaf([{"decay": 2}, {"decay": 3}])}
    with pytest.raises(UserError, match="decay must be at most 1"):
        Comparison(data, tmp_path / "broken", config, broken).tune(["leaf"])


def test_a_run_from_before_the_oracles_is_refused(data, tmp_path):
    study = Comparison(data, tmp_path, SHORT, MODELS)
    assert study.run("popularity", {}, 0, "test")["expected_ndcg@10"] is None
    study.upper_bound.best = {"oracle": 0.5}
    with pytest.raises(UserError, match="without the oracles"):
        study.run("popularity", {}, 0, "test")


@pytest.mark.parametrize(
    ("name", "settings", "fault"),
    [
        ("text", {"zzz": 1}, "unknown setting 'zzz'; names are like 'finetune.lr'"),
        ("text", {"decay": "x"}, "unknown setting 'decay'"),
        ("text", {"finetune.rl": 1}, "unknown setting 'finetune.rl'; did you mean 'finetune.lr'"),
        ("text", {"finetune__lr": 1}, "did you mean 'finetune.lr'"),
        ("text", {"finetune.lr": "x"}, "finetune.lr must be"),
        ("item_knn+msm4sr_tuned", {"decay": 0.5}, "unknown setting 'decay'; names are like"),
        ("item_knn+msm4sr_tuned", {"finetune.lr": -1}, "finetune.lr must be"),
        ("item_knn+tfidf", {"finetune.lr": 1e-3}, "unknown setting 'finetune.lr'; it has none"),
    ],
)
def test_chosen_settings_are_checked_before_anything_is_trained(
    name, settings, fault, data, tmp_path
):
    path = tmp_path / "configs.json"
    write_json(path, {name: {"settings": settings}})
    study = Comparison(data, tmp_path, SHORT, MODELS)
    with pytest.raises(UserError, match=rf"configs.json: {re.escape(name)}: .*{fault}"):
        study.tune([name])
    for point in MODELS[name].grid:
        write_json(path, {name: {"settings": point}})
        assert study.tune([name])[name]["settings"] == point
