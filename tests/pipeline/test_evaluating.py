"""The report of an evaluation."""

import json

import numpy as np
import pytest
import torch
from small_dataset import N_USERS, dataset, fitted, interaction_frame

from msm4sr_lite import UserError
from msm4sr_lite.baselines import BASELINES


@pytest.fixture(scope="module")
def model():
    return fitted()


def test_the_report_says_what_was_measured_and_how(model):
    report = model.evaluate(baselines=["popularity", "item_knn"])
    assert list(report.models) == ["msm4sr", "popularity", "item_knn"]
    assert report.protocol["part"] == "valid"
    assert report.protocol["users"] == 40
    numbers = report.models["msm4sr"]["ndcg@10"]
    assert numbers["low"] <= numbers["value"] <= numbers["high"]
    assert report["ndcg@10"] == numbers["value"]
    text = str(report)
    assert "toys: 40 users, 30 items; validation part (leave-one-out)" in text
    assert "95 % bootstrap interval over users" in text


def test_a_single_baseline_needs_no_list(model):
    assert list(model.evaluate(baselines="popularity").models) == ["msm4sr", "popularity"]


def test_it_is_json_and_a_data_frame(model):
    report = model.evaluate()
    assert json.loads(json.dumps(report.to_dict()))["dataset"] == "toys"
    frame = report.to_frame()
    assert set(frame.columns) == {"model", "metric", "value", "low", "high"}


def test_seen_items_and_candidates_change_the_ranking(model):
    assert model.evaluate(filter_seen=True)["mrr@10"] >= model.evaluate(filter_seen=False)["mrr@10"]
    report = model.evaluate(candidates=["item1", "item2"])
    assert report.protocol["candidates"] == 2
    assert report["recall@5"] == 1.0
    with pytest.raises(UserError, match="'nothing'"):
        model.evaluate(candidates=["nothing"])
    with pytest.raises(UserError, match="candidates is empty"):
        model.evaluate(candidates=[])


def test_unknown_parts_and_baselines_are_refused(model):
    with pytest.raises(UserError, match="part must be one of valid, test"):
        model.evaluate(part="train")
    with pytest.raises(UserError, match="no baseline 'magic'"):
        model.evaluate(baselines=["magic"])


def test_other_interactions_than_those_of_training_are_noted(model):
    report = model.evaluate(dataset(interaction_frame(seed=9)))
    assert "also trained on other interactions" in str(report)


class Constant:
    """A scorer with one score that is not finite."""

    def __init__(self, bad):
        self.bad = bad

    def score(self, histories):
        scores = torch.zeros(len(histories), 31)
        scores[:, 7] = self.bad
        return scores


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused_by_the_name_of_the_model(model, bad, monkeypatch):
    monkeypatch.setitem(BASELINES, "broken", lambda data: Constant(bad))
    with pytest.raises(UserError, match=r"^broken: the scores are not finite numbers; .*$"):
        model.evaluate(baselines=["popularity", "broken"])
    one = fitted()
    with torch.no_grad():
        one._model.net.transformer.norm.weight[0] = bad
    with pytest.raises(UserError, match=r"^msm4sr: the scores are not finite numbers; .*$"):
        one.evaluate()
    with pytest.raises(UserError, match=r"^the scores are not finite numbers; .*$"):
        one.recommend("user1")


@pytest.mark.parametrize(("users", "noted"), [(29, True), (30, False)])
def test_few_users_are_noted(users, noted):
    frame = interaction_frame()
    data = dataset(frame[frame["user_id"].isin([f"user{u}" for u in range(users)])])
    report = fitted(data).evaluate()
    assert report.protocol["users"] == users < N_USERS
    assert any(note.startswith("only 29 users: the intervals") for note in report.notes) == noted
