"""A learner's attempt, which may do anything: run it safely, show it, compare its results."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple


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
    if isinstance(value, dict):
        return [list(pair) for pair in sorted(value.items())]
    return list(value) if isinstance(value, (tuple, list)) else value


def shape_difference(got: Any, right: Any) -> str:
    """Return what is wrong with the shape of a result, "" if nothing."""
    import numpy as np

    try:
        shape, expected = np.shape(_as_list(got)), np.shape(_as_list(right))
    except ValueError:  # lists of unequal lengths have no shape
        return ""
    return f"the shape should be {expected}; yours is {shape}" if shape != expected else ""


def type_difference(got: Any, right: Any) -> str:
    """Return what is wrong with the type of a result whose values are right, "" if nothing."""
    import torch

    if isinstance(right, (tuple, list)):
        return next(filter(None, map(type_difference, got, right)), "")
    if not isinstance(right, torch.Tensor):
        return ""
    if not isinstance(got, torch.Tensor):
        return "the values are right, but a tensor was expected"
    if got.is_floating_point() and not right.is_floating_point():
        return "the values are right, but a tensor of integers was expected: dtype=torch.long"
    return ""


def guard(attempt: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function or class so that it cannot change our examples and returns a result.

    A class becomes a subclass in which all methods are guarded, except ``__init__`` and its like.
    """
    if isinstance(attempt, type):
        methods = [name for name in vars(attempt) if not name.startswith("__")]
        methods = [name for name in methods if isinstance(vars(attempt)[name], FunctionType)]
        return type(attempt.__name__, (attempt,), {m: guard(vars(attempt)[m]) for m in methods})

    def call(*args: Any, **options: Any) -> Any:
        result = attempt(*map(_copy_argument, args), **options)
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


def _copy_argument(value: Any) -> Any:
    """Return a copy; models and tensors through which gradients flow stay what they are."""
    if hasattr(value, "parameters") or getattr(value, "requires_grad", False):
        return value
    if isinstance(value, dict):
        return {key: _copy_argument(one) for key, one in value.items()}
    return copy.deepcopy(value)


class WithGradients(NamedTuple):
    """What an attempt returned, and the gradients of it."""

    value: Any
    gradients: list[Any]


def differentiate(function: Callable[..., Any], *args: Any) -> WithGradients:
    """Call a function; return its result and the gradients of a fixed weighted sum of it.

    The gradients are those with respect to the tensors of real numbers among the arguments, and to
    the parameters of all modules among them, the function included.
    """
    import torch

    def is_real(value: Any) -> bool:
        return isinstance(value, torch.Tensor) and value.is_floating_point()

    args = tuple(a.clone().requires_grad_() if is_real(a) else a for a in args)
    leaves = list(filter(is_real, args))
    args = tuple(a.clone() if is_real(a) else a for a in args)  # may be changed in place
    for one in (function, *args):
        leaves += one.parameters() if isinstance(one, torch.nn.Module) else []
    value = function(*args)
    parts = list(value.values()) if isinstance(value, dict) else value
    parts = parts if isinstance(parts, (tuple, list)) else [parts]
    flat = [part.flatten() for part in parts if is_real(part) and part.requires_grad]
    if not flat:
        return WithGradients(value, [])
    total = sum((part * torch.arange(1.0, len(part) + 1).cos()).sum() for part in flat)
    found = torch.autograd.grad(total, leaves, allow_unused=True)
    gradients = [
        torch.zeros_like(leaf) if one is None else one
        for leaf, one in zip(leaves, found, strict=True)
    ]
    return WithGradients(value, gradients)


def run_module(kind: Callable[..., Any], sizes: tuple[Any, ...], *inputs: Any) -> WithGradients:
    """Make a module with fixed weights, without dropout, and differentiate it."""
    return differentiate(make_module(kind, sizes).eval(), *inputs)


def make_module(kind: Callable[..., Any], sizes: tuple[Any, ...]) -> Any:
    """Make a module whose parameters hold fixed random numbers."""
    import torch

    generator = torch.Generator().manual_seed(0)
    module = kind(*sizes)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 2)
    return module


def drops_like(solution: Any, sizes: tuple[Any, ...], *inputs: Any) -> Callable[[Any], bool]:
    """Return a property of a module: it drops all that the solution drops, and nothing else.

    The probability of dropout, the last of ``sizes``, becomes 1, so that nothing is random.
    """

    def run(kind: Any) -> Any:
        return differentiate(make_module(kind, (*sizes[:-1], 1.0)).train(), *inputs).value

    return lambda kind: agree(run(kind), run(solution))


def vary(kind: type, **methods: Any) -> type:
    """Return a class with other methods: a mistake for an exercise about a class."""
    return type(kind.__name__, (kind,), methods)


def shorten(value: Any, show: Callable[[Any], str] = repr) -> str:
    """Return a value of the learner's as one line that fits a message, whatever it is."""
    try:
        text = " ".join(show(value).split())
    except BaseException:  # the learner's code again, or a number with too many digits
        return f"a value of type {type(value).__name__} that cannot be shown"
    return text if len(text) <= 200 else f"{text[:197]}..."


def place_of(error: BaseException, attempt: Any) -> str:
    """Return in which line of the learner's code an error arose, if it arose there."""
    files = {code.co_filename for code in codes_of(attempt)}
    place, trace = "", error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename in files - {__file__}:
            place = f" (line {trace.tb_lineno} of your cell)"
        trace = trace.tb_next
    return place


def codes_of(attempt: Any) -> list[Any]:
    """Return the code objects of a function, or of all methods of a class and its bases."""
    if isinstance(attempt, type):
        bases = [base for base in attempt.__mro__ if not base.__module__.startswith("torch.")]
        methods = [one for base in bases for one in vars(base).values()]
        return [code for one in methods if not isinstance(one, type) for code in codes_of(one)]
    if not isinstance(attempt, FunctionType):
        return []
    wrapped = vars(attempt).get("__wrapped__", attempt)
    return [wrapped.__code__] if isinstance(wrapped, FunctionType) else []
