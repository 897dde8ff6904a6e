"""The live page below a cell."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from course.live_page import TITLE, LivePage, live_page

from docs.explainer.build import build_page


class Frames(HTMLParser):
    """Collects the attributes of frames."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "iframe":
            self.found.append(dict(attrs))


def test_the_frame_holds_the_page_and_lets_it_run_scripts_only() -> None:
    part = LivePage()
    parser = Frames()
    parser.feed(part.box.value)
    (frame,) = parser.found
    assert frame["srcdoc"] == build_page()
    assert frame["sandbox"] == "allow-scripts"
    assert frame["title"] == TITLE
    part.close()


def test_a_stored_notebook_says_how_to_open_the_page(
    monkeypatch: pytest.MonkeyPatch, shown: list[dict[str, str]]
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    live_page()
    (bundle,) = shown
    assert "python -m docs.explainer.build" in bundle["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" not in bundle
