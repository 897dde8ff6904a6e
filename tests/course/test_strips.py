"""Strips of cards: what is foreign in them is harmless, what is missing is said."""

from pathlib import Path

import pytest
from course import blank_card, item_card, strips
from PIL import Image

from msm4sr_lite.dataset.dataset import Item


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 20), "red").save(tmp_path / "a.png")
    return tmp_path


def test_foreign_text_is_harmless(folder: Path) -> None:
    nasty = Item("1", '<script>alert("x")</script>', description="a\u202eb", images=("a.png",))
    for modality in ("text", "image"):
        shown = item_card(nasty, modality, folder, [["<b>red</b>", '"mug"']])
        assert "<script>" not in shown.html
        assert "<b>red" not in shown.html
        assert "\u202e" not in shown.html
    html, _ = strips({"<i>": [shown]}, ["<u>"], "<em>")
    assert not any(tag in html for tag in ("<i>", "<u>", "<em>"))


def test_a_card_shows_one_modality(folder: Path) -> None:
    mug = Item("1", "Mug", description="Holds tea.", images=("a.png",))
    assert item_card(mug, "text", folder).text == "Mug"
    assert "<img" not in item_card(mug, "text", folder).html
    assert item_card(mug, "image", folder, [["red", "mug"]]).text == "image: red, mug"
    assert 'alt="image: red, mug"' in item_card(mug, "image", folder, [["red", "mug"]]).html
    assert item_card(Item("1", "Mug"), "image", folder).text == "no image"
    assert item_card(Item("1", images=("a.png",)), "text", folder).text == "no text"
    assert item_card(Item("1", text="Plain words"), "text", folder).text == "no title"
    assert "Plain words" in item_card(Item("1", text="Plain words"), "text", folder).html


def test_long_texts_are_cut_between_words(folder: Path) -> None:
    item = Item("1", "Mug", description="many " * 40)
    assert item_card(item, "text", folder).html.endswith("many …</td>")


def test_strips_also_come_as_plain_text(folder: Path) -> None:
    mug = item_card(Item("1", "Mug"), "text", folder)
    html, text = strips({"Z_t": [mug, mug], "Z_v": [mug, mug]}, range(1, 3), "Two mugs")
    assert text == "[strips] Two mugs\nZ_t: Mug | Mug\nZ_v: Mug | Mug"
    assert html.count("<tr") == 3


def test_a_note_and_an_empty_place(folder: Path) -> None:
    mug = item_card(Item("1", "Mug"), "text", folder, note="find <this>")
    assert mug.text == "find <this>: Mug"
    assert "find &lt;this&gt;" in mug.html
    assert "background:#fff" in mug.html
    assert "background:#fff" not in item_card(Item("1", "Mug"), "text", folder).html
    _, text = strips(
        {"train": [mug, blank_card()], "test": [blank_card("later"), mug]}, "ab", "Split"
    )
    assert text == "[strips] Split\ntrain: find <this>: Mug | -\ntest: later | find <this>: Mug"
    assert "&lt;i&gt;" in blank_card("<i>").html
