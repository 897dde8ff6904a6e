"""The dictionaries: lists, the shop's own words, labels of a column."""

import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.extract.dictionary import read_dictionary, shop_words, word_list
from msm4sr_lite.shop import Item


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
