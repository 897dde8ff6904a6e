"""The page in a Chromium without network: equal to PyTorch, fast, quiet, accessible.

Screenshots are left in ``build/screenshots/explainer``: a person should look at them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stored_models
from chromium import MARKS
from live_page import open_page, titles

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core")
pytestmark = MARKS
SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots" / "explainer"
WINDOWS = [(1280, 800, "light"), (390, 844, "dark"), (1920, 1080, "dark")]


@pytest.mark.parametrize("name", stored_models.MODELS)
def test_scores_equal_pytorch(page: Any, name: str) -> None:
    histories = stored_models.draw_histories(60)
    scored = "([n, hs]) => hs.map(h => explainer.computer.score(n, h).scores)"
    found = page.evaluate(scored, [name, histories])
    model = stored_models.load(name)
    for history, scores in zip(histories, found, strict=True):
        for modality, wanted in stored_models.score(model, history).items():
            ours = [one[modality] for one in scores]
            assert ours == pytest.approx(wanted.tolist(), abs=1e-4)


@pytest.mark.parametrize("window", WINDOWS, ids=lambda w: f"{w[2]}-{w[0]}")
def test_the_page_is_accessible_and_fits(
    browser: Any, address: str, window: tuple[int, int, str]
) -> None:
    page = open_page(browser, address, window)
    page.wait_for_timeout(700)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{window[2]}-{window[0]}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= window[0]
    assert serious(page) == []
    page.click("#start-tour")
    assert serious(page) == []
    page.screenshot(path=SHOTS / f"{window[2]}-{window[0]}-tour.png")
    assert [one for one in page.problems if not one.startswith("data:")] == []
    page.context.close()


def serious(page: Any) -> list[str]:
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_nothing_foreign_runs_or_loads(browser: Any, address: str) -> None:
    page = open_page(browser, address)
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "globalThis.foreign = true";
      const image = document.createElement("img");
      image.src = "https://a.example/x.png";
      document.body.append(script, image);
    }""")
    page.wait_for_timeout(200)
    assert page.evaluate("globalThis.foreign") is None
    assert sum("Content Security Policy" in one for one in page.problems) == 2
    page.context.close()


def test_a_history_is_built_with_the_mouse(page: Any) -> None:
    page.select_option("#user", "")
    assert titles(page, "#score-rows") == []
    shelf = page.locator("#shelf-items button")
    for number in (3, 8):
        shelf.nth(number).click()
    rows = page.locator("#history-rows .row")
    drag(page, shelf.nth(20), rows.first, above=True)
    wanted = [stored_models.DATA["items"][number]["title"] for number in (20, 3, 8)]
    assert titles(page, "#history-rows") == wanted
    drag(page, page.locator("#history-rows .pick").first, rows.last, above=False)
    assert titles(page, "#history-rows") == [*wanted[1:], wanted[0]]
    # Let go elsewhere, or after Escape, an item stays where it was.
    drag(page, page.locator("#history-rows .pick").first, page.locator("#scores"), above=True)
    drag(page, page.locator("#history-rows .pick").first, rows.last, above=False, escape=True)
    assert titles(page, "#history-rows") == [*wanted[1:], wanted[0]]
    assert page.locator(".ghost").count() == 0


def drag(page: Any, source: Any, target: Any, *, above: bool, escape: bool = False) -> None:
    """Drag one element to the upper or lower part of another one."""
    source.hover()
    page.mouse.down()
    box = target.bounding_box()
    y = box["y"] + (5 if above else box["height"] - 5)
    page.mouse.move(box["x"] + 60, y, steps=5)
    if escape:
        page.keyboard.press("Escape")
    page.mouse.up()


def test_everything_can_be_done_with_the_keyboard(page: Any) -> None:
    before = titles(page, "#history-rows")
    page.locator("#history-rows .pick").nth(1).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the button that moves it earlier keeps the focus
    assert titles(page, "#history-rows") == [before[1], before[0], *before[2:]]
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.locator(":focus[aria-label^=Remove]").press("Enter")
    assert len(titles(page, "#history-rows")) == len(before) - 1
    page.locator("#shelf-items button").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert titles(page, "#history-rows")[-1] == stored_models.DATA["items"][1]["title"]
    assert "First recommendation" in page.inner_text("#live")
    page.locator("#mixup-rows [role=switch]").first.press("Space")
    assert page.locator("#mixup-rows [role=switch]:focus").get_attribute("aria-checked") == "true"


def test_mixup_training_makes_swaps_harmless(page: Any) -> None:
    """The page says so beside numbers that it measures itself; they must not say the opposite."""
    sync_api.expect(page.locator("#why-with")).not_to_be_empty(timeout=30_000)
    names = ("with", "without", "untrained", "chance")
    kept, lost, untrained, chance = (float(page.inner_text(f"#why-{name}")) for name in names)
    assert kept > lost + 1
    assert lost > untrained > chance > 1
