"""From sentences and keywords to the slots of a feature table."""

from importlib import metadata

import numpy as np
import pytest
import torch
from toys import memory_cache

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.table import content_hash, encode_new_items, make_features, slot_sentences
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.features.text_encoder import TextEncoder


def test_slots_and_manifest_are_filled(tiny_bert, tmp_path):
    items = [Item("a", "mug", description="a. b."), Item("b", images=("b.png",)), Item("c", "x")]
    keywords = {"gone": [["x"]], "b": [["cup", "red"], ["red", "mug"]]}
    source = tmp_path / "keywords"
    source.mkdir()
    (source / "keywords.jsonl").write_text("as it is", encoding="utf-8")
    encoder = TextEncoder(tiny_bert)
    sentences = slot_sentences(items, keywords)
    options = {"keywords": source, "manifest": {"keywords": {"clip": "tiny"}}}
    make_features(tmp_path / "f", sentences, encoder, memory_cache(), **options)
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
    assert (manifest["n_items"], manifest["without_text"], manifest["without_image"]) == (3, 1, 2)
    assert manifest["keywords"] == {"clip": "tiny"}
    assert manifest["versions"]["torch"] == metadata.version("torch")
    assert (tmp_path / "f/keywords.jsonl").read_text(encoding="utf-8") == "as it is"
    # The content hash covers the encoder: another pooling is other content.
    for encoder in (TextEncoder(tiny_bert), TextEncoder(tiny_bert, "cls")):
        make_features(tmp_path / "g", sentences, encoder, memory_cache())
        again = load_feature_table(tmp_path / "g").manifest
        same = again["text_encoder"]["pooling"] == manifest["text_encoder"]["pooling"]
        assert (again["content"] == manifest["content"]) == same


def test_the_content_hash_depends_on_what_fills_the_slots_only():
    def content(item, keywords, limit=2):
        return content_hash(slot_sentences([item], keywords, limit))

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


def test_each_keyword_can_have_a_slot(tiny_bert, tmp_path):
    items = [Item("a", "mug"), Item("b", images=("1.png", "2.png")), Item("c", images=("3.png",))]
    keywords = {"b": [["cup", "red"], ["red", "mug"]], "c": [["lid"]]}
    encoder, read = TextEncoder(tiny_bert), []
    plain = encoder.encode
    encoder.encode = lambda some, *rest, **more: read.extend(some) or plain(some, *rest, **more)
    tables = {}
    for setting in ("keywords", "images"):
        sentences = slot_sentences(items, keywords, image_slots=setting)
        make_features(tmp_path / setting, sentences, encoder, memory_cache())
        tables[setting] = load_feature_table(tmp_path / setting)
    assert sorted(read[:4]) == ["cup", "lid", "mug", "red"]  # of title and images, once each
    table, other = tables["keywords"], tables["images"]
    assert table.image.counts.tolist() == [0, 0, 4, 1]
    assert table.text.counts.tolist() == [0, 1, 0, 0]
    cup, red, again, mug, lid = table.image.vectors
    assert torch.equal(red, again)
    assert torch.equal(mug, table.text.vectors[0])
    assert not torch.equal(cup, lid)
    assert other.image.counts.tolist() == [0, 0, 2, 1]
    assert other.manifest["content"] != table.manifest["content"]


# ------------------------------------------------------------------------ new items


IMAGES = ("images/h0001_1.png",)


@pytest.fixture(scope="module")
def encoder(tiny_bert):
    return TextEncoder(tiny_bert)


def test_they_are_encoded_as_the_manifest_says(sample_dataset, encoder, tokenizer):
    item = Item("mug", "Red mug", description="Holds tea. Light.", images=IMAGES)
    bare = Item("plain", text="A word.")
    manifest = {
        "text_encoder": encoder.describe(),
        "keywords": {"n_keywords": 2, **tokenizer.describe()},
        "max_sentences": 2,
    }
    table, keywords = encode_new_items([item, bare], sample_dataset, encoder, tokenizer, manifest)
    images = [open_image(sample_dataset, name) for name in IMAGES]
    expected = [[k.word for k in best] for best in tokenizer.keywords(images, 2)]
    assert keywords == {"mug": expected}
    assert table.items == ["", "mug", "plain"]
    assert table.text.counts.tolist() == [0, 2, 1]
    assert table.image.counts.tolist() == [0, 1, 0]
    for slots, sentences in (
        (table.text, ["Red mug", "Holds tea.", "A word."]),
        (table.image, [" ".join(expected[0])]),
    ):
        torch.testing.assert_close(slots.vectors, torch.from_numpy(encoder.encode(sentences)))


def test_a_text_as_a_whole_where_the_table_has_it(sample_dataset, encoder):
    manifest = {
        "text_encoder": encoder.describe(),
        "text_units": "whole",
        "max_sentences": 2,
    }
    items = [Item("mug", "Red mug", description="Holds tea. Light."), Item("none", images=IMAGES)]
    whole = [slots.text for slots in slot_sentences(items, {}, 2, text_units="whole")]
    assert whole == [["Red mug Holds tea."], []]
    table, _ = encode_new_items(items[:1], sample_dataset, encoder, None, manifest)
    np.testing.assert_allclose(table.text.vectors, encoder.encode(whole[0]), atol=1e-3)


def test_a_slot_per_keyword_where_the_table_has_it(sample_dataset, encoder, tokenizer):
    manifest = {"keywords": {"n_keywords": 3}, "image_slots": "keywords"}
    item = Item("mug", images=IMAGES)
    table, keywords = encode_new_items([item], sample_dataset, encoder, tokenizer, manifest)
    assert table.image.counts.tolist() == [0, 3]
    expected = encoder.encode(keywords["mug"][0])
    np.testing.assert_allclose(table.image.vectors, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("manifest", "with_tokenizer", "message"),
    [
        ({"text_encoder": {"weights": "other"}}, True, "text encoder differs .* in weights"),
        ({"keywords": {"prompt": "{}!"}}, True, "keyword tokenizer differs .* in prompt"),
        ({}, False, "item 'mug' has an image; give a keyword tokenizer"),
    ],
)
def test_another_encoder_is_refused(
    manifest, with_tokenizer, message, sample_dataset, encoder, tokenizer
):
    item = Item("mug", images=IMAGES)
    given = tokenizer if with_tokenizer else None
    with pytest.raises(UserError, match=message):
        encode_new_items([item], sample_dataset, encoder, given, manifest)


def test_a_missing_image_is_refused(sample_dataset, encoder, tokenizer):
    item = Item("mug", images=("nothing.png",))
    with pytest.raises(UserError, match=r"nothing\.png: No such file"):
        encode_new_items([item], sample_dataset, encoder, tokenizer, {})
