"""Fine-tuned items, items without keywords, forced colours, paper, and large text."""

from __future__ import annotations

from typing import Any

import pytest
from chromium import MARKS
from live_page import open_page

pytestmark = MARKS


def test_after_fine_tuning_the_equation_names_the_id_embedding(page: Any) -> None:
    for stage, shown in (("start", False), ("pretrained", False), ("finetuned", True)):
        page.locator(f"[name=stage][value={stage}]").check()
        assert ("+ ID embedding" in page.locator("#item-card .note").last.inner_text()) == shown


def test_without_keywords_the_text_is_used(page: Any) -> None:
    for slot in range(5):
        page.locator(f"[data-key=use-{slot}]").click()
    assert "text’s embedding is used for the image as well: zv = zt." in page.inner_text(
        "#item-card"
    )
    assert page.locator("#item-card [role=img].gate.image").count() == 0
    z = [
        page.locator("#mixup-rows .selected .strip").nth(k).get_attribute("data-tip")
        for k in (0, 1)
    ]
    assert z[0].removeprefix("z_t") == z[1].removeprefix("z_v")


COLOUR = "one => getComputedStyle(one).backgroundColor"


def test_forced_colours_keep_bars_and_choices(browser: Any, address: str) -> None:
    page = open_page(browser, address, forced_colors="active")
    paper = page.locator("body").evaluate(COLOUR)
    marks = [".slot .bar", ".score-bar .bar", ".gate span", "h2 i", "fieldset input:checked + span"]
    for place in [*marks, "#attention-heads [aria-pressed=true]", "td.own"]:
        assert page.locator(place).first.evaluate(COLOUR) not in {paper, "rgba(0, 0, 0, 0)"}, place
    page.context.close()


@pytest.mark.parametrize("window", [(390, 844, "light"), (1280, 800, "light")])
def test_on_paper_nothing_lies_over_the_drawing(browser: Any, address: str, window: Any) -> None:
    page = open_page(browser, address, window)
    page.click("#start-tour")
    page.locator("#item-card .weight").first.hover()
    page.emulate_media(media="print")
    for place in ("#top-strip", "#tour", "#tip"):
        assert page.locator(place).is_hidden()
    adjust = "one => getComputedStyle(one).printColorAdjust"
    assert page.locator(".slot .bar").first.evaluate(adjust) == "exact"
    page.context.close()


@pytest.mark.parametrize("width", [1101, 1180, 1263, 1280])
def test_nothing_overflows_in_windows_of_tablets(browser: Any, address: str, width: int) -> None:
    page = open_page(browser, address, (width, 800, "light"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = """() => [...document.querySelectorAll(".stage, .stage .row, #item-card, .head > *")]
      .filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth + 8)
      .map((one) => `${one.id}.${one.className} ${one.scrollWidth} > ${one.clientWidth}`)"""
    assert page.evaluate(cut) == []
    page.context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_text_of_twice_the_size_fits(browser: Any, address: str, width: int) -> None:
    """The browser's font size counts, rows grow with it, and nothing is cut or overlaps."""
    page = open_page(browser, "about:blank", (width, 844, "light"))
    session = page.context.new_cdp_session(page)
    session.send("Page.enable")
    session.send("Page.setFontSizes", {"fontSizes": {"standard": 32, "fixed": 26}})
    page.goto(address)
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "30px"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = """() => [...document.querySelectorAll(".stage, .slot, .title, .pick, #attention-map")]
      .filter((one) => one.scrollWidth > one.clientWidth + 8
        || (one.matches(".pick, .title") && one.scrollHeight > one.clientHeight + 2))
      .map((one) => `${one.id}.${one.className}`)"""
    assert page.evaluate(cut) == []
    lane = page.locator("#mixup-rows path.text").first.bounding_box()
    strip = page.locator("#mixup-rows .strip.text").first.bounding_box()
    assert lane["y"] + lane["height"] / 2 == pytest.approx(strip["y"] + strip["height"] / 2, abs=3)
    page.context.close()
