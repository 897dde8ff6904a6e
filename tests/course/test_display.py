"""Foreign text is made harmless before it is shown."""

from __future__ import annotations

import re

import pytest
from course import escape, show_html
from course.display import isolate


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("""a "b" 'c' & d""", "a &quot;b&quot; &#x27;c&#x27; &amp; d"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("\u05db\u05d3 12", "\u2068\u05db\u05d3 12\u2069"),
        ("👩\u200d🚀 🇳🇴", "👩\u200d🚀 🇳🇴"),
        ("ze\u200bro\ufeff so\xadft", "zero soft"),
        ("hid\U000e0041den \u206alines\u2028end", "hidden lines\ufffdend"),
        ("null\x00esc\x1b\ud800", "null\ufffdesc\ufffd\ufffd"),
        (3.5, "3.5"),
    ],
)
def test_foreign_text_is_harmless(text: object, safe: str) -> None:
    assert escape(text) == safe


def test_isolate_keeps_lines() -> None:
    assert isolate("one\n\ttwo") == "one\n\ttwo"


def test_prices_in_html_are_no_formula(shown: list[dict[str, str]]) -> None:
    show_html("<p>from $5 to $6</p>", "from $5 to $6")
    (bundle,) = shown
    assert re.fullmatch(r'<div class="mathjax_ignore[^>]*>.*</div>', bundle["text/html"])
    assert bundle["text/plain"] == "from $5 to $6"
