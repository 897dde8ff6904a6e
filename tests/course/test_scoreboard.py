"""The scoreboard: what was scored stays, stored results are those of the files, nothing stops."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
from course import load_progress, score, scoreboard
from course.scoreboard import BOUND, STORED, stored_result, upper_bound
from course.session import ROOT

from msm4sr_lite.config import UserError

Shown = list[dict[str, str]]
MODULE = sys.modules["course.scoreboard"]  # course.scoreboard is the function


@pytest.fixture(autouse=True)
def _no_results_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "_here", {})


def _lines(shown: Shown) -> list[str]:
    return shown[-1]["text/plain"].splitlines()


def test_results_stay_and_are_replaced(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    score("mine", 0.1, 0.09, 0.11)
    score("mine", 0.12, 0.1, 0.14)
    assert load_progress()["scores"] == {"mine": {"ndcg": 0.12, "low": 0.1, "high": 0.14}}
    monkeypatch.setattr(MODULE, "_here", {})  # another kernel
    scoreboard()
    bound, mine = _lines(shown)
    assert bound.startswith(BOUND)
    assert mine.split() == ["mine", "0.120", "[0.100,", "0.140]", "50%", "live"]


def test_the_best_is_first_and_stored_results_name_their_file(shown: Shown) -> None:
    score("mine", 0.05, 0.04, 0.06)
    scoreboard("popularity", "ItemKNN")
    names = [line.split()[0] for line in _lines(shown)]
    assert names == ["oracle", "ItemKNN", "mine", "popularity"]
    html = shown[-1]["text/html"]
    assert html.count("<strong>mine</strong>") == 1
    assert html.count("stored: docs/results/corner_shop-home-128/main.json") == 3


def test_stored_results_are_those_of_the_files() -> None:
    for name, (study, model) in STORED.items():
        path = ROOT / "docs/results" / study / "main.json"
        whole = json.loads(path.read_text("utf-8"))
        row, found = stored_result(name), whole["models"][model]["filter_seen"]["ndcg@10"]
        assert (row.ndcg, row.low, row.high) == (found["value"], found["low"], found["high"])
        assert ROOT / row.source == path
        assert len(whole["seeds"]) == 3  # as the caption says
        assert (whole["domain"], whole["cases"]) == ("home", 1200)
        assert math.isclose(whole["upper_bound"]["oracle"], upper_bound().ndcg, abs_tol=1e-6)


def test_a_build_shows_what_it_scored_and_no_student(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, student: Path
) -> None:
    score("student", 0.1, 0.09, 0.11)
    monkeypatch.setattr(MODULE, "_here", {})
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    score("build", 0.2, 0.19, 0.21)
    scoreboard("tuned")
    assert [line.split()[0] for line in _lines(shown)] == ["oracle", "build", "tuned"]
    assert "build" not in (student / "progress.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("", (0.1, 0.1, 0.1)),
        ("x" * 41, (0.1, 0.1, 0.1)),
        ("x", (0.1, 0.2, 0.3)),
        ("x", (0.1, 0.0, 0.05)),
        ("x", (math.nan, 0.0, 1.0)),
        ("x", (1.2, 1.1, 1.3)),
    ],
)
def test_what_is_no_result_is_refused(name: str, values: tuple[float, float, float]) -> None:
    with pytest.raises(UserError, match="needs a name"):
        score(name, *values)
    assert load_progress()["scores"] == {}


def test_an_unknown_stored_result_is_refused() -> None:
    with pytest.raises(UserError, match="no stored result"):
        scoreboard("sasrec")


@pytest.mark.parametrize("entry", [None, 3, {}, {"ndcg": "a", "low": 0, "high": 1}, {"ndcg": 0.1}])
def test_what_was_edited_is_left_out(shown: Shown, student: Path, entry: object) -> None:
    student.mkdir()
    scores = {"bad": entry, "<b>x</b>": {"ndcg": 0.1, "low": 0.1, "high": 0.1}}
    (student / "progress.json").write_text(json.dumps({"scores": scores}))
    scoreboard()
    assert len(_lines(shown)) == 2
    assert "<b>" not in shown[-1]["text/html"]
