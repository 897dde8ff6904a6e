"""One cell of a table as an id, a number, a text or a list of texts.

Cells come from text files as ``str``, from JSON and data frames with any type. A function here
raises ``ValueError`` with the reason where a cell cannot be read; the table reader adds the place.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

LISTS = (list, tuple, np.ndarray)
NO_TEXTS = (bool, np.bool_, dict, set)
EXACT = 2**53  # above this, a float no longer holds every whole number


def id_text(value: Any, name: str) -> str:
    """Return an id as text without spaces around it; numbers without ``.0``.

    >>> id_text(" a1 ", "item_id"), id_text(7, "item_id"), id_text(7.0, "item_id")
    ('a1', '7', '7')
    """
    if isinstance(value, str):
        found = value.strip()
    elif isinstance(value, NO_TEXTS + LISTS) or pd.isna(value):
        found = ""
    elif isinstance(value, Integral):
        found = str(int(value))
    elif isinstance(value, Real) and float(value).is_integer():
        if abs(float(value)) >= EXACT:
            raise ValueError(
                f"{name} {value} is a decimal too large to be exact; write ids as text"
            )
        found = str(int(float(value)))
    else:
        found = str(value).strip()
    if not found:
        raise ValueError(f"no {name}; it must not be empty")
    found.encode()  # half of a pair of surrogates is an error
    return found


def printable_id(value: Any, name: str) -> str:
    """Return an id as ``id_text`` does; one with control characters is an error too."""
    found = id_text(value, name)
    if not found.isprintable():
        raise ValueError(f"{name} {found[:40]!r} has unprintable characters")
    return found


def number(value: Any, name: str) -> float:
    """Return a finite number.

    >>> number("1.5", "rating")
    1.5
    """
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{name} is {str(value)[:40]!r}, no number" if value else f"no {name}")
    return found


def text(value: Any) -> str:
    r"""Return a text cell without spaces around it, lists joined by line breaks.

    Objects (dictionaries) and true or false are no texts: such cells are empty.

    >>> text([" Blue mug ", None, 7])
    'Blue mug\n7'
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, LISTS):
        return "\n".join(filter(None, map(text, value)))
    if isinstance(value, NO_TEXTS) or pd.isna(value):
        return ""
    return str(value).strip()


def texts(value: Any) -> list[str]:
    """Return a cell with one text or a list of them as a list, without empty ones.

    >>> texts(["Home", "", "Mugs"]), texts("Home"), texts(None)
    (['Home', 'Mugs'], ['Home'], [])
    """
    values = value if isinstance(value, LISTS) else [value]
    return [found for found in map(text, values) if found]
