"""Items chosen by picture: what a tap, the list and the arrow keys lead to."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
from course import Picture, item_pictures, panel, picture_choice
from course.panels import LivePanel, open_panels
from course.pictures import thumbnail
from course.taps import TapView, _widget_class
from PIL import Image

from msm4sr_lite.dataset.dataset import Dataset

HOSTILE = '<img src=x onerror="alert(1)">\u202e'


def make(folder: Path) -> list[Picture]:
    Image.new("RGB", (40, 40), "teal").save(folder / "teal.png")
    return [
        Picture("a", "A mug", folder / "teal.png"),
        Picture("b", HOSTILE, folder / "missing.png"),
        Picture("c", "No picture"),
    ]


def draw(item: str) -> tuple[str, str]:
    return f"<p>{item}</p>", item


def grid_of(live: LivePanel) -> Any:
    """Return the heading, the list and the grid of a panel with one control."""
    return live.box.children[1].children


def test_a_tapped_picture_is_drawn(tmp_path: Path) -> None:
    live = LivePanel(draw, [picture_choice("item", make(tmp_path), "c", label="item")])
    _, listed, grid = grid_of(live)
    assert "<p>c</p>" in live.view.value
    assert grid.chosen == "c"
    grid._handle_custom_msg({"tap": "a", "value": ""}, [])
    assert "<p>a</p>" in live.view.value
    assert (listed.value, grid.chosen) == ("a", "a")
    listed.value = "b"
    assert "<p>b</p>" in live.view.value
    assert grid.chosen == "b"
    grid._handle_custom_msg({"tap": "z", "value": ""}, [])  # of an older grid
    assert "<p>b</p>" in live.view.value
    live.close()


def test_every_picture_has_a_name_and_foreign_text_is_harmless(tmp_path: Path) -> None:
    live = LivePanel(draw, [picture_choice("item", make(tmp_path))])
    markup = grid_of(live)[2].value
    assert "<img src=x" not in markup
    assert "\u202e" not in markup
    named = re.findall(r'data-tap="(\w)" aria-label="([^"]*)"', markup)
    assert named == [("a", "A mug"), ("b", html.escape(HOSTILE[:-1])), ("c", "No picture")]
    assert markup.count("no image") == 2
    live.close()


def test_the_list_hides_once_the_grid_is_there(tmp_path: Path) -> None:
    live = LivePanel(draw, [picture_choice("item", make(tmp_path))])
    _, listed, grid = grid_of(live)
    assert listed.layout.display is None
    grid._handle_custom_msg({"ready": True}, [])
    assert listed.layout.display == "none"
    live.close()


def test_without_anywidget_there_is_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course.taps.find_spec", lambda name: None)
    _widget_class.cache_clear()
    try:
        live = LivePanel(draw, [picture_choice("item", make(tmp_path))])
        grid_of(live)[1].value = "c"
        assert "<p>c</p>" in live.view.value
        live.close()
        heard: list[tuple[str, str]] = []
        view = TapView("choose", lambda *tap: heard.append(tap))
        view.show("<p>two</p>", [("one", "first", ""), ("two", "second", "x")])
        view.list.value = view.list.options[2][1]
        view.choose("first")
        view.show("<p>three</p>", [("one", "first", "")])
        assert heard == [("second", "x")]
        assert view.list.value is None
    finally:
        _widget_class.cache_clear()


def test_a_build_says_which_picture_was_chosen(
    tmp_path: Path, shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    control = picture_choice("item", make(tmp_path), label="the item")
    panel(draw, control, title="Grid", static=[{"item": "a"}])
    assert "[figure] the item = A mug: a" in shown[0]["text/plain"]
    assert shown[1]["text/plain"] == "[interactive panel] Grid: the item: one of 3 pictures"
    monkeypatch.setenv("MSM4SR_STATIC", "0")
    panel(draw, control, title="Grid", static=[{"item": "a"}])
    assert len(shown) == 3
    open_panels.pop("Grid").close()


def test_the_items_of_a_dataset(sample_dataset: Path) -> None:
    dataset = Dataset.from_folder(sample_dataset, domain="home")
    first, *_, none = item_pictures(dataset, ["h0001", "h0002", "h0008"])
    assert first == ("h0001", dataset.items["h0001"].title, sample_dataset / "images/h0001_1.png")
    assert none.image is None
    assert thumbnail(first.image, 80).startswith("data:image/png;base64,")
    assert len(item_pictures(dataset)) == 400
    with pytest.raises(ValueError, match=r"item must start at one of its values"):
        picture_choice("item", [first], start="h9999")
