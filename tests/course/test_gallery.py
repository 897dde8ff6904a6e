"""Item images side by side, with titles and keywords."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from course import show_images
from PIL import Image


def test_images_have_titles_and_keywords(shown: list[dict[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "tent.png"
    Image.new("RGBA", (300, 150), (200, 30, 30, 128)).save(path)
    show_images(
        [path, Image.new("L", (10, 10)), None],
        ["a <tent>", "mug", "gone"],
        [["red"], [], []],
        size=50,
        columns=2,
        caption="Three items",
    )
    markup = shown[0]["text/html"]
    assert re.findall(r'alt="([^"]*)"', markup) == ["a &lt;tent&gt;: red", "mug"]
    assert markup.count("<tr") == 2
    assert "no image" in markup
    assert shown[0]["text/plain"] == "[images] Three items\n- a <tent>: red\n- mug\n- gone"
    (tmp_path / "page.jpg").write_text("<html>")
    images = [tmp_path / "TENT.PNG", tmp_path / "none.jpg", tmp_path / "no/page.jpg"]
    show_images(images, ["a", "b", "c"])
    assert shown[1]["text/html"].count("<img") == 1
    assert shown[1]["text/html"].count("no image") == 2
    with pytest.raises(ValueError, match="2 images, 1 titles"):
        show_images([None, None], ["one"])
