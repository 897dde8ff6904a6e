"""Timestamps: numbers in any unit and dates in any ISO form become seconds since 1970."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError

# From 1973 on, the size of a number tells its unit; smaller numbers may be counters.
UNITS = ("counter", "seconds", "milliseconds", "microseconds", "nanoseconds")
BOUNDS = (1e8, 1e11, 1e14, 1e17)
COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # by the number of digits
FAR = 4_102_444_800  # the year 2100, in seconds: later dates stand for "none"
DAY = 86_400
END_OF_DATES = 253_402_300_800  # the end of the year 9999, in seconds


def to_seconds(column: pd.Series, place_in: str, notes: list[str]) -> np.ndarray:
    """Return timestamps as seconds since 1970, in UTC unless a date names its zone.

    Parameters
    ----------
    column
        Numbers (seconds, milliseconds, microseconds, nanoseconds, or counters, which stay as they
        are) or dates (ISO 8601, with or without time and zone, or compact such as 20231114). The
        index holds the place of each row.
    place_in
        Names the table in an error message; the place follows.
    notes
        Receives a sentence for each choice that was made.

    Raises
    ------
    UserError
        If a cell is neither, or the column mixes numbers and dates, or numbers in two units.

    Examples
    --------
    >>> column = pd.Series(["2023-11-14 22:13:20 UTC", "2023-11-14T23:13:21+01:00"])
    >>> to_seconds(column, "row", []).tolist()
    [1700000000.0, 1700000001.0]
    """
    # A date is no number for pandas if its column holds objects.
    times = pd.to_numeric(column.astype(object), errors="coerce").to_numpy("float64")
    if dated := bool(np.isnan(times).all()):
        times = _dates(column)
    truths = np.array([isinstance(cell, (bool, np.bool_)) for cell in column], bool)
    if not (known := np.isfinite(times) & ~truths).all():
        row = int(np.argmin(known))
        raise UserError(
            f"{place_in} {column.index[row]}: timestamp {str(column.iloc[row])!r} is neither a"
            f" number nor an ISO date; write all as 1700000000 or all as 2023-11-14T22:13:20"
        )
    if not dated and len(times) and (dates := _compact(times)) is not None:
        notes.append(f"timestamps such as {times[0]:.0f} were read as dates")
        times = dates
    elif not dated:
        times = _same_unit(times, column, place_in, notes)
    if far := int((times > FAR).sum()):
        notes.append(f"{far} timestamps are later than the year 2100; are they placeholders?")
    return times


def _dates(column: pd.Series) -> np.ndarray:
    """Return the seconds of dates, NaN where a cell is none."""
    named = column.astype(object).map(_with_short_zone)
    dates = pd.to_datetime(named, errors="coerce", utc=True, format="ISO8601")
    since = dates - pd.Timestamp(0, unit="s", tz="UTC")
    times = (since / pd.Timedelta(seconds=1)).to_numpy("float64").copy()
    for row in np.flatnonzero(
        np.isnan(times)
    ):  # of the far dates, older versions of pandas know none
        try:
            date = datetime.fromisoformat(named.iloc[row])
        except (TypeError, ValueError):
            break
        times[row] = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return times


def _with_short_zone(cell: object) -> object:
    if isinstance(cell, str) and cell.rstrip().endswith(("UTC", "GMT")):
        return cell.rstrip()[:-3].rstrip() + "Z"
    return cell


def _compact(times: np.ndarray) -> np.ndarray | None:
    """Return the seconds of numbers that are all dates such as 20231114, else None."""
    digits = len(f"{times[0]:.0f}")
    low, high = (float(f"{year}0101".ljust(digits, "0")[:digits]) for year in (1970, 2101))
    if digits not in COMPACT or not ((times >= low) & (times < high) & (times % 1 == 0)).all():
        return None
    written = pd.Series(times).map("{:.0f}".format)
    dates = pd.to_datetime(written, format=COMPACT[digits], errors="coerce", utc=True)
    if dates.isna().any():
        return None
    since = dates - pd.Timestamp(0, unit="s", tz="UTC")
    seconds: np.ndarray = (since / pd.Timedelta(seconds=1)).to_numpy("float64")
    return seconds


def _same_unit(times: np.ndarray, column: pd.Series, place_in: str, notes: list[str]) -> np.ndarray:
    """Return numbers of one unit as seconds; refuse two units in one column."""
    units = np.digitize(np.abs(times), BOUNDS)
    present = np.unique(units[units > 0])
    if len(present) > 1:
        first = units[units > 0][0]
        other = int(np.argmax((units > 0) & (units != first)))
        raise UserError(
            f"{place_in} {column.index[other]}: timestamp {column.iloc[other]} is in"
            f" {UNITS[units[other]]}, earlier ones are in {UNITS[first]}; write all in seconds"
        )
    unit = int(present[0]) if len(present) else 0
    if unit > 1:
        notes.append(f"timestamps are in {UNITS[unit]}; they were read as seconds since 1970")
        times = times / 1000.0 ** (unit - 1)
    return times


def oldest_first(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return interactions sorted by time; those at the same time keep the order of the table.

    A table that runs from newest to oldest is reversed first, because there the interactions at
    the same time run backwards too.

    Parameters
    ----------
    table
        Columns ``user_id`` and ``timestamp`` (seconds).
    notes
        Receives a sentence if the table was reversed, or if it has dates without a time.
    """
    codes, times = pd.factorize(table["user_id"])[0], table["timestamp"].to_numpy()
    order = np.argsort(codes, kind="stable")
    steps = np.diff(times[order])[np.diff(codes[order]) == 0]  # within each user
    if (steps == 0).any() and (steps < 0).any() and not (steps > 0).any():
        notes.append("the interactions run from newest to oldest; their order was reversed")
        table = table.iloc[::-1]
    table = table.sort_values("timestamp", kind="stable", ignore_index=True)
    ties = int(table.duplicated(["user_id", "timestamp"], keep=False).sum())
    if ties and (np.abs(times) >= BOUNDS[0]).all() and (times % DAY == 0).all():
        notes.append(
            f"timestamps are dates without a time: {ties} interactions are on the same day as"
            f" another of the user and keep the order of the table"
        )
    return table


def format_period(first: float, last: float) -> str:
    """Return the period between two timestamps, as dates if they look like seconds since 1970.

    >>> format_period(1.6e9, 1.7e9), format_period(1, 3)
    ('2020-09-13 to 2023-11-14', 'timestamps 1 to 3')
    """
    as_dates = first >= BOUNDS[0] and last < END_OF_DATES
    return f"{'' if as_dates else 'timestamps '}{format_time(first)} to {format_time(last)}"


def format_time(time: float) -> str:
    """Return a timestamp as a date if it looks like seconds since 1970, else as a number.

    >>> format_time(1.6e9), format_time(3)
    ('2020-09-13', '3')
    """
    if not BOUNDS[0] <= time < END_OF_DATES:
        return f"{time:.15g}"
    return datetime.fromtimestamp(time, UTC).date().isoformat()
