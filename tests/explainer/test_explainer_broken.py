"""A copy of the page that is cut or damaged says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chromium import MARKS
from live_page import open_page

from docs.explainer.build import build_page

pytestmark = MARKS


@pytest.fixture(scope="module")
def source() -> str:
    return build_page()


def broken_line(browser: Any, path: Path, page: str, **options: Any) -> str:
    path.write_text(page, "utf-8")
    opened = open_page(browser, path.as_uri(), **options)
    lines = opened.locator("#broken:visible, .broken:visible").all_inner_texts()
    opened.context.close()
    return " ".join(lines)


def test_a_broken_copy_says_so(browser: Any, tmp_path: Path, source: str) -> None:
    start = source.index(">", source.index('id="weights"')) + 1000
    path = tmp_path / "index.html"
    assert broken_line(browser, path, source) == ""
    assert "incomplete" in broken_line(browser, path, source[: start + 50_000])
    other = "A" if source[start] != "A" else "B"
    damaged = source[:start] + other + source[start + 1 :]
    assert "weights are damaged" in broken_line(browser, path, damaged)
    assert "has failed" in broken_line(browser, path, source[:start] + "*" + source[start + 1 :])


def test_without_javascript_the_page_says_so(browser: Any, tmp_path: Path, source: str) -> None:
    line = broken_line(browser, tmp_path / "index.html", source, java_script_enabled=False)
    assert "needs JavaScript" in line


def test_a_later_fault_is_shown(browser: Any, address: str) -> None:
    page = open_page(browser, address)
    page.evaluate("setTimeout(() => { throw new Error('a test') })")
    page.locator("#broken:visible", has_text="a test").wait_for()
    page.context.close()
