"""The guided tour: what it shows, what it keeps, and that its card hides nothing."""

from __future__ import annotations

from typing import Any

import pytest
from chromium import MARKS
from live_page import open_page, titles

pytestmark = MARKS
WINDOWS = [(320, 640), (390, 844), (844, 390), (1101, 700), (1280, 600), (1280, 800), (1920, 1080)]
SHOWN = """() => {
  const { history, selected, stage, withMixup, probability, user } = explainer.state;
  return JSON.stringify([history, selected, stage, withMixup, probability, user]);
}"""


def test_the_tour_goes_from_the_history_to_free_play(page: Any) -> None:
    page.click("#start-tour")
    headings = []
    while page.locator("#tour").is_visible():
        headings.append(page.inner_text("#tour-heading"))
        assert page.locator(".lit").count() == 1
        assert "_" not in page.inner_text("#tour-text")
        described = page.locator("#tour-heading").get_attribute("aria-describedby")
        assert page.locator(":focus").get_attribute("id") == "tour-heading"
        assert described == "tour-text"
        page.click("#tour-next")
    assert 10 <= len(headings) <= 12
    assert {"What is mixup?", "Why mixup?"} <= {*headings}
    page.click("#start-tour")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#tour-heading") == headings[1]
    page.keyboard.press("Escape")
    assert page.locator("#tour").is_hidden()


def test_a_step_shows_the_same_whatever_came_before(page: Any) -> None:
    """The tour starts from the page as it opens; its end brings back what the visitor had."""
    page.click("#start-tour")
    opened = page.evaluate(SHOWN)
    page.click("#tour-close")
    page.select_option("#user", "")
    for number in (3, 8, 20):
        page.locator("#shelf-items button").nth(number).click()
    page.locator("#with-mixup").uncheck()
    page.locator("[name=stage][value=start]").check()
    own = page.evaluate(SHOWN)
    page.click("#start-tour")
    assert page.evaluate(SHOWN) == opened
    for _ in range(10):  # to the step on InfoNCE, which shows the pre-trained model
        page.click("#tour-next")
    assert page.evaluate("explainer.state.stage") == "pretrained"
    page.click("#tour-close")
    assert page.evaluate(SHOWN) == own
    assert len(titles(page, "#history-rows")) == 3


def test_what_is_changed_at_the_last_step_stays(page: Any) -> None:
    """It says "your turn": by then the page is back where the visitor was."""
    page.locator("#with-mixup").uncheck()
    page.click("#start-tour")
    assert page.locator("#with-mixup").is_checked()
    while page.inner_text("#tour-next") == "Next":
        page.click("#tour-next")
    assert not page.locator("#with-mixup").is_checked()
    page.select_option("#user", "4")
    page.click("#tour-next")
    assert page.locator("#tour").is_hidden()
    assert page.input_value("#user") == "4"


def test_the_tour_leaves_keys_to_what_has_the_focus(page: Any) -> None:
    page.click("#start-tour")
    first = page.inner_text("#tour-heading")
    page.keyboard.press("Alt+ArrowRight")
    page.locator("#shelf-items button").first.focus()
    page.keyboard.press("ArrowRight")
    page.locator(".scroll").focus()
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#tour-heading") == first


@pytest.mark.parametrize("window", WINDOWS, ids=lambda w: f"{w[0]}x{w[1]}")
def test_the_card_does_not_hide_its_subject(
    browser: Any, address: str, window: tuple[int, int]
) -> None:
    """In a wide window it stands beside. Else at least a third of the window stays free."""
    page = open_page(browser, address, (*window, "light"))
    page.click("#start-tour")
    seen = """() => {
      const box = (selector) => document.querySelector(selector).getBoundingClientRect();
      const [lit, card] = [".lit", "#tour"].map(box);
      const beside = lit.right <= card.left || lit.left >= card.right;
      const top = Math.max(0, lit.top);
      const bottom = Math.min(innerHeight, lit.bottom, beside ? innerHeight : card.top);
      const hasRoom = innerWidth > 1270 && lit.width < innerWidth - card.width - 60;
      const enough = hasRoom ? Math.min(innerHeight, lit.bottom) - top
        : Math.min(lit.height, innerHeight / 3);
      return [bottom - top, enough, card.top, innerHeight - card.bottom];
    }"""
    hidden = []
    while page.locator("#tour").is_visible():
        shown, enough, above, below = page.evaluate(seen)
        assert min(above, below) >= 0
        if shown < enough - 1:
            hidden.append((page.inner_text("#tour-heading"), shown, enough))
        page.click("#tour-next")
    page.context.close()
    assert hidden == []
