"""Every exercise: starter, solution, hints, and wrong answers that must be told apart."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import pytest
from course import (
    check,
    hint,
    rules,
    solution,
)
from course.checks import (
    Exercise,
    Wrong,
    exercises,
    expect_close,
    judge,
)

from msm4sr_lite.config import UserError


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Collect what a cell would show."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def pasted(exercise: Exercise, code: str) -> Any:
    """Run code as a student would, who has imported numpy and torch."""
    module = sys.modules[exercise.grade.__module__]
    space = {name: vars(module)[name] for name in ("np", "torch") if name in vars(module)}
    exec(code, space)
    return space[exercise.answer_name()]


@pytest.fixture(params=exercises().values(), ids=exercises().keys())
def exercise(request: pytest.FixtureRequest) -> Exercise:
    return request.param


class TestEveryExercise:
    def test_starter_reads_not_attempted(self, exercise: Exercise) -> None:
        assert judge(exercise, pasted(exercise, exercise.starter_code()))[0] == "not attempted"

    def test_solution_is_right_and_can_be_pasted(self, exercise: Exercise) -> None:
        attempt = pasted(exercise, exercise.solution_code())
        assert judge(exercise, attempt) == ("correct", exercise.why)

    def test_each_mistake_gets_its_message(self, exercise: Exercise) -> None:
        assert len(exercise.mistakes) >= 3
        for attempt, fragment in exercise.mistakes:
            status, message = judge(exercise, attempt)
            assert status == "not yet", (attempt, message)
            assert fragment in message, (attempt, message)

    def test_name_is_that_of_its_notebook(self, exercise: Exercise) -> None:
        number = exercise.grade.__module__.rpartition(".nb")[2]
        assert re.fullmatch(rf"{number}\.[a-z0-9_]+", exercise.name)

    def test_there_are_hints_and_a_reason(self, exercise: Exercise) -> None:
        assert len(exercise.hints) >= 2
        assert all(text.endswith((".", "?")) for text in (*exercise.hints, exercise.why))

    def test_an_exception_is_reported(self, exercise: Exercise) -> None:
        def attempt(*args: object) -> None:
            raise KeyError("mug")

        if callable(exercise.solution):
            status, message = judge(exercise, attempt)
            assert status == "error"
            line = attempt.__code__.co_firstlineno + 1
            assert message == f"your code raised KeyError: 'mug' (line {line} of your cell)"

    def test_a_missing_return_is_told(self, exercise: Exercise) -> None:
        if callable(exercise.solution):
            assert "is a return missing?" in judge(exercise, lambda *args: None)[1]
            assert "without calling it" in judge(exercise, [1])[1]

    def test_code_fits_the_screen(self, exercise: Exercise) -> None:
        code = exercise.starter_code() + "\n" + exercise.solution_code()
        assert max(map(len, code.splitlines())) <= rules.LINE_LIMIT


def test_an_exercise_about_a_value() -> None:
    def grade(value: Any) -> None:
        expect_close(value, 0.5, "not a half")

    guess = Exercise("00.guess", 0.5, grade, "Yes.", ("a", "b"), (), "guess = ...")
    assert guess.solution_code() == "guess = 0.5"
    assert judge(guess, ...)[0] == "not attempted"
    assert judge(guess, 0.25) == ("not yet", "not a half")
    assert judge(guess, 0.5) == ("correct", "Yes.")


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ([1.0], r"shape should be \(2,\); yours is \(1,\)"),
        ("mug", "numbers were expected; you gave str"),
        ([1.0, np.nan], "not finite"),
        ([1.0, 2.1], "look again"),
    ],
)
def test_expect_close_says_what_is_wrong(got: Any, message: str) -> None:
    with pytest.raises(Wrong, match=message):
        expect_close(got, [1.0, 2.0], "look again")


def test_verdicts_are_shown(shown: list[dict[str, str]]) -> None:
    check("00.most_bought", lambda baskets, k: ["<b>"])
    assert shown[0]["text/plain"].startswith("✗ 00.most_bought, not yet: for k=2 two ids")
    assert 'Stuck? hint("00.most_bought")' in shown[0]["text/plain"]
    hint("00.cosine")
    hint("00.cosine")
    hint("00.cosine")
    hint("00.cosine")
    numbers = [re.findall(r"Hint (\d)", bundle["text/plain"]) for bundle in shown[1:]]
    assert numbers == [["1"], ["2"], ["3"], ["3"]]
    solution("00.cosine")
    assert shown[-1]["text/plain"].startswith("def cosine(")
    with pytest.raises(UserError, match=r"\(00.most_bought, 00.cosine\); got '00.cosin'"):
        check("00.cosin", None)
    with pytest.raises(UserError, match="none for this notebook"):
        check("98.x", None)
