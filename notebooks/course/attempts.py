"""A learner's attempt, which may do anything: run it safely, show it, compare its results."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any


class Wrong(Exception):
    """The attempt is wrong; the message says what, without giving the answer."""


class NotAttempted(Exception):
    """The attempt is still the starter."""


def agree(one: Any, other: Any, tolerance: float = 1e-5) -> bool:
    """Whether two results are equal: numbers within a tolerance, everything else exactly.

    Arrays, tensors, lists and tuples count as equal if their entries are.

    Examples
    --------
    >>> agree((1.0, ["mug"]), [1.0 + 1e-9, ("mug",)])
    True
    >>> agree(1, True), agree([1, 2], [1])
    (False, False)
    """
    one, other = _as_list(one), _as_list(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            agree(a, b, tolerance) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        both_nan = one != one and other != other
        return both_nan or math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    return type(one) is type(other) and bool(one == other)


def _as_list(value: Any) -> Any:
    if hasattr(value, "tolist"):  # arrays and tensors; those without axes become numbers
        return value.tolist()
    if isinstance(value, int) and value.bit_length() > 1000:  # more than a float can hold
        return math.inf
    return list(value) if isinstance(value, (tuple, list)) else value


def shape_difference(got: Any, right: Any) -> str:
    """Return what is wrong with the shape of a result, "" if nothing."""
    import numpy as np

    try:
        shape, expected = np.shape(_as_list(got)), np.shape(_as_list(right))
    except ValueError:  # lists of unequal lengths have no shape
        return ""
    return f"the shape should be {expected}; yours is {shape}" if shape != expected else ""


def guard(attempt: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that it cannot change our examples and what it returns is a result."""

    def call(*args: Any) -> Any:
        result = attempt(*copy.deepcopy(args))
        if result is ...:
            raise NotAttempted
        if result is None:
            raise Wrong("your function gave nothing back: is a return missing?")
        if inspect.iscoroutine(result) or inspect.isgenerator(result):
            result.close()
            raise Wrong("your function gave no result: use return, without async or yield")
        return result

    call.__wrapped__ = attempt  # type: ignore[attr-defined]
    return call


def shorten(value: Any, show: Callable[[Any], str] = repr) -> str:
    """Return a value of the learner's as one line that fits a message, whatever it is."""
    try:
        text = " ".join(show(value).split())
    except BaseException:  # the learner's code again, or a number with too many digits
        return f"a value of type {type(value).__name__} that cannot be shown"
    return text if len(text) <= 200 else f"{text[:197]}..."


def place_of(error: BaseException, attempt: Any) -> str:
    """Return in which line of the learner's code an error arose, if it arose there."""
    function = getattr(attempt, "__wrapped__", None) if isinstance(attempt, FunctionType) else None
    code = function.__code__ if isinstance(function, FunctionType) else None
    place, trace = "", error.__traceback__
    while code and trace:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            place = f" (line {trace.tb_lineno} of your cell)"
        trace = trace.tb_next
    return place
