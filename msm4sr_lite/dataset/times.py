"""Timestamps: numbers in any unit and dates in any ISO form become seconds since 1970."""

from datetime import UTC, datetime, timedelta
from numbers import Real

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import shown

# From 1973 on, the size of a number tells its unit; smaller numbers may be counters.
UNITS = ("counter", "seconds", "milliseconds", "microseconds", "nanoseconds")
BOUNDS = (1e8, 1e11, 1e14, 1e17)
COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # by the number of digits
FAR = 4_102_444_800  # the year 2100, in seconds: later dates stand for "none"
RECENT = 631_152_000  # the year 1990
DAY = 86_400
BLOCK = 1 << 18  # dates that are read at a time
END_OF_DATES = 253_402_300_800  # the end of the year 9999, in seconds
MOST = 0.9  # share of numbers that must be dates such as 20231114 for all to be meant as dates
CLEAR = 20  # so many steps in one direction for one in the other show the order of a table
# Numbers that could be recent dates in other units; only their order is used.
OTHER_UNITS = (
    (1_900, 2_101, "years"),
    (10_000, 25_000, "days since 1970"),
    (30_000, 60_000, "days as spreadsheets count them"),
    (190_001, 210_013, "months such as 202311"),
    (20_000_000, 40_000_000, "minutes since 1970"),
)
NO_NUMBERS = (bool, np.bool_, complex, np.complexfloating)
NO_DATES = (Real, np.bool_, complex, np.complexfloating, timedelta, np.timedelta64)
HUGE = 10**300  # larger integers do not fit into a float
PARTS = ("train", "valid", "test")  # values of the column part, in the order of time


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
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    times = _numbers(column)
    numbers = np.isfinite(times)
    if not numbers.all():
        dates = _dates(column, numbers)
        _refuse_mixed(column, numbers, np.isfinite(dates), place_in)
        times = dates
    elif (compact := _compact(times, column, place_in)) is not None:
        notes.append(f"timestamps such as {times[0]:.0f} were read as dates")
        times = compact
    else:
        _refuse_year_last(times, column, place_in)
        times = _same_unit(times, column, place_in, notes)
        notes += _other_units(times)
    why = "is later than any date; correct it, or remove the row"
    _refuse_first(np.abs(times) >= END_OF_DATES, column, place_in, why)
    if (early := (np.abs(times) < BOUNDS[0])).any() and times.max() >= BOUNDS[0]:
        row = int(np.argmax(early))
        notes.append(
            f"timestamps between 1966 and 1973: {early.sum()}, such as {shown(column.iloc[row])!r}"
            f" ({place_in} {column.index[row]}); are they placeholders?"
        )
    if far := int((times > FAR).sum()):
        notes.append(f"timestamps later than the year 2100: {far}; are they placeholders?")
    return times


def _refuse_first(rows: np.ndarray, column: pd.Series, place_in: str, why: str) -> None:
    """Refuse the first of these rows, if there is one; ``why`` follows its timestamp."""
    if rows.any():
        place = f"{place_in} {column.index[int(np.argmax(rows))]}"
        raise UserError(f"{place}: timestamp {_first(rows, column)} {why}")


def _first(rows: np.ndarray, column: pd.Series) -> str:
    """Return the cell in the first of these rows for a message."""
    return repr(shown(column.iloc[int(np.argmax(rows))]))


