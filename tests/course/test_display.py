"""Foreign text is made harmless before it is shown."""

from __future__ import annotations

import pytest
from course import escape
from course.display import isolate


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("""a "b" 'c' & d""", "a &quot;b&quot; &#x27;c&#x27; &amp; d"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("\u05db\u05d3 12", "\u2068\u05db\u05d3 12\u2069"),
        ("👩\u200d🚀 🇳🇴", "👩\u200d🚀 🇳🇴"),
        ("null\x00esc\x1b\ud800", "null\ufffdesc\ufffd\ufffd"),
        (3.5, "3.5"),
    ],
)
def test_foreign_text_is_harmless(text: object, safe: str) -> None:
    assert escape(text) == safe


def test_isolate_keeps_lines() -> None:
    assert isolate("one\n\ttwo") == "one\n\ttwo"
