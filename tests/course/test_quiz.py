"""Quizzes: two questions a notebook, explained answers, the first answer counts."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from course import load_progress, predictions, quiz, record
from course.quiz import Question, find_questions
from course.session import ROOT

from msm4sr_lite.config import UserError

QUESTIONS = (
    Question(
        "What does `softmax(x)` do with <b>padding</b>?",
        (
            ("nothing", "Masked scores are minus infinity."),
            ("<i>ignores</i> it", "Its share is 0."),
            ("shares", "No: that is the error without a mask."),
        ),
        right=1,
    ),
    Question("Which is larger?", (("one", "It is."), ("none", "Look again."))),
)


@pytest.fixture(autouse=True)
def exercises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let notebook 95 have a quiz."""
    monkeypatch.setitem(sys.modules, "course.exercises.nb95", SimpleNamespace(QUIZ=QUESTIONS))
    monkeypatch.setitem(sys.modules, "course.exercises.nb94", ModuleType("nb94"))
    monkeypatch.setattr(predictions, "_open", {})


def parts(place: int) -> Any:
    """Return buttons, submit and state of a question."""
    return predictions._open["quiz 95"].children[place].children[1:]  # type: ignore[attr-defined]


def test_the_first_answer_counts_and_all_are_explained(shown: list[dict[str, str]]) -> None:
    quiz("95")
    buttons, submit, state = parts(0)
    submit.click()
    assert "Choose an answer first." in state.value
    assert load_progress()["quizzes"] == {}
    for text, explanation in QUESTIONS[0].options:
        buttons.value = text
        assert explanation not in state.value
        submit.click()
        assert explanation in state.value
        assert ("✓ Right." in state.value) == (text == QUESTIONS[0].options[1][0])
    assert load_progress()["quizzes"] == {"95.1": {"said": "nothing", "score": "wrong"}}
    quiz("95")
    assert "Your first answer was wrong." in parts(0)[2].value
    assert parts(1)[2].value == ""


def test_every_control_has_a_name(shown: list[dict[str, str]]) -> None:
    quiz("95")
    names = [one.description for place in (0, 1) for one in parts(place)[:2]]
    assert names == ["Question 1", "Answer question 1", "Question 2", "Answer question 2"]


def test_static(shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    quiz("95")
    (bundle,) = shown
    assert bundle.keys() == {"text/plain", "text/html"}
    markup, lines = bundle["text/html"], bundle["text/plain"].splitlines()
    assert markup.count("<details>") == 2
    assert "Its share is 0." in markup.partition("<details>")[2]
    assert "Its share is 0." not in markup.partition("<details>")[0]
    assert "<b>" not in markup
    assert "&lt;i&gt;ignores&lt;/i&gt;" in markup
    assert "<code>softmax(x)</code>" in markup
    letter = lines[-1].split()[2].rstrip(",")
    assert f"  {letter}) <i>ignores</i> it" in lines


@pytest.mark.parametrize("entry", [None, 3, [], {"score": "<script>"}, {"score": {"a": 1}}])
def test_a_file_that_somebody_has_changed_stops_nothing(
    entry: Any, shown: list[dict[str, str]]
) -> None:
    record("quizzes", "95.1", entry)
    quiz("95")
    assert "<script>" not in parts(0)[2].value


def test_the_order_shown_does_not_give_the_answer_away() -> None:
    options = tuple((letter, "Because.") for letter in "abcd")
    places = {
        [good for *_, good in Question(f"Question {n}?", options).shown_options()].index(True)
        for n in range(40)
    }
    assert places == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("options", "right"),
    [
        ((("a", "Why."),), 0),
        ((("a", "Why."), ("a", "Why.")), 0),
        ((("a", "Why."), ("b", " ")), 0),
        ((("a", "Why."), ("b", "Why.")), 2),
        ((("a", "Why."), ("b", "Why.")), -1),
    ],
)
def test_questions_that_cannot_be_answered_are_refused(options: Any, right: int) -> None:
    with pytest.raises(ValueError, match="needs"):
        Question("Which?", options, right)


def test_a_missing_quiz_is_one_line() -> None:
    for number in ("93", "94"):
        with pytest.raises(UserError, match=f"exercises/nb{number}.py: holds no QUIZ"):
            quiz(number)


MASTERS = sorted((ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.py"))


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_a_notebook_that_asks_has_two_questions(path: Path) -> None:
    number = path.name[:2]
    asks = f'quiz("{number}")' in path.read_text("utf-8")
    assert len(find_questions(number)) in ((2,) if asks else (0, 2))
