"""Sentences, the text encoder, the feature table."""

import json
import shutil

import numpy as np
import pytest
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.embedding_cache import EmbeddingCache
from msm4sr_lite.features.table import DatasetSentences, make_features
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.features.text_encoder import TextEncoder
from tests.tiny_models import dual_encoder, save_tokenizer, text_model
from tests.toys import save_table, toy_table


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


@pytest.mark.parametrize(
    ("family", "longest"),
    [("bert", 40), ("roberta", 38), ("mpnet", 38), ("distilbert", 40), ("albert", 40)],
)
def test_berts_of_any_family(family, longest, tmp_path):
    """Positions are never exceeded, and neither the batch nor its padding shows."""
    encoder = TextEncoder(text_model(family, tmp_path / family))
    assert encoder.max_length == longest
    texts = ["a cup", "b", "mug " * 99, *(f"{'red ' * n}mug {n}" for n in range(1, 12))]
    one, many = encoder.encode(texts, batch_size=1), encoder.encode(texts, batch_size=64)
    np.testing.assert_allclose(one.astype(float), many, atol=1e-3)
    assert np.isfinite(one).all()
    assert len({vector.tobytes() for vector in many}) == len(texts)


def test_the_tokenizers_limit_holds_too(tmp_path):
    folder = tmp_path / "bert"
    text_model("bert", folder)
    save_tokenizer(folder, model_max_length=7)
    encoder = TextEncoder(str(folder))
    assert encoder.max_length == 7
    same = encoder.encode(["abcdefgh", "abcdexyz"])  # </s> and <s> take two of the seven
    assert np.array_equal(same[0], same[1])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "mean", "include_prompt": True}, "mean"),
        (None, "mean"),
    ],
)
def test_pooling_is_what_the_model_was_trained_with(said, expected, tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    if said is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(said))
    encoder = TextEncoder(str(folder))
    assert encoder.pooling == expected
    other = TextEncoder(str(folder), expected)
    assert np.array_equal(encoder.encode(["a cup"]), other.encode(["a cup"]))
    assert TextEncoder(str(folder), "cls").pooling == "cls"


