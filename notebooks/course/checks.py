"""Exercises that check themselves: the learner reads what is wrong, but not the answer.

A task that nobody has tried yet never stops a notebook: its starter returns ``...``, which counts
as "not attempted". An error in a learner's code is reported with its line and not raised.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from course.attempts import (
    NotAttempted,
    WithGradients,
    Wrong,
    agree,
    guard,
    place_of,
    shape_difference,
    shorten,
    type_difference,
)
from course.display import show_html, show_note
from course.sources import code_html
from msm4sr_lite.config import UserError

Status = Literal["correct", "not yet", "error", "not attempted"]
NO_GRADIENTS = (
    "the values are right, but not their gradients: keep to tensors that gradients can flow through"
)
_KINDS: dict[type, str] = {int: "a whole number", float: "a number", str: "a text in quotes"}


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise; the modules in ``exercises/`` list theirs as ``EXERCISES``.

    Attributes
    ----------
    name
        The number of the notebook, a dot and a word: ``"05.causal_mask"``.
    solution
        A function or class under the name that the learner defines, or a value (int, float, str).
    why
        Shown on success: why this matters.
    hints
        At least two, from vague to plain.
    mistakes
        Plausible wrong answers, each with what is said about it.
    cases
        Arguments on which an attempt must return what the solution returns.
    use
        How an attempt is used on a case: ``use(attempt, *case)``; by default it is called. What it
        returns is compared; of a ``WithGradients`` the gradients too.
    properties
        Tests that take the attempt and that every right answer passes, each with what is said
        about an answer that fails.
    otherwise
        What is said about any other wrong answer.
    tolerance
        Largest difference, absolute or relative, between numbers that count as equal.
    starter
        What the learner finds. For a function it is made from the solution: signature and
        docstring stay, the body goes. For a class the same happens to each method except
        ``__init__``, which stays as it is.
    """

    name: str
    solution: Any
    why: str
    hints: tuple[str, ...]
    mistakes: tuple[tuple[Any, str], ...]
    cases: tuple[tuple[Any, ...], ...] = ()
    use: Callable[..., Any] = lambda attempt, *case: attempt(*case)
    properties: tuple[tuple[Callable[[Any], Any], str], ...] = ()
    otherwise: str = "the result is not the right one"
    tolerance: float = 1e-5
    starter: str = ""

    def starter_code(self) -> str:
        """Return the code of the cell that the learner fills in."""
        return self.starter or _remove_bodies(self.solution_code())

    def solution_code(self) -> str:
        """Return the code that solves the exercise."""
        if callable(self.solution):
            code = textwrap.dedent(inspect.getsource(self.solution)).strip()
            return code.replace("  # fmt: skip", "")
        return f"{self.answer_name()} = {self.solution!r}"

    def answer_name(self) -> str:
        """Return the name under which the learner's answer stands."""
        last = ast.parse(self.starter_code()).body[-1]
        if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
            return last.targets[0].id
        if isinstance(last, (ast.FunctionDef, ast.ClassDef)):
            return last.name
        raise ValueError(f"{self.name}: a starter must end in a definition or an assignment")


def _remove_bodies(code: str) -> str:
    top, lines = ast.parse(code).body[0], code.splitlines()
    inside = top.body if isinstance(top, ast.ClassDef) else [top]
    functions = [one for one in inside if isinstance(one, ast.FunctionDef)]
    for function in reversed([one for one in functions if one.name != "__init__"]):
        if ast.get_docstring(function) is None:
            raise ValueError("a starter can only be made from functions with docstrings")
        first = function.body[0]
        stub = " " * first.col_offset + "return ...  # your turn"
        lines[first.end_lineno : function.end_lineno] = [stub]
    return "\n".join(lines)


