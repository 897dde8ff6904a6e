"""The built site in a Chromium, opened as files: no network, no server.

Screenshots are left in ``build/screenshots/site``: a person should look at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import CHROMIUM, MARKS

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-core")
pytestmark = MARKS
SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots" / "site"
MAIN_PAGES = [
    "index",
    "explainer/index",
    "guide",
    "course/index",
    "course/00_start_here",
    "course/11_workshop_demo",
    "api/index",
    "api/losses",
    "api/settings",
    "paper_map",
    "differences",
    "results",
    "studies/index",
    "studies/hm_fashion-5core",
    "log",
    "glossary",
    "project/contributing",
]
PHONE, DESKTOP = 390, 1280


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture(
    params=[(DESKTOP, "light"), (PHONE, "dark")], ids=lambda p: f"{p[1]}-{p[0]}", scope="module"
)
def window(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    width, scheme = request.param
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.problems = []
    page.on("request", lambda r: page.problems.append(r.url) if is_outside(r.url) else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda r: page.problems.append(f"failed: {r.url}"))
    page.on(
        "console",
        lambda m: page.problems.append(m.text) if m.type in ("error", "warning") else None,
    )
    yield page
    context.close()


def is_outside(address: str) -> bool:
    return not address.startswith(("file:", "data:", "blob:"))


def violations(page: Any) -> list[str]:
    """Return the serious accessibility faults that axe-core finds, and an element of each."""
    page.wait_for_timeout(500)  # the theme's script lets the keyboard reach what scrolls
    options = {"preload": False}  # style sheets beside a file cannot be requested
    found = axe.Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", MAIN_PAGES)
def test_a_page_is_whole_and_accessible(site: Path, window: Any, name: str) -> None:
    window.problems.clear()
    window.goto(f"{site.as_uri()}/{name}.html", wait_until="load")
    assert window.problems == []
    wide = window.evaluate("document.documentElement.scrollWidth")
    width = window.viewport_size["width"]
    SHOTS.mkdir(parents=True, exist_ok=True)
    window.screenshot(path=SHOTS / f"{name.replace('/', '-')}-{width}.png")
    assert wide <= width, "the page scrolls sideways"
    assert violations(window) == []


@pytest.mark.parametrize("words", ["mixup", "ItemKNN", "next_item_loss"])
def test_the_search_works_without_a_server(site: Path, window: Any, words: str) -> None:
    window.problems.clear()
    window.goto(f"{site.as_uri()}/search.html?q={words}")
    results = window.locator("#search-results ul.search li a")
    results.first.wait_for()
    assert results.count() >= 2
    window.wait_for_function(
        "!document.querySelector('#search-results h2')?.textContent.includes('...')"
    )
    assert window.problems == []
    assert violations(window) == []
    results.first.click()
    sync_api.expect(window.locator("main")).to_contain_text(words, ignore_case=True)


def test_light_and_dark_differ(site: Path, browser: Any) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        page = browser.new_context(color_scheme=scheme).new_page()
        page.goto(f"{site.as_uri()}/index.html")
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.context.close()
    assert len(colours) == 2


def test_faults_are_found(browser: Any) -> None:
    page = browser.new_page()
    page.set_content("<html><title>x</title><main><img src='data:image/png,'></main></html>")
    assert {one.partition(":")[0] for one in violations(page)} == {"image-alt", "html-has-lang"}
    page.close()
