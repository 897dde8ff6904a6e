"""Pictures of all kinds, dictionaries, and the top-N words."""

import numpy as np
import pytest
import torch
from PIL import Image

from msm4sr_lite.config import FeatureConfig, UserError
from msm4sr_lite.extract import pictures as module
from msm4sr_lite.extract.dictionary import read_dictionary, shop_words, word_list
from msm4sr_lite.extract.picture_keywords import extract_keywords
from msm4sr_lite.extract.pictures import PictureError, open_picture
from msm4sr_lite.extract.vector_cache import VectorCache
from msm4sr_lite.keywords import Keyword, KeywordTokenizer, top_words
from msm4sr_lite.shop import Item


def save(folder, name, picture, **options):
    picture.save(folder / name, **options)
    return name


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1"])
@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "gif"])
def test_any_mode_and_format_becomes_rgb(tmp_path, mode, ending):
    picture = Image.new("RGB", (5, 3), "red").convert(mode)
    if (ending, mode) in {
        ("jpg", "RGBA"),
        ("jpg", "LA"),
        ("jpg", "P"),
        ("png", "CMYK"),
        ("gif", "CMYK"),
    }:
        pytest.skip("this format cannot hold this mode")
    opened = open_picture(tmp_path, save(tmp_path, f"x.{ending}", picture))
    assert (opened.mode, opened.size) == ("RGB", (5, 3))


def test_transparency_is_white_and_sixteen_bits_are_scaled(tmp_path):
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert open_picture(tmp_path, save(tmp_path, "a.png", clear)).getpixel((0, 0)) == (255,) * 3
    deep = Image.fromarray(np.array([[0, 65535]], dtype=np.uint16))
    opened = open_picture(tmp_path, save(tmp_path, "b.png", deep))
    assert [opened.getpixel((x, 0))[0] for x in (0, 1)] == [0, 255]


def test_exif_orientation_is_applied(tmp_path):
    picture = Image.new("RGB", (4, 2))
    exif = picture.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert open_picture(tmp_path, save(tmp_path, "x.jpg", picture, exif=exif)).size == (2, 4)


def test_bad_pictures_say_what_is_wrong(tmp_path, monkeypatch):
    (tmp_path / "shop").mkdir()
    save(tmp_path, "secret.png", Image.new("RGB", (2, 2)))
    (tmp_path / "shop/empty.png").write_bytes(b"")
    (tmp_path / "shop/text.png").write_bytes(b"hello")
    save(tmp_path / "shop", "whole.png", Image.effect_noise((99, 99), 50))
    (tmp_path / "shop/cut.png").write_bytes((tmp_path / "shop/whole.png").read_bytes()[:999])
    (tmp_path / "shop/link.png").symlink_to(tmp_path / "secret.png")
    monkeypatch.setattr(module, "MAX_PIXELS", 9000)
    for name, message in {
        "none.png": "no such file",
        "empty.png": "not a picture",
        "text.png": "not a picture",
        "cut.png": "cannot be decoded",
        "whole.png": "99 x 99 pixels are too many",
        "../secret.png": "outside the shop folder",
        "link.png": "outside the shop folder",
        "https://example.org/x.png": "a URL, not a file",
    }.items():
        if name == "cut.png":
            monkeypatch.setattr(module, "MAX_PIXELS", 10**7)
        with pytest.raises(PictureError, match=message):
            open_picture(tmp_path / "shop", name)
        monkeypatch.setattr(module, "MAX_PIXELS", 9000)


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    with pytest.raises(PictureError, match="too many"):
        open_picture(tmp_path, "huge.png")


def test_equal_scores_keep_dictionary_order():
    words = torch.ones(4, 1)
    assert [k.word for k in top_words(torch.ones(1, 1), words, list("dbca"), 4)[0]] == list("dbca")


def test_word_lists_are_clean():
    for name in ("visual_words", "stop_words"):
        words = word_list(name)
        assert len(words) == len(set(words))
        assert all(word == word.strip().lower() for word in words)
    assert {"striped", "mug", "red"} <= set(word_list("visual_words"))


def test_shop_words_count_items_not_repeats():
    items = [
        Item("1", "Steel pan", description="The pan of pans, 24 cm."),
        Item("2", "Pan and lid", description="A lid for steel."),
        Item("3", "Teapot"),
    ]
    assert shop_words(items) == ["pan", "steel"]
    assert shop_words(items, min_items=1)[:3] == ["pan", "steel", "lid"]
    assert shop_words(items, limit=1) == ["pan"]


def test_dictionary_sources(tmp_path):
    (tmp_path / "words.txt").write_text("# own\nred\n\nblue \nred\n", encoding="utf-8")
    assert read_dictionary(str(tmp_path / "words.txt"), []) == ["red", "blue"]
    both = read_dictionary("visual+shop", [Item("1", "Zeppelin"), Item("2", "Zeppelin")])
    assert both[0] == word_list("visual_words")[0]
    assert both[-1] == "zeppelin"
    with pytest.raises(UserError, match=r"dictionary 'nowhere.txt': neither visual, shop"):
        read_dictionary("nowhere.txt", [])


@pytest.fixture(scope="session")
def tokenizer(mini_clip):
    return KeywordTokenizer(mini_clip, ["red", "blue", "mug", "tent"])


def test_dictionary_smaller_than_n(tokenizer):
    with pytest.raises(UserError, match="5 words per picture wanted, but the dictionary has 4"):
        tokenizer.keywords([Image.new("RGB", (9, 9))], 5)
    with pytest.raises(UserError, match="dictionary is empty"):
        KeywordTokenizer("anything", [])
    with pytest.raises(UserError, match="prompt must contain"):
        FeatureConfig(prompt="a photo")


def test_keywords_do_not_depend_on_the_batch(tokenizer):
    pictures = [Image.effect_noise((40 + i, 30), 60).convert("RGB") for i in range(5)]
    together = tokenizer.keywords(pictures, 4)
    for picture, expected in zip(pictures, together, strict=True):
        for one, many in zip(tokenizer.keywords([picture], 4)[0], expected, strict=True):
            assert one.word == many.word
            assert one.score == pytest.approx(many.score, abs=1e-3)
    assert isinstance(together[0][0], Keyword)


def test_one_bad_picture_stops_nothing(tokenizer, tmp_path):
    save(tmp_path, "good.png", Image.new("RGB", (9, 9), "red"))
    names = [("a", "bad.png"), ("b", "good.png"), ("c", "https://example.org/x.png")]
    cache = VectorCache(":memory:", "float32")
    *skipped, found = extract_keywords(tmp_path, names, tokenizer, 2, cache, batch_size=1)
    assert found["item_id"] == "b"
    assert len(found["words"]) == 2
    assert [(r["item_id"], r["reason"]) for r in skipped] == [
        ("a", "bad.png: no such file"),
        ("c", "https://example.org/x.png: a URL, not a file; download the picture into images/"),
    ]
