"""Every exercise: starter, solution, hints, and the wrong answers that it must recognise."""

from __future__ import annotations

import asyncio
import importlib
import math
import re
import sys
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from course import check, hint, rules, solution, spine
from course.attempts import agree, vary
from course.checks import Exercise, grade_attempt

from msm4sr_lite.config import UserError

NUMBERS = [f"{number:02}" for number in range(12)]
EXERCISES = [
    exercise
    for number in NUMBERS
    for exercise in importlib.import_module(f"course.exercises.nb{number}").EXERCISES
]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Collect what a cell would show."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def run_pasted(exercise: Exercise, code: str) -> Any:
    """Run code as a learner would, who has the other parts of the model and their imports."""
    space = vars(spine.run_source(spine.reference_source()))
    exec(code, space)
    return space[exercise.answer_name()]


@cache
def pasted_solutions() -> list[Any]:
    return [run_pasted(exercise, exercise.solution_code()) for exercise in EXERCISES]


def make_attempt(exercise: Exercise, function: Any) -> Any:
    """Return a function as an attempt: where a class is asked for, as its method forward."""
    if not isinstance(exercise.solution, type):
        return function
    return vary(exercise.solution, forward=lambda self, *args: function(*args))


@pytest.fixture(params=EXERCISES, ids=lambda exercise: exercise.name)
def exercise(request: pytest.FixtureRequest) -> Exercise:
    return request.param


class TestEveryExercise:
    def test_starter_counts_as_not_attempted(self, exercise: Exercise) -> None:
        attempt = run_pasted(exercise, exercise.starter_code())
        assert grade_attempt(exercise, attempt)[0] == "not attempted"

    def test_pasted_solution_is_correct(self, exercise: Exercise) -> None:
        attempt = run_pasted(exercise, exercise.solution_code())
        assert grade_attempt(exercise, attempt) == ("correct", exercise.why)

    def test_each_mistake_gets_its_message(self, exercise: Exercise) -> None:
        assert len(exercise.mistakes) >= 3
        for attempt, message in exercise.mistakes:
            assert grade_attempt(exercise, attempt) == ("not yet", message)

    def test_there_are_hints_and_a_reason(self, exercise: Exercise) -> None:
        assert len(exercise.hints) >= 2
        assert all(text.endswith((".", "?")) for text in (*exercise.hints, exercise.why))

    def test_an_exception_is_reported_with_its_line(self, exercise: Exercise) -> None:
        def attempt(*args: object) -> None:
            raise KeyError("mug")

        if callable(exercise.solution):
            line = attempt.__code__.co_firstlineno + 1
            message = f"your code raised KeyError: 'mug' (line {line} of your cell)"
            given = make_attempt(exercise, attempt)
            assert grade_attempt(exercise, given) == ("error", message)

    def test_a_missing_return_is_recognised(self, exercise: Exercise) -> None:
        if callable(exercise.solution):
            attempt = make_attempt(exercise, lambda *args: None)
            assert "is a return missing?" in grade_attempt(exercise, attempt)[1]

    def test_another_type_is_refused(self, exercise: Exercise) -> None:
        status, message = grade_attempt(exercise, [1])
        assert status == "not yet"
        assert ("without calling it" if callable(exercise.solution) else "expected") in message

    def test_code_fits_the_screen(self, exercise: Exercise) -> None:
        code = exercise.starter_code() + "\n" + exercise.solution_code()
        assert max(map(len, code.splitlines())) <= rules.LINE_LIMIT


class Evil:
    """An answer whose every method fails, and that says it is a number."""

    def fail(self, *args: object) -> Any:
        raise RuntimeError("evil")

    __eq__ = __repr__ = __str__ = __len__ = __iter__ = __float__ = __bool__ = __call__ = fail
    __hash__ = None
    __class__ = property(lambda self: int)
    tolist = __wrapped__ = property(fail)


class Silent(Exception):
    def __str__(self) -> str:
        raise SystemExit


def raises(error: BaseException) -> Any:
    raise error


async def later(*args: object) -> int:
    return 1


def destroy(*args: Any) -> int:
    """Change all that can be changed of the arguments."""
    for one in args:
        if isinstance(one, (np.ndarray, torch.Tensor)) and one.ndim:
            one[...] = 0
        elif isinstance(one, (list, dict, set)):
            one.clear()
    return 1


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
ANSWERS = {
    "exits": lambda *args: sys.exit(3),
    "exits silently": lambda *args: raises(SystemExit()),
    "is stopped": lambda *args: raises(KeyboardInterrupt()),
    "ends a generator": lambda *args: raises(GeneratorExit()),
    "is cancelled": lambda *args: raises(asyncio.CancelledError()),
    "fails without a text": lambda *args: raises(Silent()),
    "fails in several lines": lambda *args: raises(ValueError("a\nb" * 999)),
    "needs memory": lambda *args: raises(MemoryError()),
    "calls itself": lambda *args: ANSWERS["calls itself"](*args),
    "is evil": Evil(),
    "changes its arguments": destroy,
    "coroutine": later,
    "generator": lambda *args: (yield 1),
    "too few arguments": lambda: 1,
    "a class": type,
    "a huge number": 10**400,
    "a number of many digits": 10**5000,
    "a long text": "x" * 10_000,
    "several lines": "a\nb",
    "not a number": math.nan,
    "infinite": math.inf,
    "complex": 1j,
    "nothing": None,
    "bytes": b"x",
    "contains itself": ENDLESS,
    "uneven lists": [[1], [2, 3]],
    "sparse": torch.eye(3).to_sparse(),
    "table": pd.DataFrame({"a": [1]}),
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "evil inside": [Evil()],
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_to_every_exercise_gets_a_verdict_in_one_line(
    kind: str, shown: list[dict[str, str]]
) -> None:
    answer = ANSWERS[kind]
    for exercise, right in zip(EXERCISES, pasted_solutions(), strict=True):
        for attempt in (answer, make_attempt(exercise, lambda *args: answer)):
            status, message = grade_attempt(exercise, attempt)
            assert status in ("not yet", "error"), exercise.name
            assert "\n" not in message
            assert len(message) < 300
        check(exercise.name, answer)
        assert shown.pop()["text/plain"].startswith(f"✗ {exercise.name}, ")
        if kind in ("changes its arguments", "is evil"):  # the right answer stays right
            assert grade_attempt(exercise, right)[0] == "correct"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("exits", "your code raised SystemExit: 3"),
        ("exits silently", "your code raised SystemExit"),
        ("is stopped", "your code was stopped before it had a result"),
        ("coroutine", "use return, without async or yield"),
        ("generator", "use return, without async or yield"),
    ],
)
def test_what_went_wrong_is_named(kind: str, message: str) -> None:
    exercise = next(exercise for exercise in EXERCISES if exercise.name == "00.most_popular")
    assert message in grade_attempt(exercise, ANSWERS[kind])[1]


