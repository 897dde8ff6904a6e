"""The page on a phone, and what the browser does with it: taps, fingers, the way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from chromium import MARKS
from live_page import open_page, titles

pytestmark = MARKS


@pytest.fixture
def phone(browser: Any, address: str) -> Iterator[Any]:
    opened = open_page(browser, address, (390, 844, "light"), has_touch=True, is_mobile=True)
    yield opened
    opened.context.close()


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("#item-card .weight", "Attention weight 0."),
        ("#item-card .strip", "64 numbers"),
        ("#mixup-rows .pair:last-child .strip", "Mt at position 1, 64 numbers"),
        ("#score-rows .score-bar", "cos(ht, zt) = "),
    ],
)
def test_a_tap_shows_the_exact_number_until_the_next_tap(phone: Any, place: str, text: str) -> None:
    phone.locator(place).first.tap()
    phone.wait_for_timeout(100)
    assert text in phone.inner_text("#tip")
    assert phone.locator("#tip").is_visible()
    assert "_" not in phone.inner_text("#tip")
    phone.locator("#item-card h3").tap()
    assert phone.locator("#tip").is_hidden()


def test_after_the_way_back_the_controls_show_the_state(page: Any, address: str) -> None:
    page.locator("[name=pairs][value=image]").check()
    page.evaluate("explainer.actions.set({ temperature: 1.5 })")
    page.locator("#temperature").fill("0.2")
    page.goto("about:blank")
    page.go_back()
    page.wait_for_timeout(300)
    stated = page.evaluate("[Math.log10(explainer.state.temperature), explainer.state.pairs]")
    assert float(page.input_value("#temperature")) == pytest.approx(stated[0], abs=0.02)
    assert page.locator("[name=pairs]:checked").get_attribute("value") == stated[1]


def test_removing_an_earlier_row_keeps_the_selected_item(page: Any) -> None:
    page.locator("#history-rows .pick").nth(2).click()
    wanted = titles(page, "#history-rows")[2]
    page.evaluate("explainer.actions.remove(0)")
    assert titles(page, "#history-rows .selected") == [wanted]
    assert wanted in page.inner_text("#item-card h3")


POINTER = """([selector, events]) => {
  const from = document.querySelector(selector);
  for (const [type, pointerId, x, y] of events)
    from.dispatchEvent(new PointerEvent(type, { pointerId, clientX: x, clientY: y, bubbles: true,
      isPrimary: pointerId === 1, pointerType: "touch", button: type === "pointermove" ? -1 : 0 }));
}"""


def test_a_second_finger_adds_no_second_item(page: Any) -> None:
    before = len(titles(page, "#history-rows"))
    box = page.locator("#history-rows .row").nth(1).bounding_box()
    x, y = box["x"] + 40, box["y"] + 10
    fingers = [("pointerdown", one, 300, 700) for one in (1, 2)]
    fingers += [("pointermove", one, x, y) for one in (1, 2)]
    fingers += [("pointerup", one, x, y) for one in (2, 1)]
    page.evaluate(POINTER, ["#shelf-items button", fingers])
    assert len(titles(page, "#history-rows")) == before + 1


WIDTHS = [320, 390, 844, 1280, 1350, 1351, 1366, 1920]


@pytest.mark.parametrize("width", WIDTHS)
def test_what_can_be_pressed_is_large_enough_for_a_finger(
    browser: Any, address: str, width: int
) -> None:
    phone = open_page(browser, address, (width, 844, "light"), has_touch=True)
    small = """() => [...document.querySelectorAll("button, select, input, a")].flatMap((one) => {
      const { width, height } = (one.closest("label.check") ?? one).getBoundingClientRect();
      return width && Math.min(width, height) < 43.5
        ? [`${one.outerHTML.slice(0, 80)}: ${width} x ${height}`] : [];
    })"""
    assert phone.evaluate(small) == []
    phone.click("#start-tour")
    assert phone.evaluate(small) == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= width
    cut = """() => [...document.querySelectorAll(".stage, .head > *, #attention-map, .title")]
      .filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth + 8)
      .map((one) => `${one.id}.${one.className} ${one.scrollWidth} > ${one.clientWidth}`)"""
    assert phone.evaluate(cut) == []
    title = phone.locator("#history-rows .selected .title").bounding_box()
    assert title["width"] > 60
    phone.context.close()


def test_a_finger_moves_a_row_by_its_handle(phone: Any) -> None:
    handle = phone.locator("#history-rows .handle").first
    assert handle.evaluate("one => getComputedStyle(one).touchAction") == "none"
    before = titles(phone, "#history-rows")
    box = phone.locator("#history-rows .row").nth(1).bounding_box()
    x, y = box["x"] + 20, box["y"] + box["height"] - 5
    events = [("pointerdown", 1, x, y - 60), ("pointermove", 1, x, y), ("pointerup", 1, x, y)]
    phone.evaluate(POINTER, ["#history-rows .handle", events])
    assert titles(phone, "#history-rows") == [before[1], before[0], *before[2:]]
