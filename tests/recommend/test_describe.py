"""Recommendations with sentences, keywords and scores by modality."""

import pytest
import torch
from toys import toy_table

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.recommend.describe import describe_recommendations
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer

ITEMS = {f"i{n}": Item(f"i{n}", title=f"Thing {n}") for n in range(12)}
KEYWORDS = {"i3": [["red", "mug"]]}


@pytest.fixture
def recommender():
    table = toy_table([1] * 12, [1] * 12, items=list(ITEMS))
    torch.manual_seed(0)
    net = M2SE(ModelConfig(feature_dim=11, n_items=12))
    return Recommender(ModelScorer(net, table), table.items)


def test_items_scores_and_descriptions_belong_together(recommender):
    history = ["i1", "ghost", "i2"]
    found = describe_recommendations(recommender, history, 12, items=ITEMS, keywords=KEYWORDS)
    frame = recommender.recommend({"": history}, 12)
    assert [r.item_id for r in found] == frame["item_id"].tolist()
    assert [r.score for r in found] == frame["score"].tolist()
    by_modality = recommender.scorer.score_by_modality([recommender.known_items(history)])
    for r in found:
        assert r.sentences == [f"Thing {r.item_id[1:]}"]
        assert r.keywords == KEYWORDS.get(r.item_id, [])
        assert r.score == pytest.approx(sum(r.by_modality.values()), abs=1e-6)
        number = recommender.item_number[r.item_id]
        assert r.by_modality == {m: float(scores[0, number]) for m, scores in by_modality.items()}


def test_filters_are_passed_on(recommender):
    (only,) = describe_recommendations(recommender, ["i1"], candidates=["i1"], filter_seen=False)
    assert (only.item_id, only.sentences, only.keywords) == ("i1", [], [])


def test_a_history_without_a_known_item_is_refused(recommender):
    for history in ([], ["ghost"]):
        with pytest.raises(UserError, match="no item of the history is known to the model"):
            describe_recommendations(recommender, history)