@pytest.mark.parametrize("number", NUMBERS)
def test_an_exercise_is_named_after_its_notebook(number: str) -> None:
    names = [e.name for e in importlib.import_module(f"course.exercises.nb{number}").EXERCISES]
    assert names
    assert all(re.fullmatch(rf"{number}\.[a-z0-9_]+", name) for name in names)


def make(solution: Any, **settings: Any) -> Exercise:
    """Return an exercise about ``solution``."""
    given = {"name": "00.x", "why": "Yes.", "hints": ("a.", "b."), "mistakes": ()}
    return Exercise(**{**given, "solution": solution, **settings})


def test_a_value_is_compared_within_the_tolerance() -> None:
    guess = make(0.5, starter="guess = ...", tolerance=0.01, mistakes=((2.0, "too large"),))
    assert guess.solution_code() == "guess = 0.5"
    assert grade_attempt(guess, ...)[0] == "not attempted"
    assert grade_attempt(guess, 0.501) == ("correct", "Yes.")
    assert grade_attempt(guess, 2) == ("not yet", "too large")
    assert grade_attempt(guess, 3)[1].startswith("3 is not right: ")
    assert grade_attempt(guess, True) == ("not yet", "a number was expected; you gave True")
    assert grade_attempt(guess, "a half")[1] == "a number was expected; you gave 'a half'"


def test_a_whole_number_is_asked_for_where_the_answer_is_one() -> None:
    assert grade_attempt(make(4), 4.0)[1] == "a whole number was expected; you gave 4.0"


def test_a_property_names_what_is_wrong_with_an_unknown_mistake() -> None:
    def double(x: float) -> float:
        """Return twice x."""
        return 2 * x

    exercise = make(
        double,
        cases=((1.0,), (2.0,)),
        properties=((lambda f: f(0) == 0, "twice 0 is 0"),),
        mistakes=((lambda x: x * x, "this is the square"),),
        otherwise="not twice",
    )
    assert grade_attempt(exercise, lambda x: x * x)[1] == "this is the square"
    assert grade_attempt(exercise, lambda x: x + 5)[1] == "twice 0 is 0"
    assert grade_attempt(exercise, lambda x: 3 * x)[1] == "not twice"
    assert grade_attempt(exercise, lambda x: [2 * x])[1] == "the shape should be (); yours is (1,)"
    assert grade_attempt(exercise, lambda x: x + x) == ("correct", "Yes.")


def test_an_attempt_that_changes_its_arguments_spoils_nothing() -> None:
    given = [1, 2]

    def first(items: list[int]) -> int:
        """Return the first."""
        return items[0]

    exercise = make(first, cases=((given,),))
    assert grade_attempt(exercise, lambda items: items.pop(0))[0] == "correct"
    assert given == [1, 2]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (torch.tensor([1.0, 2.0]), [1, 2], True),
        (np.array([[1.0]]), [[1.0 + 1e-7]], True),
        (np.array([1.0]), 1.0, False),
        ([True], [1], False),
        ("a", ["a"], False),
        (float("nan"), float("nan"), True),
        ([1.0, 2.0], [1.0, 2.0001], False),
    ],
)
def test_agreement_looks_at_shape_type_and_value(one: Any, other: Any, equal: bool) -> None:
    assert agree(one, other) is equal


def test_verdicts_hints_and_solutions_are_shown(shown: list[dict[str, str]]) -> None:
    check("00.most_popular", lambda histories, k: ["<b>"])
    assert shown[0]["text/plain"].startswith("✗ 00.most_popular, not yet: the shape should be")
    assert 'Stuck? hint("00.most_popular")' in shown[0]["text/plain"]
    for _ in range(4):
        hint("00.most_popular")
    numbers = [re.findall(r"Hint (\d)", bundle["text/plain"]) for bundle in shown[1:]]
    assert numbers == [["1"], ["2"], ["3"], ["3"]]
    solution("00.most_popular")
    assert shown[-1]["text/plain"].startswith("def most_popular(")


def test_an_unknown_exercise_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UserError, match=r"'00.popular'; choose one of: 00.most_popular"):
        check("00.popular", None)
    with pytest.raises(UserError, match="none for this notebook"):
        check("98.x", None)
