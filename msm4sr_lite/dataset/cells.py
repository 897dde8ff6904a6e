"""What a cell may hold, how exact a number is, and how a cell is shown in a message."""

import datetime
import math
from decimal import Decimal
from numbers import Real
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError

# Besides numbers, texts and lists, a cell may hold these; as text they say what they are.
WRITTEN: Any = (Real, Decimal, UUID, datetime.date, datetime.time, np.datetime64, pd.Period)


def shown(cell: object) -> str:
    """Return the beginning of a cell in one line; whole numbers may have become floats.

    >>> shown(7.0), shown([1, 2])
    ('7', '[1, 2]')
    """
    try:
        text = f"{cell:.15g}" if isinstance(cell, float) else str(cell)
    except ValueError:  # an integer of more than 4,300 digits
        text = hex(cell) if isinstance(cell, int) else type(cell).__name__
    return " ".join(text[:40].split())


def is_missing(value: Any) -> bool:
    """Return whether a cell is None, NaN, NA or NaT; lists and other objects are not."""
    if value is None or value is pd.NA:
        return True
    return isinstance(value, WRITTEN) and bool(pd.isna(value))


def is_infinite(value: Any) -> bool:
    """Return whether a cell is an infinite number."""
    return isinstance(value, (float, np.floating, Decimal)) and math.isinf(value)


def exact_below(number: Any) -> int:
    """Return below which size a float of this type holds every whole number.

    >>> exact_below(np.float32(1)) == 2**24, exact_below(1.0) == 2**53
    (True, True)
    """
    narrow = isinstance(number, (np.float16, np.float32))
    return 2 ** (np.finfo(number.dtype).nmant + 1) if narrow else 2**53


def refuse_rounded(column: pd.Series, place_in: str) -> None:
    """Refuse ids and times that a column of short floats has rounded to others.

    Parameters
    ----------
    column
        The column. The index holds the place of each row.
    place_in
        Names the table in an error message; the place follows.

    Raises
    ------
    UserError
        If a number is not below the size to which its type holds every whole number.
    """
    kind = getattr(column.dtype, "numpy_dtype", column.dtype)  # Float32 of pandas
    if kind not in (np.float16, np.float32):
        return
    numbers = column.to_numpy("float64", na_value=np.nan)
    rounded = np.abs(numbers) >= exact_below(kind.type(0))
    if rounded.any():
        row = int(np.argmax(rounded))
        raise UserError(
            f"{place_in} {column.index[row]}: {column.name} {numbers[row]:.15g} is a {kind}, which"
            f" rounds such numbers; store the column as whole numbers or as text"
        )
