"""One protocol for all baselines."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import toy_sequences, toy_table

from msm4sr_lite import training
from msm4sr_lite.baselines import (
    BASELINES,
    BaselineData,
    SASRec,
    SummedFeatures,
    fit_baseline,
    require_baselines,
)
from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import Scorer, evaluate
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer

PAPER = PRESETS["paper"]
TINY = replace(
    PAPER,
    model=ModelConfig(dim=8, ffn_dim=8, layers=1, experts=2, max_len=6),
    finetune=replace(PAPER.finetune, epochs=1, batch_size=8, use_ids=False),
)
TRAINED = {"sasrec": {"config": TINY}, "text+image": {"config": TINY}}


@pytest.fixture
def data():
    sequences = toy_sequences([5, 7, 6, 9], n_items=13)
    texts = ["", *(f"thing {n % 5} of kind {n % 3}" for n in range(1, 14))]
    return BaselineData(sequences, toy_table([2] * 13, [1] * 13), texts)


@pytest.mark.parametrize("name", [*BASELINES, "msm4sr"])
def test_every_baseline_is_a_scorer(name, data):
    if name == "msm4sr":
        scorer = ModelScorer(M2SE(ModelConfig(feature_dim=11, max_len=6)), data.table)
    else:
        scorer = fit_baseline(name, data, **TRAINED.get(name, {}))
    assert isinstance(scorer, Scorer)
    histories, targets = data.sequences.held_out("test")
    scores = scorer.score(histories)
    assert scores.shape == (4, 14)
    assert torch.isfinite(scores).all()
    assert scores[:, 1:].std() > 0
    assert torch.equal(scores, scorer.score(histories))
    assert torch.allclose(scores[1:2], scorer.score(histories[1:2]), atol=1e-6)
    result = evaluate(scorer, histories, targets)
    assert 0 <= result["ndcg@10"]["low"] <= result["ndcg@10"]["value"] <= 1
    found = Recommender(scorer, data.sequences.items).recommend({"u": ["i1", "i2"]}, k=3)
    assert len(found) == 3


def test_what_a_baseline_needs_is_named(data):
    bare = BaselineData(data.sequences)
    needs = dict.fromkeys(["tfidf_knn", "item_knn+tfidf"], "texts")
    needs |= dict.fromkeys(["bert_knn", "text+image"], "table")
    for name in BASELINES:
        if name in needs:
            message = f"baseline {name!r} needs {needs[name]}; give it in BaselineData"
            with pytest.raises(UserError, match=re.escape(message)):
                fit_baseline(name, bare)
        else:
            fit_baseline(name, bare, **TRAINED.get(name, {}))


def test_names_are_checked_before_anything_is_computed():
    assert require_baselines(["item_knn", "sasrec", "item_knn"]) == ["item_knn", "sasrec"]
    assert require_baselines([]) == []
    with pytest.raises(UserError, match="no baseline 'magic'; choose from popularity, item_knn"):
        require_baselines(["item_knn", "magic"])


def test_unknown_names_and_settings_are_refused(data):
    for name, settings, message in (
        ("magic", {}, "no baseline 'magic'; choose from popularity, item_knn"),
        (
            "item_knn",
            {"decy": 1},
            "baseline 'item_knn' has no setting 'decy'; choose from decay",
        ),
        (
            "popularity",
            {"decay": 1},
            "baseline 'popularity' has no setting 'decay'; it has no settings",
        ),
        ("tfidf_knn", {"decay": 2}, "decay must be a number >= 0 and <= 1; got 2"),
    ):
        with pytest.raises(UserError, match=message):
            fit_baseline(name, data, **settings)


SIZES = {"feature_dim": 11, "dim": 8, "ffn_dim": 8, "heads": 2, "experts": 2}


@pytest.fixture
def table():
    return toy_table([2, 1, 3] * 6 + [0], [1, 0, 2] * 6 + [1])


def test_baselines_see_only_what_they_say(table):
    config = ModelConfig(**SIZES, n_items=19)
    histories = [np.array([1, 2, 3]), np.array([4])]
    other = toy_table([2, 1, 3] * 6 + [0], [1, 0, 2] * 6 + [1], seed=9)
    for build, sees in ((SASRec, False), (SummedFeatures, True)):
        torch.manual_seed(0)
        model = build(config)
        one, two = (ModelScorer(model, t).score(histories) for t in (table, other))
        assert torch.equal(one, two) != sees, build
        assert one.shape == (2, 20)
    names = [name for name, _ in SASRec(config).named_parameters()]
    assert not any("adapt" in name or "pool" in name for name in names)


def test_summed_features_are_the_sum_of_both_modalities(table):
    torch.manual_seed(0)
    config = ModelConfig(feature_dim=11, dim=8, ffn_dim=8)
    summed = SummedFeatures(config).eval()
    both = M2SE(config).eval()
    both.load_state_dict(summed.state_dict())
    items = torch.tensor([1, 2, 19])
    found = summed.item_embeddings(table, items)["sum"]
    modalities = both.item_embeddings(table, items)
    torch.testing.assert_close(found[0], modalities["text"][0] + modalities["image"][0])
    torch.testing.assert_close(found[1], modalities["text"][1])  # no image: nothing is added
    torch.testing.assert_close(found[2], modalities["image"][2])


@pytest.mark.parametrize("use_ids", [True, False])
def test_a_fit_is_the_training_with_the_same_seed(table, use_ids):
    sequences = toy_sequences([7, 8, 6, 9, 7, 8], n_items=19)
    paper = PRESETS["paper"]
    finetune = replace(paper.finetune, epochs=2, batch_size=8, use_ids=use_ids)
    config = replace(paper, model=ModelConfig(**SIZES), finetune=finetune)
    data = BaselineData(sequences, table)
    scorer = fit_baseline("text+image", data, config=config, seed=5)
    torch.manual_seed(5)
    model = SummedFeatures(replace(config.model, n_items=19 if use_ids else 0))
    training.finetune(model, table, sequences, finetune, seed=5)
    histories = [np.array([1, 2, 3]), np.array([4])]
    assert torch.equal(scorer.score(histories), ModelScorer(model, table).score(histories))


@pytest.mark.parametrize("name", TRAINED)
def test_a_network_without_an_epoch_is_no_baseline(name, data):
    config = replace(TINY, finetune=replace(TINY.finetune, epochs=0))
    with pytest.raises(UserError, match=r"would be untrained with finetune.epochs=0; raise it"):
        fit_baseline(name, data, config=config)