def _numbers(column: pd.Series) -> np.ndarray:
    """Return numbers, also those that are written as texts; NaN where a cell is none."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        return column.to_numpy("float64")
    if column.dtype.kind == "M":
        return np.full(len(column), np.nan)
    cells = column.astype(object)
    odd = np.fromiter(map(_is_odd, cells), bool, len(cells))
    if odd.any():
        cells = cells.mask(odd, None)
    return pd.to_numeric(cells, errors="coerce").to_numpy("float64").copy()


def _is_odd(cell: object) -> bool:
    """Return whether a cell would be taken for a number, but is none or does not fit into one."""
    return isinstance(cell, NO_NUMBERS) or (type(cell) is int and abs(cell) > HUGE)


def _refuse_mixed(column: pd.Series, numbers: np.ndarray, dates: np.ndarray, place_in: str) -> None:
    """Refuse cells that are neither numbers nor dates, and columns that have both."""
    if not (known := numbers | dates).all():
        row = int(np.argmin(known))
        if pd.isna(column.iloc[row]) or not shown(column.iloc[row]):
            place = f"{place_in} {column.index[row]}"
            raise UserError(f"{place}: no timestamp; fill it in, or remove the row")
        why = (
            "is neither a number nor an ISO date; write all as 1700000000 or as"
            " 2023-11-14T22:13:20 (pandas: to_datetime with format='%d/%m/%Y')"
        )
        _refuse_first(~known, column, place_in, why)
    if numbers.any():
        few, other = (numbers, dates) if numbers.sum() <= dates.sum() else (dates, numbers)
        one, many = ("a number", "dates") if few is numbers else ("a date", "numbers")
        why = f"is {one}, but {other.sum()} others are {many}, such as {_first(other, column)}"
        _refuse_first(few, column, place_in, f"{why}; write all in one form")


def _dates(column: pd.Series, numbers: np.ndarray) -> np.ndarray:
    """Return the seconds of dates, NaN where a cell is none."""
    if column.dtype.kind == "M":
        return _seconds(pd.to_datetime(column, utc=True))
    starts = range(0, len(column), BLOCK)  # dates as objects need much memory
    blocks = [slice(start, start + BLOCK) for start in starts]
    return np.concatenate([_dates_in_block(column.iloc[rows], numbers[rows]) for rows in blocks])


def _dates_in_block(column: pd.Series, numbers: np.ndarray) -> np.ndarray:
    named = column.astype(object).where(~numbers, None).map(_text_of_date)
    times = _seconds(pd.to_datetime(named, errors="coerce", utc=True, format="ISO8601"))
    for row in np.flatnonzero(np.isnan(times) & ~numbers):
        try:  # of the far dates, older versions of pandas know none
            date = datetime.fromisoformat(named.iloc[row])
        except (TypeError, ValueError):
            break
        times[row] = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return times


def _seconds(dates: pd.Series) -> np.ndarray:
    """Return the seconds since 1970 of dates in UTC, NaN for none."""
    # Microseconds: more digits do not fit into a float, whatever the version of pandas keeps.
    since = dates.dt.as_unit("us") - pd.Timestamp(0, unit="s", tz="UTC")
    seconds: np.ndarray = (since / pd.Timedelta(seconds=1)).to_numpy("float64").copy()
    return seconds


def _text_of_date(cell: object) -> object:
    """Return a date without a name of its zone; None for numbers, durations and words."""
    if isinstance(cell, str):
        if not any(map(str.isdigit, cell)):
            return None
        zoned = cell.rstrip().endswith(("UTC", "GMT"))
        return cell.rstrip()[:-3].rstrip() + "Z" if zoned else cell
    return None if isinstance(cell, NO_DATES) else cell


def _compact(times: np.ndarray, column: pd.Series, place_in: str) -> np.ndarray | None:
    """Return the seconds of numbers that are dates such as 20231114, None for other numbers."""
    for digits, form in COMPACT.items():
        low, high = (float(f"{year}0101".ljust(digits, "0")) for year in (1970, 2101))
        like = (times >= low) & (times < high) & (times % 1 == 0)
        if like.mean() < MOST:
            continue
        written = pd.Series(times).where(like, low).map("{:.0f}".format)
        dates = pd.to_datetime(written, format=form, errors="coerce", utc=True)
        good = like & dates.notna().to_numpy()
        if good.mean() < MOST:
            continue
        why = f"is not a date, but others are, such as {_first(good, column)}"
        _refuse_first(~good, column, place_in, f"{why}; correct it, or remove the row")
        return _seconds(dates)
    return None


def _refuse_year_last(times: np.ndarray, column: pd.Series, place_in: str) -> None:
    """Refuse numbers that are dates such as 14112023: they are not in the order of time."""
    months = np.minimum(times // 1_000_000, times // 10_000 % 100)  # day and month in either order
    days = np.maximum(times // 1_000_000, times // 10_000 % 100)
    like = (times % 10_000 >= 1970) & (times % 10_000 < 2101) & (times % 1 == 0)
    like &= (months >= 1) & (months <= 12) & (days <= 31)
    if like.mean() >= MOST:
        _refuse_first(like, column, place_in, "is a date with the year last; write 20231114")


def _same_unit(times: np.ndarray, column: pd.Series, place_in: str, notes: list[str]) -> np.ndarray:
    """Return numbers of one unit as seconds; refuse two units in one column."""
    units = np.digitize(np.abs(times), BOUNDS)
    unit = int(units.max(initial=0))
    # Small numbers of the largest unit are early dates, unless they are recent in their own unit.
    own = times / 1000.0 ** (units - 1).clip(min=0)
    other = (units > 0) & (units < unit) & (own >= RECENT) & (own < FAR)
    usual = f"{_first(units == unit, column)} looks like {UNITS[unit]}"
    if other.any():
        why = f"looks like {UNITS[units[other][0]]}, {usual}; write all in seconds"
        _refuse_first(other, column, place_in, why)
    low, high = 19700101, 21010101
    dates = (times >= low) & (times < high) & (times % 100 >= 1) & (times % 100 < 32)
    dates &= (times % 1 == 0) & (times % 10_000 >= 100) & (times % 10_000 < 1300)
    if unit and dates.sum() > MOST * ((times >= low) & (units == 0)).sum():
        why = f"looks like a date, {usual}; write all in one form"
        _refuse_first(dates, column, place_in, why)
    if unit > 1:
        notes.append(f"timestamps are in {UNITS[unit]}; they were read as seconds since 1970")
    return times / 1000.0 ** max(unit - 1, 0)


def _other_units(times: np.ndarray) -> list[str]:
    """Return a question if all numbers could be times in a unit that is not recognised."""
    first, last = times.min(), times.max()
    for low, high, unit in OTHER_UNITS:
        if low <= first and last < high:
            period = f"all timestamps are from {first:.15g} to {last:.15g}"
            return [f"{period}: are these {unit}? They were kept as numbers"]
    return []


def oldest_first(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return interactions sorted by time; those at the same time keep the order of the table.

    A table that runs from newest to oldest is reversed first, because there the interactions at
    the same time run backwards too. Interactions at the same time with different parts are put in
    the order of the parts.

    Parameters
    ----------
    table
        Columns ``user_id``, ``timestamp`` (seconds) and perhaps ``part``.
    notes
        Receives a sentence if the table was reversed, if the order of interactions at the same
        time is unclear, or if the timestamps are dates without a time.
    """
    codes, times = pd.factorize(table["user_id"])[0], table["timestamp"].to_numpy()
    order = np.argsort(codes, kind="stable")
    steps = np.diff(times[order])[np.diff(codes[order]) == 0]  # within each user
    down, up, ties = (int(found.sum()) for found in (steps < 0, steps > 0, steps == 0))
    if ties and down and down >= CLEAR * up:
        notes.append("the interactions run from newest to oldest; their order was reversed")
        table = table.iloc[::-1]
    elif ties and down and len(np.unique(codes)) > 1 and up < CLEAR * down:
        notes.append(
            f"the order of a user's interactions at the same time is unclear: the table runs"
            f" forwards and backwards (steps: {up} and {down})"
        )
    by = ["timestamp"]
    if "part" in table:
        table, by = table.assign(_part=table["part"].map(PARTS.index)), ["timestamp", "_part"]
    table = table.sort_values(by, kind="stable", ignore_index=True)
    table = table.drop(columns="_part", errors="ignore")
    same = int(table.duplicated(["user_id", "timestamp"], keep=False).sum())
    if same and (np.abs(times) >= BOUNDS[0]).all() and len(np.unique(times % DAY)) == 1:
        notes.append(
            f"timestamps are dates without a time; interactions on the same day as another of the"
            f" user: {same}, which keep the order of the table"
        )
    return table


def format_period(first: float, last: float) -> str:
    """Return the period between two timestamps, as dates if they look like seconds since 1970.

    >>> format_period(1.6e9, 1.7e9), format_period(1, 3)
    ('2020-09-13 to 2023-11-14', 'timestamps 1 to 3')
    """
    kind = "" if first >= BOUNDS[0] and last < END_OF_DATES else "timestamps "
    return f"{kind}{format_time(first)} to {format_time(last)}"


def format_time(time: float) -> str:
    """Return a timestamp as a date if it looks like seconds since 1970, else as a number."""
    if not BOUNDS[0] <= time < END_OF_DATES:
        return f"{time:.15g}"
    return datetime.fromtimestamp(time, UTC).date().isoformat()
