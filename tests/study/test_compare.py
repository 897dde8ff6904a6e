"""Comparisons: choice on validation, frozen settings, the test set, resuming."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.store.records import read_access_log
from msm4sr_lite.study.compare import Comparison, read_configs
from msm4sr_lite.study.models import MODELS, ModelSpec
from tests.tiny_study import SHORT, TINY, ConstantScorer, study_data_with_whole
from tests.toys import toy_sequences


class Spy:
    """A model that hits when its setting is right; it counts how often it is made."""

    def __init__(self):
        self.made = []

    def __repr__(self):
        return "Spy"

    def __call__(self, data, settings, seed, states):
        self.made.append((settings["good"], seed))
        histories, targets = data.sequences.held_out("valid")
        answer = {tuple(h): t for h, t in zip(histories, targets, strict=True)}

        class Scorer:
            def score(self, histories):
                rows = torch.zeros(len(histories), data.sequences.n_items + 1)
                for row, history in enumerate(histories):
                    if settings["good"] and tuple(history) in answer:
                        rows[row, answer[tuple(history)]] = 1
                return rows

        return Scorer()


def test_settings_are_chosen_on_validation_frozen_and_tested_with_other_seeds(data, tmp_path):
    spy = Spy()
    specs = {
        "spy": ModelSpec([{"good": False}, {"good": True}], spy, is_trained=True),
        "one point": ModelSpec([{"good": True}], spy, is_trained=True),
        "popularity": MODELS["popularity"],
    }
    study = Comparison(data, tmp_path, SHORT, specs)
    chosen = study.tune(["spy", "one point", "popularity"])
    assert chosen["spy"]["settings"] == {"good": True}
    assert [one["ndcg@10"] for one in chosen["spy"]["tried"]] == [0, 1]
    assert chosen["one point"] == {"settings": {"good": True}, "tried": []}
    assert spy.made == [(False, 0), (True, 0)]  # and nothing for a grid with nothing to choose
    assert read_access_log(tmp_path) == []  # the test split is still closed

    found = study.test(["spy", "popularity"], chosen, [1, 2])
    assert spy.made[2:] == [(True, 1), (True, 2)]
    assert (len(found["spy"]), len(found["popularity"])) == (2, 1)
    opened = read_access_log(tmp_path)
    assert len(opened) == 1
    assert (opened[0]["models"], opened[0]["seeds"]) == (["spy", "popularity"], [1, 2])

    # Once more: nothing is made, nothing is opened; with another seed it is.
    again = Comparison(data, tmp_path, SHORT, specs)
    assert again.tune(["spy", "popularity"]) == chosen
    again.test(["spy", "popularity"], chosen, [1, 2])
    assert (len(spy.made), len(read_access_log(tmp_path))) == (4, 1)
    again.test(["spy"], chosen, [3])
    assert (len(spy.made), len(read_access_log(tmp_path))) == (5, 2)

    with pytest.raises(UserError, match="seed 0 chose the settings; test with other seeds"):
        study.test(["spy"], chosen, [0, 1])
    with pytest.raises(UserError, match="no chosen settings for spy; run `msm4sr study tune`"):
        study.test(["spy"], {}, [1])

    table = study.table(found, against="spy")
    assert table["models"]["spy"]["filter_seen"]["ndcg@10"]["value"] == pytest.approx(
        np.mean([metrics(np.array(run["filter_seen"]))["ndcg@10"].mean() for run in found["spy"]])
    )
    assert set(table["change"]) == {"popularity"}
    assert table["change"]["popularity"]["filter_seen"]["ndcg@10"]["p_holm"] <= 1
    assert study.table(found)["against"] in found


def test_cold_targets_are_also_ranked_among_the_cold_items(data, tmp_path):
    data = replace(data, sequences=toy_sequences([5, 4, 5, 4], n_items=19))
    histories, targets = data.sequences.held_out("test")
    seen = {int(item) for history in histories for item in history}
    cold = np.array([item for item in range(1, 20) if item not in seen])
    assert len(cold) > 1
    asked = np.isin(targets, cold)
    assert 0 < asked.sum() < len(targets)
    scorer = ConstantScorer(*np.random.default_rng(0).random(20))
    found = Comparison(data, tmp_path).evaluate_scorer(scorer, "test")
    scores = scorer.score(histories).numpy()
    by_hand = []
    for row in np.flatnonzero(asked):
        rivals = [i for i in cold if i != targets[row] and i not in histories[row]]
        by_hand.append(1 + sum(scores[row, i] >= scores[row, targets[row]] for i in rivals))
    assert found["among_cold"] == by_hand
    # What was bought for validation alone is not cold, though no training sequence holds it.
    assert len(cold) < (data.interaction_counts[1:] == 0).sum()


def test_a_file_without_chosen_settings_is_refused(tmp_path):
    path = tmp_path / "configs.json"
    for text in ("", "[]", '{"sasrec": {}}', '{"sasrec": 3}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=r"configs.json: no chosen settings in it"):
            read_configs(path)


def test_a_cached_run_depends_on_the_whole_dataset_too(tmp_path):
    data = study_data_with_whole()
    study = Comparison(data, tmp_path, SHORT)
    for study_data in (data, data, replace(data, whole=replace(data.whole, sequences=fewer(data)))):
        Comparison(study_data, tmp_path, study.budget).run("msm4sr_tuned+whole", TINY, 1, "valid")
    assert len(list((tmp_path / "runs").iterdir())) == 2


def fewer(data):
    """The whole dataset without its last user."""
    whole = data.whole.sequences
    end = whole.offsets[-2]
    return Sequences(
        whole.users[:-1], whole.items, whole.interactions[:end], whole.offsets[:-1], whole.cuts[:-1]
    )
