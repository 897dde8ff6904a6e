"""Timestamps of the slow reader: numbers of one unit, or dates."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
UNITS = (1e8, 1e11, 1e14, 1e17)  # from here on: seconds, milli-, micro-, nanoseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Refused(Exception):
    """The folder has no single right reading."""


def is_missing(value: Any) -> bool:
    """Return whether a cell is empty in the sense of a table."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def text_of_bytes(value: Any) -> Any:
    """Return bytes as text."""
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeError as error:
        raise Refused(str(error)) from None


def times_of(cells: list[Any]) -> list[float]:
    """Return timestamps as seconds: numbers of one unit, or dates, never both."""
    cells = [cell.strip() if isinstance(cell, str) else text_of_bytes(cell) for cell in cells]
    numbers = [number_of(cell) for cell in cells]
    if all(number is None for number in numbers):
        return [seconds_of(cell) for cell in cells]
    if any(number is None for number in numbers):
        raise Refused("numbers and others")
    found = [float(number) for number in numbers if number is not None]
    for digits, form in ((8, "%Y%m%d"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S")):
        if all(value == int(value) and len(str(int(value))) == digits for value in found):
            try:
                dates = [datetime.strptime(str(int(v)), form).replace(tzinfo=UTC) for v in found]
            except ValueError:
                continue
            if all(1970 <= moment.year <= 2100 for moment in dates):
                return [(moment - EPOCH).total_seconds() for moment in dates]
    units = [sum(abs(value) >= bound for bound in UNITS) for value in found]
    unit = max(units)
    for value, own in zip(found, units, strict=True):
        recent = 631_152_000 <= value / 1000 ** max(0, own - 1) < 4_102_444_800
        if 0 < own < unit and recent:
            raise Refused("two units")
    return [value / 1000 ** max(0, unit - 1) for value in found]


def number_of(cell: Any) -> float | None:
    """Return the finite number in a cell; None if it is none."""
    if isinstance(cell, (bool, list, dict)) or is_missing(cell):
        return None
    plain = isinstance(cell, (int, float, Decimal))
    if not plain and not (isinstance(cell, str) and NUMBER.fullmatch(cell)):
        return None
    try:
        found = float(cell)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def seconds_of(cell: Any) -> float:
    """Return the seconds of an ISO date, in UTC unless it names its zone."""
    try:
        if isinstance(cell, str):
            zone = re.sub(r"\s*(UTC|GMT)$", "+00:00", cell)
            cell = datetime.fromisoformat(zone)
        elif isinstance(cell, date) and not isinstance(cell, datetime):
            cell = datetime(cell.year, cell.month, cell.day)
        moment = cell if cell.tzinfo else cell.replace(tzinfo=UTC)
        return (moment - EPOCH) / timedelta(seconds=1)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Refused(f"{cell!r} is no date: {error}") from None
