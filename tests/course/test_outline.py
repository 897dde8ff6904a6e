"""The strip above every notebook: what is done in each, and the same everywhere in a build."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from course import load_progress, record, setup
from course.outline import Chapter, outline_html, read_outline
from course.session import ROOT


def labels(markup: str) -> list[str]:
    return re.findall(r'aria-label="([^"]*)"', markup)


def test_the_outline_is_read_from_the_masters(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks" / "src"
    folder.mkdir(parents=True)
    head = "# ---\n# jupyter:\n#   msm4sr:\n#     title: The <encoder>\n# ---\n"
    body = 'check("05.mask", ...)\npredict(\n    "05.share", "?", a)\npredict("05.b", "?", a)\n'
    (folder / "05_encoder.py").write_text(head + body, encoding="utf-8")
    (folder / "helper.py").write_text(body, encoding="utf-8")
    (chapter,) = read_outline(tmp_path)
    exercises, predictions = frozenset({"05.mask"}), frozenset({"05.share", "05.b"})
    assert chapter == Chapter("05_encoder", "The <encoder>", exercises, predictions)


def test_what_is_done_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    chapters = (
        Chapter("04_x", "Mix <up>", frozenset({"04.a", "04.b"}), frozenset()),
        Chapter("05_y", "Encode", frozenset({"05.a"}), frozenset({"05.p", "05.q", "05.r"})),
    )
    monkeypatch.setattr("course.outline.read_outline", lambda: chapters)
    for name, value in (("04.a", "correct"), ("04.b", "not yet"), ("04.removed", "correct")):
        record("exercises", name, value)
    for name, entry in (("05.p", {"said": 3}), ("05.q", {"said": 1, "score": "near"}), ("05.r", 3)):
        record("predictions", name, entry)
    markup = outline_html("05")
    assert labels(markup) == [
        "04 Mix &lt;up&gt;: 1 of 2 exercises, 0 of 0 predictions",
        "05 Encode: 0 of 1 exercises, 2 of 3 predictions",
    ]
    assert re.findall(r'href="([^"]*)"', markup) == ["04_x.ipynb"]  # none to the one that is open
    assert markup.count("aria-current") == 1
    assert re.findall(r"<small>(\d\S* · \S*)</small>", markup) == ["1/2 · 0/0", "0/1 · 2/3"]


def test_every_notebook_is_there_with_its_title() -> None:
    masters = sorted((ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.py"))
    found = read_outline()
    assert [one.name for one in found] == [path.stem for path in masters]
    assert all(one.title and one.exercises for one in found)
    for one in found:
        assert {name[:2] for name in one.exercises | one.predictions} == {one.name[:2]}


def test_in_a_build_the_strip_says_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    record("exercises", "00.most_popular", "correct")
    live = outline_html("00")
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    markup = outline_html("00")
    assert live != markup
    assert "exercises" not in markup
    assert "href" not in markup  # where outputs are shown without a kernel, such links lead nowhere
    monkeypatch.setenv("MSM4SR_WORK", "/elsewhere")
    assert outline_html("00") == markup


def test_setup_shows_the_strip_in_a_kernel(
    shown: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kernel: Any = SimpleNamespace(
        get_ipython=lambda: object(), display=sys.modules["IPython"].display
    )
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setattr("gc.freeze", lambda: None)
    setup("05", seed=3)
    (bundle,) = shown
    line = "Notebook 05 is ready: sample data found, random seed 3."
    assert bundle["text/plain"] == line
    assert bundle["text/html"].count("aria-label") == 12
    assert line in bundle["text/html"]
    assert capsys.readouterr().out == ""
    assert load_progress()["exercises"] == {}