@pytest.mark.parametrize(
    "said",
    [
        '{"pooling_mode_max_tokens": true}',
        '{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}',
        "{",
        "[]",
    ],
)
def test_pooling_that_we_do_not_have_must_be_chosen(said, tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(said)
    with pytest.raises(UserError, match="asks for neither mean nor cls; choose with --pooling"):
        TextEncoder(str(folder))
    assert TextEncoder(str(folder), "mean").pooling == "mean"


def test_a_model_that_is_no_text_encoder_is_named(tmp_path):
    with pytest.raises(UserError, match="a model of type 't5', not a BERT-like text encoder"):
        TextEncoder(text_model("t5", tmp_path / "t5"))
    with pytest.raises(UserError, match="a model of type 'clip', not a BERT-like text encoder"):
        TextEncoder(dual_encoder("clip", tmp_path / "clip"))


def test_code_from_a_model_folder_never_runs(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")
    with pytest.raises(UserError, match="not a model folder that transformers can load"):
        TextEncoder(str(folder))
    assert not (tmp_path / "ran").exists()


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
    save_table(table, tmp_path / "features")
    back = load_feature_table(tmp_path / "features")
    assert back.items == table.items
    assert torch.equal(back.text.vectors, table.text.vectors)
    assert back.image.gather(torch.tensor([1, 2]))[1].sum() == 0
    assert [p.name for p in tmp_path.iterdir()] == ["features"]
    np.save(tmp_path / "features/text.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(UserError, match="not a feature table"):
        load_feature_table(tmp_path / "features")


def test_a_table_that_does_not_fit_its_items_is_refused(tmp_path):
    save_table(toy_table([1, 2], [1, 1]), tmp_path / "features")
    (tmp_path / "features/items.json").write_text('["i1"]', encoding="utf-8")
    with pytest.raises(UserError, match=r"text.npy does not fit items.json"):
        load_feature_table(tmp_path / "features")
    with pytest.raises(UserError, match="make one with `msm4sr features`"):
        load_feature_table(tmp_path)


def keyword_file(folder, keywords):
    """Write ``item_id -> words of each picture`` as a ``keywords.jsonl``."""
    lines = [{"item_id": i, "words": words} for i, all_ in keywords.items() for words in all_]
    path = folder / "keywords.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_make_features_fills_slots_and_manifest(tiny_bert, tmp_path):
    items = [Item("a", "mug", description="a. b."), Item("b", images=("b.png",)), Item("c", "x")]
    keywords = keyword_file(tmp_path, {"gone": [["x"]], "b": [["cup", "red"], ["red", "mug"]]})
    encoder = TextEncoder(tiny_bert)
    sentences = DatasetSentences(items, keywords)
    made = {"keywords": {"clip": "tiny"}}
    make_features(tmp_path / "f", sentences, encoder, EmbeddingCache(":memory:"), manifest=made)
    table = load_feature_table(tmp_path / "f")
    assert table.items == ["", "a", "b", "c"]
    assert table.text.counts.tolist() == [0, 3, 0, 1]
    assert table.image.counts.tolist() == [0, 0, 2, 0]
    for vectors, texts in (
        (table.text.vectors, ["mug", "a.", "b.", "x"]),
        (table.image.vectors, ["cup red", "red mug"]),
    ):
        np.testing.assert_allclose(vectors, encoder.encode(texts), atol=1e-3)
    manifest = table.manifest
    assert (manifest["items"], manifest["without_text"], manifest["without_picture"]) == (3, 1, 2)
    assert (manifest["text_slots"], manifest["image_slots"]) == (4, 2)
    assert manifest["keywords"] == {"clip": "tiny"}
    assert manifest["versions"]["torch"] == torch.__version__
    assert (tmp_path / "f/keywords.jsonl").read_bytes() == keywords.read_bytes()
    # A study finds its runs by the content: the same sentences, read otherwise, are another.
    for encoder in (TextEncoder(tiny_bert), TextEncoder(tiny_bert, "cls")):
        make_features(tmp_path / "g", sentences, encoder, EmbeddingCache(":memory:"))
        again = load_feature_table(tmp_path / "g").manifest
        same = again["text_encoder"]["pooling"] == manifest["text_encoder"]["pooling"]
        assert (again["content"] == manifest["content"]) == same


def test_keywords_in_another_order_than_the_shop_are_refused(tmp_path):
    keywords = keyword_file(tmp_path, {"b": [["x"]], "a": [["y"]]})
    with pytest.raises(UserError, match="item 'a' stands in another order than in the shop"):
        list(DatasetSentences([Item("a", "mug"), Item("b", "cup")], keywords))


def test_keywords_that_cannot_be_read_are_one_line(tmp_path):
    for text in ("{", "[]", '{"item_id": "a"}'):
        (tmp_path / "keywords.jsonl").write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match="make it with `msm4sr keywords`"):
            list(DatasetSentences([Item("a", "mug")], tmp_path / "keywords.jsonl"))


def test_the_content_hash_sees_exactly_what_fills_the_slots(tmp_path):
    def content(item, keywords, limit=2):
        return DatasetSentences([item], keyword_file(tmp_path, keywords), limit).survey.content

    base = content(Item("a", "mug", description="Light. Strong."), {"a": [["cup"]]})
    assert base != content(Item("a", "bowl", description="Light. Strong."), {"a": [["cup"]]})
    assert base != content(Item("a", "mug", description="Light. Strong."), {"a": [["tea"]]})
    assert base != content(
        Item("a", "mug", description="Light. Strong."), {"a": [["cup"]]}, limit=3
    )
    assert base != content(Item("b", "mug", description="Light. Strong."), {"b": [["cup"]]})
    assert base == content(
        Item("a", "mug", description="Light. Cheap.", images=("x",)), {"a": [["cup"]]}
    )


def test_a_table_of_a_newer_format_is_refused(tmp_path):
    save_table(toy_table([1], [1]), tmp_path / "features")
    path = tmp_path / "features/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}), encoding="utf-8")
    with pytest.raises(UserError, match="format 2, of a newer version"):
        load_feature_table(tmp_path / "features")


def test_each_keyword_can_have_a_slot_of_its_own(tiny_bert, tmp_path):
    items = [Item("a", "mug"), Item("b", images=("1.png", "2.png")), Item("c", images=("3.png",))]
    keywords = keyword_file(tmp_path, {"b": [["cup", "red"], ["red", "mug"]], "c": [["lid"]]})
    encoder, read = TextEncoder(tiny_bert), []
    plain = encoder.encode
    encoder.encode = lambda some, *rest, **more: read.extend(some) or plain(some, *rest, **more)
    tables = {}
    for setting in ("keywords", "images"):
        sentences = DatasetSentences(items, keywords, image_slots=setting)
        make_features(tmp_path / setting, sentences, encoder, EmbeddingCache(":memory:"))
        tables[setting] = load_feature_table(tmp_path / setting)
    assert sorted(read[:4]) == ["cup", "lid", "mug", "red"]  # of title and pictures, once each
    table, other = tables["keywords"], tables["images"]
    assert table.image.counts.tolist() == [0, 0, 4, 1]
    assert table.text.counts.tolist() == [0, 1, 0, 0]
    cup, red, again, mug, lid = table.image.vectors
    assert torch.equal(red, again)
    assert torch.equal(mug, table.text.vectors[0])
    assert not torch.equal(cup, lid)
    assert table.manifest["image_slots_hold"] == "keywords"
    assert other.image.counts.tolist() == [0, 0, 2, 1]
    assert other.manifest["image_slots_hold"] == "images"
    assert other.manifest["content"] != table.manifest["content"]


def test_read_keywords(tmp_path):
    lines = [{"item_id": "a", "words": ["x"]}, {"item_id": "a", "words": ["y"]}]
    (tmp_path / "keywords.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert read_keywords(tmp_path) == {"a": [["x"], ["y"]]}
    with pytest.raises(UserError, match="make it with `msm4sr keywords`"):
        read_keywords(tmp_path / "nowhere")
