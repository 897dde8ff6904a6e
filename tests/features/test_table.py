"""From sentences and keywords to the slots of a feature table."""

import numpy as np
import torch

from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.embedding_cache import EmbeddingCache
from msm4sr_lite.features.table import content_hash, make_features, slot_sentences
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
    make_features(tmp_path / "f", sentences, encoder, EmbeddingCache(":memory:"), **options)
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
    assert (manifest["n_text_slots"], manifest["n_image_slots"]) == (4, 2)
    assert manifest["keywords"] == {"clip": "tiny"}
    assert manifest["versions"]["torch"] == torch.__version__
    assert (tmp_path / "f/keywords.jsonl").read_text(encoding="utf-8") == "as it is"
    # The content hash covers the encoder: another pooling is other content.
    for encoder in (TextEncoder(tiny_bert), TextEncoder(tiny_bert, "cls")):
        make_features(tmp_path / "g", sentences, encoder, EmbeddingCache(":memory:"))
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
        make_features(tmp_path / setting, sentences, encoder, EmbeddingCache(":memory:"))
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
