"""The recommender on its own."""

import numpy as np
import pytest
import torch

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import ModelScorer
from msm4sr_lite.reading.shop_folder import read_shop
from msm4sr_lite.recommend import Recommender
from msm4sr_lite.training import save_checkpoint
from tests.toys import save_table, toy_shop, toy_table

KEYWORDS = {"i3": [["red", "mug"]]}


@pytest.fixture
def recommender(tmp_path):
    shop = read_shop(toy_shop(tmp_path / "shop"))
    items = ["", *shop.items]
    table = toy_table([1] * 12, [1] * 12, items=items[1:])
    torch.manual_seed(0)
    net = M2SE(ModelConfig(feature_dim=11, n_items=12))
    return Recommender(shop, ModelScorer(net, table), items, KEYWORDS)


def test_the_best_items_in_order_without_the_basket(recommender):
    basket = ["i1", "i2"]
    found = recommender.for_basket(basket, k=12)
    assert len(found) == 10  # all but the basket
    assert not {r.item_id for r in found} & set(basket)
    assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)
    history = np.array([recommender.number[item] for item in basket])
    scores = recommender.scorer.scores([history])[0]
    for r in found:
        assert r.score == pytest.approx(float(scores[recommender.number[r.item_id]]))
        assert r.sentences == [f"Thing {r.item_id[1:]}"]
        assert r.keywords == KEYWORDS.get(r.item_id, [])
    shown = recommender.for_basket(basket, k=12, hide_basket=False)
    assert len(shown) == 12


def test_the_order_of_the_basket_matters(recommender):
    one = [r.score for r in recommender.for_basket(["i1", "i2", "i5"])]
    assert one != [r.score for r in recommender.for_basket(["i5", "i2", "i1"])]


def test_a_customers_history_passes_over_items_the_model_does_not_know(recommender):
    history = recommender.shop.history("u0")
    del recommender.number[history[0]]
    with pytest.raises(UserError, match=f"item '{history[0]}' is not in the model's catalogue"):
        recommender.for_basket(history)
    assert recommender.for_user("u0") == recommender.for_basket(history[1:])


def test_features_of_another_width_are_refused(tmp_path):
    shop = read_shop(toy_shop(tmp_path / "shop"))
    save_table(toy_table([1] * 12, [1] * 12, 7, items=list(shop.items)), tmp_path / "features")
    net = M2SE(ModelConfig(feature_dim=11, n_items=12))
    save_checkpoint(net, tmp_path / "model", ["", *shop.items], {})
    with pytest.raises(UserError, match=r"vectors of width 7, but the model .* width 11"):
        Recommender.load(shop, tmp_path / "model", tmp_path / "features")
