"""The drawings: well formed, and readable on every page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from base64 import b64decode
from pathlib import Path

import pytest
from course.drawings import FOLDER, drawing

from tests.chromium import CHROMIUM, MARKS

SVG = "{http://www.w3.org/2000/svg}"
FILES = sorted(FOLDER.glob("*.svg"))
DRAWINGS = {path.name: path.read_text(encoding="utf-8") for path in FILES}
PAPER, WIDTH = "#fffdf8", 680  # the card that all drawings stand on
# In every drawing: texts that leave the card, and texts that cover one another.
COLLISIONS = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const { width, height } = svg.viewBox.baseVal;
  const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBBox()]);
  const outside = texts.filter(([, b]) =>
    b.x < 8 || b.y < 4 || b.x + b.width > width - 8 || b.y + b.height > height - 4);
  const over = texts.flatMap(([one, a], i) => texts.slice(i + 1).filter(([, b]) =>
    Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x) > 1 &&
    Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y) > 4)
    .map(([two]) => one + ' | ' + two));
  return [...outside.map(([text]) => text), ...over].map(t => svg.querySelector('title').textContent
    + ': ' + t);
})"""


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def problems(svg: str) -> list[str]:
    """What is wrong with a drawing."""
    root, found = ET.fromstring(svg), []
    for tag in ("title", "desc"):
        element = root.find(f"{SVG}{tag}")
        if element is None or not (element.text or "").strip():
            found.append(f"no {tag}")
        elif element.get("id") not in root.get("aria-labelledby", "").split():
            found.append(f"{tag} does not name the drawing")
    if re.search(r"<(script|a|image|foreignObject|use)\b|href|@import|\bon\w+=|url\((?!#)", svg):
        found.append("a script, a link or a foreign file")
    if not re.match(r'<svg [^>]*width="\d+" height="\d+" viewBox="0 0 \d+ \d+"', svg):
        found.append("no width, height and viewBox")
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    if missing := set(re.findall(r"url\(#([^)]*)\)", svg)) - set(ids):
        found.append(f"no pattern {missing}")
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)]
    if min(sizes) * 900 / WIDTH < 14:
        found.append("text below 14 px at a width of 900")
    card = root.find(f"{SVG}rect")
    if card is None or card.get("fill") != PAPER or float(card.get("width", 0)) < WIDTH - 4:
        found.append("no card behind everything")
    if len(svg.encode()) > 40_000:
        found.append("more than 40 kB")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_drawing_is_sound(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8")) == []


def test_unsound_drawings_are_found() -> None:
    sound = DRAWINGS["mixup.svg"]
    broken = {
        "no title": re.sub(r"<title.*</title>", "", sound),
        "desc does not name the drawing": sound.replace(" mixup-desc", ""),
        "a script, a link or a foreign file": sound.replace("</svg>", "<script/></svg>"),
        "text below 14 px at a width of 900": sound.replace('font-size="16"', 'font-size="10"'),
        "no pattern {'mixup-image'}": sound.replace('id="mixup-image"', ""),
        "no width, height and viewBox": sound.replace("viewBox", "box"),
        "no card behind everything": sound.replace(PAPER, "none"),
    }
    assert {name: problems(svg) for name, svg in broken.items()} == {n: [n] for n in broken}


def test_ids_are_unique_over_all_drawings() -> None:
    ids = [found for svg in DRAWINGS.values() for found in re.findall(r' id="([^"]*)"', svg)]
    assert len(ids) == len(set(ids))


def test_words_stand_out_from_every_ground() -> None:
    style = "".join(DRAWINGS.values())
    inks = dict(re.findall(r"\.i-(\w+)\{fill:(#\w{6})\}", style))
    fills = dict(re.findall(r"\.k-(\w+)\{fill:(#\w{6})", style))
    light, dark = inks.pop("light"), fills.pop("dark")
    assert len(inks) > 4
    assert len(fills) > 4
    assert (
        min(contrast(ink, ground) for ink in inks.values() for ground in (PAPER, *fills.values()))
        >= 4.5
    )
    assert contrast(light, dark) >= 4.5


def test_drawing_is_shown_with_its_words(shown: list[dict[str, str]]) -> None:
    drawing("mixup")
    (bundle,) = shown
    assert bundle["text/plain"].startswith("[drawing] Complementary mixup: ")
    alt = re.search(r'alt="([^"]*)"', bundle["text/html"])
    assert alt
    assert alt[1] == bundle["text/plain"].removeprefix("[drawing] ")
    source = re.search(r"base64,([^\"]*)", bundle["text/html"])
    assert source
    assert b64decode(source[1]).decode() == DRAWINGS["mixup.svg"]
    with pytest.raises(ValueError, match=r"no drawing 'mixing' in .*; choose one of .*mixup"):
        drawing("mixing")


class TestInBrowser:
    """Texts lie where they belong, as a browser sets them."""

    pytestmark = MARKS

    def test_no_text_collides(self) -> None:
        from playwright.sync_api import sync_playwright

        one, other = (
            f'<text x="28" y="44" font-size="20">{word}</text>' for word in ("one", "two")
        )
        beyond = '<text x="660" y="70" font-size="20">beyond</text>'
        colliding = (
            '<svg xmlns="http://www.w3.org/2000/svg" width="680" height="80" viewBox="0 0 680 80">'
            f"<title>T</title>{one}{other}{beyond}</svg>"
        )
        with sync_playwright() as browsers:
            browser = browsers.chromium.launch(executable_path=CHROMIUM)
            page = browser.new_page()
            found = []
            for wide in ("'Segoe UI'", "'DejaVu Sans','Verdana'"):  # as wide as fonts get
                page.set_content("".join(DRAWINGS.values()).replace("'Segoe UI'", wide))
                found += page.evaluate(COLLISIONS)
            page.set_content(colliding)
            noticed = page.evaluate(COLLISIONS)
            browser.close()
        assert found == []
        assert noticed == ["T: beyond", "T: one | two"]
