"""Sentences, the text encoder, the feature table."""

import json

import numpy as np
import pytest
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.extract.table import content_hash, make_features
from msm4sr_lite.features import FeatureTable, TextEncoder, item_sentences, read_keywords
from msm4sr_lite.shop import Item
from tests.toys import toy_table


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Tea &amp; cake.<br>For <b>two</b> people", ["Tea & cake.", "For two people"]),
        ("• Light • Strong\n• Cheap", ["Light", "Strong", "Cheap"]),
        ("Size 3.5 cm, weighs 2.1 kg", ["Size 3.5 cm, weighs 2.1 kg"]),
        ("no full stop here", ["no full stop here"]),
        (" - \n...\n", []),
        ("Rated < 5 or > 3", ["Rated < 5 or > 3"]),
    ],
)
def test_sentences(description, expected):
    assert item_sentences(Item("1", description=description)) == expected


def test_title_brand_and_categories_come_first_and_the_limit_holds():
    item = Item("1", "Mug", "Norr", ("Kitchen", "Cups"), "A. " * 20)
    found = item_sentences(item, limit=4)
    assert found == ["Mug, Norr", "Kitchen, Cups", "A.", "A."]
    assert item_sentences(Item("1", images=("x.png",))) == []


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_encoding_does_not_depend_on_the_batch(tiny_bert, pooling):
    encoder = TextEncoder(tiny_bert, pooling)
    texts = ["a cup", "b", "a long long sentence about cups", "a cup"]
    one, many = encoder.encode(texts, batch_size=1), encoder.encode(texts, batch_size=64)
    assert one.shape == (4, 20)
    assert one.dtype == np.float16
    np.testing.assert_allclose(one, many, atol=1e-3)
    assert np.array_equal(many[0], many[3])
    tokens = encoder.tokenizer("b", return_tensors="pt")
    states = encoder.model(**tokens).last_hidden_state[0]
    expected = states[0] if pooling == "cls" else states.mean(0)
    np.testing.assert_allclose(one[1], expected.detach().numpy(), atol=2e-3)


def test_missing_encoder_is_one_line(tmp_path):
    with pytest.raises(
        UserError, match="'nobody/nothing' is neither in the hub cache nor can it be"
    ):
        TextEncoder("nobody/nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: not a model folder that transformers can load"):
        TextEncoder(str(tmp_path / "empty"))


def test_gather_takes_each_items_own_slots():
    table = toy_table(text=[2, 0, 3], image=[1, 1, 0])
    slots, valid = table.text.gather(torch.tensor([3, 1, 2, 0]))
    assert slots.shape == (4, 3, 11)
    assert valid.tolist() == [[True] * 3, [True, True, False], [False] * 3, [False] * 3]
    assert torch.equal(slots[0], table.text.vectors[2:5].float())
    assert torch.equal(slots[1, :2], table.text.vectors[:2].float())
    assert (slots[~valid] == 0).all()


def test_renumbering():
    table = toy_table(text=[2, 0, 3], image=[1, 1, 0], items=["a", "b", "c"])
    other = table.for_items(["", "c", "a"])
    assert torch.equal(
        other.text.gather(torch.tensor([1]))[0], table.text.gather(torch.tensor([3]))[0]
    )
    assert (other.text.gather(torch.tensor([0]))[1]).sum() == 0
    with pytest.raises(UserError, match=r"1 items have no features \(the first is 'x'\)"):
        table.for_items(["", "x"])
    assert table.described() == ["a", "b", "c"]
    assert toy_table([1, 0], [0, 0]).described() == ["i1"]


def test_save_and_load_without_pickle(tmp_path):
    table = toy_table(text=[2, 0, 3], image=[0, 0, 0])
    table.save(tmp_path / "features")
    back = FeatureTable.load(tmp_path / "features")
    assert back.items == table.items
    assert torch.equal(back.text.vectors, table.text.vectors)
    assert back.image.gather(torch.tensor([1, 2]))[1].sum() == 0
    assert [p.name for p in tmp_path.iterdir()] == ["features"]
    np.save(tmp_path / "features/text.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(UserError, match="not a feature table"):
        FeatureTable.load(tmp_path / "features")


def test_a_table_that_does_not_fit_its_items_is_refused(tmp_path):
    toy_table([1, 2], [1, 1]).save(tmp_path / "features")
    (tmp_path / "features/items.json").write_text('["i1"]', encoding="utf-8")
    with pytest.raises(UserError, match=r"text.npy does not fit items.json"):
        FeatureTable.load(tmp_path / "features")
    with pytest.raises(UserError, match="make one with `msm4sr features`"):
        FeatureTable.load(tmp_path)


def test_make_features_fills_slots_and_manifest(tiny_bert):
    items = [Item("a", "mug", description="a. b."), Item("b", images=("b.png",))]
    keywords = {"b": [["cup", "red"], ["red", "mug"]]}
    encoder = TextEncoder(tiny_bert)
    table = make_features(items, keywords, encoder, record={"clip": "tiny"})
    assert table.text.counts.tolist() == [0, 3, 0]
    assert table.image.counts.tolist() == [0, 0, 2]
    np.testing.assert_allclose(table.image.vectors[1], encoder.encode(["red mug"])[0], atol=1e-3)
    manifest = table.manifest
    assert (manifest["without_text"], manifest["without_picture"]) == (1, 1)
    assert manifest["keywords"] == {"clip": "tiny"}
    assert len(manifest["text_encoder"]["weights"]) == 16
    json.dumps(manifest)


def test_each_keyword_can_have_a_slot_of_its_own(tiny_bert):
    items = [Item("a", "mug"), Item("b", images=("1.png", "2.png")), Item("c", images=("3.png",))]
    keywords = {"b": [["cup", "red"], ["red", "mug"]], "c": [["lid"]]}
    encoder, read = TextEncoder(tiny_bert), []
    plain = encoder.tokenizer
    encoder.tokenizer = lambda batch, **options: read.extend(batch) or plain(batch, **options)
    table = make_features(items, keywords, encoder, image_slots="words")
    assert sorted(read) == ["cup", "lid", "mug", "red"]  # words of title and pictures, once each
    assert table.image.counts.tolist() == [0, 0, 4, 1]
    assert table.text.counts.tolist() == [0, 1, 0, 0]
    cup, red, again, mug, lid = table.image.vectors
    assert torch.equal(red, again)
    assert torch.equal(mug, table.text.vectors[0])
    assert not torch.equal(cup, lid)
    assert table.manifest["image_slots_hold"] == "words"
    other = make_features(items, keywords, encoder)
    assert other.image.counts.tolist() == [0, 0, 2, 1]
    assert other.manifest["image_slots_hold"] == "pictures"
    assert other.manifest["content"] != table.manifest["content"]


def test_the_content_hash_sees_texts_and_keywords():
    items = [Item("a", "mug")]
    base = content_hash(items, {"a": [["cup"]]})
    assert base != content_hash([Item("a", "bowl")], {"a": [["cup"]]})
    assert base != content_hash(items, {"a": [["tea"]]})
    assert base == content_hash([Item("a", "mug", images=("x.png",))], {"a": [["cup"]]})


def test_read_keywords(tmp_path):
    lines = [{"item_id": "a", "words": ["x"]}, {"item_id": "a", "words": ["y"]}]
    (tmp_path / "keywords.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert read_keywords(tmp_path) == {"a": [["x"], ["y"]]}
    with pytest.raises(UserError, match="make it with `msm4sr keywords`"):
        read_keywords(tmp_path / "nowhere")
