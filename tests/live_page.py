"""The live page in a Chromium without network, for the tests in ``tests/explainer``."""

from __future__ import annotations

from typing import Any

Window = tuple[int, int, str]  # width, height, colour scheme
WINDOW: Window = (1280, 800, "light")


def open_page(browser: Any, address: str, window: Window = WINDOW, **options: Any) -> Any:
    """Open the page; what it says to the console and what it requests is in ``problems``."""
    width, height, scheme = window
    size = {"width": width, "height": height}
    context = browser.new_context(
        viewport=size, color_scheme=scheme, reduced_motion="reduce", offline=True, **options
    )
    page = context.new_page()
    page.problems = []
    page.on("request", lambda r: page.problems.append(r.url) if r.url != address else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(message.text))
    page.goto(address)
    page.problems = [one for one in page.problems if not one.startswith("data:")]
    return page


def titles(page: Any, where: str) -> list[str]:
    return page.locator(f"{where} .title").all_inner_texts()
