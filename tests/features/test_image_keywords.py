"""Keywords of many images: unusable ones stop no other, and equal ones are opened once."""

import pytest
from PIL import Image
from toys import memory_cache

from msm4sr_lite.config import UserError
from msm4sr_lite.features.embedding_cache import EmbeddingCache
from msm4sr_lite.features.image_keywords import extract_keywords
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer


def test_an_unusable_image_stops_no_other(tokenizer, tmp_path):
    Image.new("RGB", (9, 9), "red").save(tmp_path / "good.png")
    names = [("a", "bad.png"), ("b", "good.png"), ("c", "https://example.org/x.png")]
    cache = memory_cache("float32")
    one, found, other = extract_keywords(tmp_path, names, tokenizer, 2, cache, batch_size=1)
    assert found["item_id"] == "b"
    assert len(found["keywords"]) == 2
    assert [(r["item_id"], r["reason"]) for r in (one, other)] == [
        ("a", "bad.png: No such file or directory"),
        ("c", "https://example.org/x.png: a URL, not a file; download the image into images/"),
    ]


def test_trouble_with_the_cache_is_not_taken_for_an_unusable_image(folder, mini_clip, monkeypatch):
    def damaged(*_):
        raise UserError("v.sqlite: damaged")

    monkeypatch.setattr(EmbeddingCache, "__contains__", damaged)
    tokenizer, cache = KeywordTokenizer(mini_clip, ["mug"]), memory_cache("float32")
    with pytest.raises(UserError, match=r"v.sqlite: damaged"):
        list(extract_keywords(folder, [("i0", "images/0.png")], tokenizer, 1, cache))


def test_an_image_that_cannot_be_resized_is_skipped(folder, mini_clip, monkeypatch):
    tokenizer, cache = KeywordTokenizer(mini_clip, ["mug"]), memory_cache("float32")
    process = tokenizer.image_processor

    def refuse_one(images, **options):
        if images[0].size == (3, 3):
            raise ValueError("too narrow")
        return process(images=images, **options)

    monkeypatch.setattr(tokenizer, "image_processor", refuse_one)
    Image.new("RGB", (3, 3)).save(folder / "images/1.png")
    pairs = [("i0", "images/0.png"), ("i1", "images/1.png")]
    skipped, found = extract_keywords(folder, pairs, tokenizer, 1, cache)
    assert skipped["reason"] == "images/1.png: cannot be resized (too narrow); replace it"
    assert found["item_id"] == "i0"


def test_a_link_out_of_the_folder_is_refused_even_if_its_content_is_known(
    folder, mini_clip, tmp_path
):
    (tmp_path / "secret.png").write_bytes((folder / "images/0.png").read_bytes())
    (folder / "images/1.png").unlink()
    (folder / "images/1.png").symlink_to(tmp_path / "secret.png")
    tokenizer, cache = KeywordTokenizer(mini_clip, ["mug"]), memory_cache("float32")
    pairs = [("i0", "images/0.png"), ("i1", "images/1.png")]
    for _ in range(2):
        skipped, found = extract_keywords(folder, pairs, tokenizer, 1, cache)
        assert "lies outside the dataset folder" in skipped["reason"]
        assert found["item_id"] == "i0"
