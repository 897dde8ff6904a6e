"""Exercises that check themselves: what is wrong is said, the answer is not given away.

A task nobody has tried yet never stops a notebook: its starter returns ``...``, which reads as
"not attempted". An error in a student's code is reported with its line and not raised.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from course.display import escape, show_html
from course.sources import code_html
from msm4sr_lite.config import UserError

Status = Literal["correct", "not yet", "error", "not attempted"]
_SIGNS: dict[str, tuple[str, str]] = {
    "correct": ("✓", "#006B4F"),
    "not yet": ("✗", "#A33B00"),
    "error": ("✗", "#A33B00"),
    "not attempted": ("○", "#555555"),
}


class Wrong(Exception):
    """The attempt is wrong; the message says what, without giving the answer."""


class _NotAttempted(Exception):
    """The attempt is still the starter."""


@dataclass(frozen=True)
class Exercise:
    """One exercise; the modules in ``exercises/`` list theirs as ``EXERCISES``.

    Attributes
    ----------
    name
        The notebook's number, a dot and a word: ``"00.most_bought"``.
    solution
        A function under the name that the student shall define, or a value.
    grade
        Called with the attempt; raises :class:`Wrong` (see :func:`expect`).
    why
        Shown on success: why this matters.
    hints
        At least two, from vague to plain.
    mistakes
        Plausible wrong answers, each with words that its message must contain.
    starter
        What the student finds. For a function it is made from the solution: signature and
        docstring stay, the body goes.
    """

    name: str
    solution: Any
    grade: Callable[[Any], None]
    why: str
    hints: tuple[str, ...]
    mistakes: tuple[tuple[Any, str], ...]
    starter: str = ""

    def starter_code(self) -> str:
        """Return the code of the cell that the student fills in."""
        return self.starter or _without_body(self.solution_code())

    def solution_code(self) -> str:
        """Return the code that solves the exercise."""
        if callable(self.solution):
            return textwrap.dedent(inspect.getsource(self.solution)).strip()
        return f"{self.answer_name()} = {self.solution!r}"

    def answer_name(self) -> str:
        """Return the name under which the student's answer stands."""
        last = ast.parse(self.starter_code()).body[-1]
        if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
            return last.targets[0].id
        if isinstance(last, (ast.FunctionDef, ast.ClassDef)):
            return last.name
        raise ValueError(f"{self.name}: a starter must end in a definition or an assignment")


def _without_body(code: str) -> str:
    function = ast.parse(code).body[0]
    if not isinstance(function, ast.FunctionDef) or ast.get_docstring(function) is None:
        raise ValueError("a starter can only be made from a function with a docstring")
    end = function.body[0].end_lineno
    return "\n".join([*code.splitlines()[:end], "    return ...  # your turn"])


def expect(condition: object, message: str) -> None:
    """Raise :class:`Wrong` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise Wrong(message)


def expect_close(got: Any, wanted: Any, message: str, tolerance: float = 1e-5) -> None:
    """Raise :class:`Wrong` unless two arrays (or tensors, or numbers) agree in shape and value."""
    import numpy as np

    if got is ...:
        raise _NotAttempted
    if hasattr(got, "detach"):
        got = got.detach()
    try:
        numbers, right = np.asarray(got, dtype=float), np.asarray(wanted, dtype=float)
    except (TypeError, ValueError):
        raise Wrong(f"numbers were expected; you gave {type(got).__name__}") from None
    if numbers.shape != right.shape:
        raise Wrong(f"the shape should be {right.shape}; yours is {numbers.shape}")
    expect(np.isfinite(numbers).all(), "some of your numbers are not finite (nan or infinite)")
    expect(np.allclose(numbers, right, atol=tolerance, rtol=tolerance), message)


def exercises() -> dict[str, Exercise]:
    """Return all exercises of the course by name."""
    package = importlib.import_module("course.exercises")
    found = {}
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        for exercise in importlib.import_module(module.name).EXERCISES:
            found[exercise.name] = exercise
    return found


def find_exercise(name: str) -> Exercise:
    """Return the exercise called ``name``; imports only its notebook's exercises.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    try:
        module = importlib.import_module(f"course.exercises.nb{name.split('.')[0]}").EXERCISES
    except ModuleNotFoundError:
        module = ()
    for exercise in module:
        if exercise.name == name:
            return exercise
    known = ", ".join(exercise.name for exercise in module) or "none for this notebook"
    raise UserError(f"an exercise's name was expected ({known}); got {name!r}")


def judge(exercise: Exercise, attempt: Any) -> tuple[Status, str]:
    """Return what to say about an attempt; never raises what the attempt raises."""
    try:
        if attempt is ...:
            raise _NotAttempted
        if callable(exercise.solution):
            expect(callable(attempt), "hand over the function itself, without calling it")
        exercise.grade(_watched(attempt))
    except _NotAttempted:
        return "not attempted", "replace the ... above by your code, then run both cells."
    except Wrong as wrong:
        return "not yet", str(wrong)
    except Exception as error:
        return "error", f"your code raised {type(error).__name__}: {error}{_line(error, attempt)}"
    return "correct", exercise.why


def _watched(attempt: Any) -> Any:
    """Wrap a function so that an untouched starter and a missing return are told apart."""
    if not callable(attempt) or isinstance(attempt, type):
        return attempt

    def call(*args: Any, **kwargs: Any) -> Any:
        result = attempt(*args, **kwargs)
        if result is ...:
            raise _NotAttempted
        expect(result is not None, "your function gave nothing back: is a return missing?")
        return result

    return call


def _line(error: Exception, attempt: Any) -> str:
    """Say in which line of the student's code an error arose, if it arose there."""
    code = getattr(attempt, "__code__", None)
    place, trace = "", error.__traceback__
    while code and trace:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            place = f" (line {trace.tb_lineno} of your cell)"
        trace = trace.tb_next
    return place


def _say(status: str, colour: str, headline: str, message: str) -> None:
    show_html(
        f'<p style="border-left:0.4em solid {colour};padding-left:0.7em">'
        f"<strong>{escape(status)} {escape(headline)}</strong> {escape(message)}</p>",
        f"{status} {headline} {message}",
    )


def check(name: str, attempt: Any) -> None:
    """Check your answer to an exercise.

    Parameters
    ----------
    name
        The exercise, such as ``"00.most_bought"``.
    attempt
        What you wrote: the function itself, or the value.
    """
    status, message = judge(find_exercise(name), attempt)
    if status in ("not yet", "error"):
        end = "" if message.endswith((".", "?")) else "."
        message += f'{end} Stuck? hint("{name}")'
    sign, colour = _SIGNS[status]
    _say(sign, colour, f"{name}, {status}:", message)


_hints_given: dict[str, int] = {}


def hint(name: str) -> None:
    """Show the next hint for an exercise: one at a time, from vague to plain."""
    hints = find_exercise(name).hints
    number = min(_hints_given.get(name, 0) + 1, len(hints))
    _hints_given[name] = number
    message = hints[number - 1]
    if number == len(hints):
        message += f' This was the last hint; solution("{name}") shows one way.'
    _say("→", "#0072B2", f"Hint {number} of {len(hints)}:", message)


def solution(name: str) -> None:
    """Show one way to solve an exercise."""
    code = find_exercise(name).solution_code()
    show_html(code_html(code), code)