def find_exercise(name: str) -> Exercise:
    """Return the exercise called ``name``; imports only the exercises of its notebook.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    try:
        module = importlib.import_module(f"course.exercises.nb{str(name)[:2]}").EXERCISES
    except ModuleNotFoundError:
        module = ()
    for exercise in module:
        if exercise.name == name:
            return exercise
    known = ", ".join(exercise.name for exercise in module) or "none for this notebook"
    raise UserError(f"unknown exercise {name!r}; choose one of: {known}")


def grade_attempt(exercise: Exercise, attempt: Any) -> tuple[Status, str]:
    """Return the status of an attempt and what to say; raises nothing, whatever the attempt does.

    That includes ``sys.exit()`` and the stop button, which ends a loop that never ends.
    """
    try:
        if attempt is ...:
            raise NotAttempted
        if callable(exercise.solution):
            _require_kind(exercise.solution, attempt)
            attempt = guard(attempt)
            given = _wrong_results(exercise, attempt)
        else:
            given = _wrong_value(exercise, attempt)
        for holds, message in exercise.properties:
            if not holds(attempt):
                raise Wrong(message)
        if given:
            raise Wrong(given)
    except NotAttempted:
        return "not attempted", "replace the ... above by your code, then run both cells."
    except Wrong as wrong:
        return "not yet", str(wrong)
    except KeyboardInterrupt as error:
        return "error", f"your code was stopped before it had a result{place_of(error, attempt)}"
    except BaseException as error:
        said = f"{type(error).__name__}: {shorten(error, str)}".removesuffix(": ")
        return "error", f"your code raised {said}{place_of(error, attempt)}"
    return "correct", exercise.why


def _require_kind(solution: Any, attempt: Any) -> None:
    if not isinstance(solution, type):
        if not callable(attempt):
            raise Wrong("hand over the function itself, without calling it")
    elif not isinstance(attempt, type):
        raise Wrong("hand over the class itself, without calling it")
    elif not issubclass(attempt, solution.__mro__[-2]):
        raise Wrong("keep the first line of the class as it was: it must be an nn.Module")


def _wrong_value(exercise: Exercise, attempt: Any) -> str:
    """Return what is wrong with a value, "" if nothing; raise Wrong if it is a known mistake."""
    kind = type(exercise.solution)
    kinds = (int, float) if kind is float else kind
    if isinstance(attempt, bool) or not isinstance(attempt, kinds):
        raise Wrong(f"{_KINDS[kind]} was expected; you gave {shorten(attempt)}")
    if agree(attempt, exercise.solution, exercise.tolerance):
        return ""
    for wrong, message in exercise.mistakes:
        if agree(attempt, wrong, exercise.tolerance):
            raise Wrong(message)
    return f"{shorten(attempt, str)} is not right: {exercise.otherwise}"


def _wrong_results(exercise: Exercise, attempt: Callable[..., Any]) -> str:
    """Return what is wrong with a function, "" if nothing; raise Wrong if it is a known mistake."""

    def results(function: Callable[..., Any]) -> tuple[list[Any], list[Any]]:
        found = [exercise.use(function, *copy.deepcopy(case)) for case in exercise.cases]
        pairs = [one if isinstance(one, WithGradients) else (one, []) for one in found]
        return [value for value, _ in pairs], [gradients for _, gradients in pairs]

    (got, got_gradients), (right, gradients) = results(attempt), results(exercise.solution)
    if agree(got, right, exercise.tolerance):
        if not agree(got_gradients, gradients, 10 * exercise.tolerance):
            raise Wrong(NO_GRADIENTS)
        return next(filter(None, map(type_difference, got, right)), "")
    for mistake, message in exercise.mistakes:
        if agree(got, results(mistake)[0], exercise.tolerance):
            raise Wrong(message)
    for message in filter(None, map(shape_difference, got, right)):
        raise Wrong(message)
    return exercise.otherwise


def check(name: str, attempt: Any) -> None:
    """Check your answer to an exercise.

    Parameters
    ----------
    name
        The exercise, such as ``"05.causal_mask"``.
    attempt
        What you wrote: the function or class itself, or the value.

    The verdict goes to your progress, and a part of the model that is right to ``my_m2se.py``.
    """
    from course import spine
    from course.progress import record

    exercise = find_exercise(name)
    status, message = grade_attempt(exercise, spine.place_attempt(exercise, attempt))
    record("exercises", name, status)
    if status == "correct" and name in spine.PARTS:
        message = " ".join(filter(None, [message, spine.save_part(exercise, attempt)]))
    if name in spine.PARTS and "NameError" in message:
        message += "; a part of your model cannot use other cells: define or import it inside"
    if status in ("not yet", "error"):
        end = "" if message.endswith((".", "?")) else "."
        message += f'{end} Stuck? hint("{name}")'
    show_note(status, f"{name}, {status}:", message)


_hints_given: dict[str, int] = {}


def hint(name: str) -> None:
    """Show the next hint for an exercise: one at a time, from vague to plain."""
    hints = find_exercise(name).hints
    number = min(_hints_given.get(name, 0) + 1, len(hints))
    _hints_given[name] = number
    message = hints[number - 1]
    if number == len(hints):
        message += f' This was the last hint; solution("{name}") shows one way.'
    show_note("hint", f"Hint {number} of {len(hints)}:", message)


def solution(name: str) -> None:
    """Show one way to solve an exercise."""
    code = find_exercise(name).solution_code()
    show_html(code_html(code), code)
