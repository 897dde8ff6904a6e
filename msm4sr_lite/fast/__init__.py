"""Fast forms of the method, and a switch between plain and fast.

The modules beside this folder hold the method in plain form. Where a faster computation pays, a
function is marked with ``@has_fast_form``. Its fast form is the function of the same name in the
module of the same name in this folder. It takes the same arguments and returns the same result, up
to rounding.

The fast forms are used by default. While they are switched off, everything uses the plain forms:
losses, training, evaluation and scoring. Both forms use the same weights::

    from msm4sr_lite import fast, pretrain

    with fast.switched_off():
        pretrain(model, table, sequences, config)

Measured on one core with 10,000 items of 10 text slots and 1,024 targets a step, in processor
seconds: pre-training 0.28 instead of 0.58, fine-tuning 1.6 instead of 2.4. Evaluation gains more
(``fast.evaluation``). Comments beside each form say how much it gains.

The environment variable ``MSM4SR_FAST=0`` switches the fast forms off for a whole program.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
_on = os.environ.get("MSM4SR_FAST", "1") != "0"


def is_on() -> bool:
    """Return whether the fast forms are used."""
    return _on


@contextmanager
def switched_off() -> Iterator[None]:
    """Use the plain forms while the context lasts."""
    global _on
    before, _on = _on, False
    try:
        yield
    finally:
        _on = before


def has_fast_form(plain: Function) -> Function:
    """Mark a plain function that has a fast form; calls use it unless fast forms are switched off.

    The attribute ``plain`` of the marked function is the plain function itself.
    """
    module = f"{__name__}.{plain.__module__.rpartition('.')[2]}"

    @wraps(plain)
    def plain_or_fast(*arguments: Any, **options: Any) -> Any:
        if not _on:
            return plain(*arguments, **options)
        return getattr(import_module(module), plain.__name__)(*arguments, **options)

    plain_or_fast.plain = plain  # type: ignore[attr-defined]
    return cast(Function, plain_or_fast)
