"""Filter interactions, hold some of them out for evaluation, and group them by user."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.filters import filter_interactions
from msm4sr_lite.dataset.times import BOUNDS, DAY, PARTS, format_time, to_seconds
from msm4sr_lite.printable import counted
from msm4sr_lite.sequences import Sequences

SAME_STEP = 1e-5  # seconds; less is lost in the numbers


def build_sequences(
    interactions: pd.DataFrame,
    item_ids: Sequence[str],
    config: DataConfig | None = None,
    *,
    hold_out: bool = True,
) -> Sequences:
    """Filter interactions, split them into parts, and group them by user.

    With ``split="leave_one_out"`` all interactions are filtered; then each user's most recent ones
    are held out. With ``"time"`` (all interactions from a date on) and ``"part"`` (as the column
    ``part`` says), only the training part is filtered, so that it does not depend on what is held
    out. Of the held-out interactions, those of users and items that were dropped are dropped too
    and, with ``deduplicate``, those with an item that the user had interacted with before.

    Parameters
    ----------
    interactions
        Columns ``user_id``, ``item_id`` and ``timestamp`` (needed by ``split="time"`` only). Where
        there are timestamps, rows are sorted by them; equal ones keep their order.
    item_ids
        Ids of all items. Items are numbered 1, 2, ... in this order.
    config
        The filters and the split.
    hold_out
        False: every interaction is in the training part.

    Raises
    ------
    UserError
        If no user is left, or the interactions cannot be split as asked.

    Examples
    --------
    >>> interactions = pd.DataFrame(
    ...     {"user_id": ["ann"] * 4 + ["bob"], "item_id": ["b", "a", "c", "a", "a"],
    ...      "timestamp": [1, 2, 3, 4, 5]}
    ... )
    >>> sequences = build_sequences(
    ...     interactions, ["a", "b", "c"], DataConfig(min_user_interactions=3)
    ... )
    >>> sequences.users  # bob has one interaction only
    ['ann']
    >>> [sequences.items[number] for number in sequences.user_sequence(0)]
    ['b', 'c', 'a']
    """
    config = config or DataConfig()
    if not all(item_ids) or len(set(item_ids)) < len(item_ids):
        raise UserError("item_ids has an empty id or one id twice; give each item one id")
    interactions = _checked(interactions, config)
    table = interactions[interactions["item_id"].isin(set(item_ids))].reset_index(drop=True)
    if table.empty:
        raise UserError("no interaction has an item of item_ids; write both as text")
    by_user = config.split == "leave_one_out" or not hold_out
    parts = np.zeros(len(table), int) if by_user else _parts(table, config)
    if hold_out and config.split != "time" and (config.valid_from or config.test_from):
        raise UserError(f"valid_from and test_from are for split=time; split is {config.split}")
    train = filter_interactions(table[parts == 0], config)
    if train.empty:
        what = "different items" if config.deduplicate else "interactions"
        where = "" if by_user else " in the training part"
        raise UserError(
            f"no user has {config.min_user_interactions} or more {what}{where}"
            f" (users in the dataset: {interactions['user_id'].nunique()}); add data or lower"
            f" min_user_interactions (if above {config.n_test + 2}) or min_item_interactions"
        )
    late = _held_out(table[parts > 0], train, config)
    kept = train.index.union(late.index)  # in the order of time
    table, parts = table.loc[kept], parts[kept]

    listed = set(table["item_id"]) if config.min_item_interactions else set(item_ids)
    numbered = [item for item in item_ids if item in listed]
    number = {item: i for i, item in enumerate(numbered, start=1)}
    codes, users = pd.factorize(table["user_id"])
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(users))
    before = [np.bincount(codes[parts < part], minlength=len(users)) for part in (1, 2)]
    cuts: np.ndarray | None = np.stack(before, axis=1)
    if by_user and hold_out:
        # None: the last interaction is for testing, the one before it for validation.
        cuts = counts[:, None] - [config.n_test + 1, config.n_test] if config.n_test > 1 else None
    return Sequences(
        users=[str(user) for user in users],
        items=["", *numbered],
        interactions=table["item_id"].map(number).to_numpy(dtype=np.int64)[order],
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        cuts=cuts,
    )


def _checked(interactions: pd.DataFrame, config: DataConfig) -> pd.DataFrame:
    """Return interactions sorted by time; refuse missing columns and cells."""
    columns = ["user_id", "item_id"]
    if "timestamp" in interactions or config.split == "time":
        columns.append("timestamp")
    for name in columns:
        if name not in interactions:
            raise UserError(f"interactions: no column {name}; needed are {', '.join(columns)}")
        if interactions[name].hasnans:
            raise UserError(f"interactions: the column {name} has empty cells; fill them in")
    if "timestamp" not in interactions:
        return interactions
    times = interactions["timestamp"]
    dates = config.split != "time" and pd.api.types.is_datetime64_any_dtype(times)
    if not (dates or pd.api.types.is_numeric_dtype(times)):
        raise UserError("interactions: timestamps must be numbers; Dataset.from_frames reads dates")
    if times.is_monotonic_increasing:
        return interactions
    return interactions.sort_values("timestamp", kind="stable")


def _held_out(late: pd.DataFrame, train: pd.DataFrame, config: DataConfig) -> pd.DataFrame:
    """Return the held-out interactions of kept users and items, without repeated ones."""
    if config.min_user_interactions:
        late = late[late["user_id"].isin(train["user_id"])]
    if config.min_item_interactions:
        late = late[late["item_id"].isin(train["item_id"])]
    if config.deduplicate:
        repeated = pd.concat([train, late]).duplicated(["user_id", "item_id"])
        late = late[~repeated.loc[late.index]]
    return late


def _parts(table: pd.DataFrame, config: DataConfig) -> np.ndarray:
    """Return 0, 1, 2 for interactions in the training, validation and test part."""
    if config.split == "part":
        return _given_parts(table)
    dates = split_dates(table, config)
    parts: np.ndarray = np.searchsorted(dates, table["timestamp"].to_numpy(), side="right")
    for part, name in enumerate(("training", "validation", "test")):
        if not (parts == part).any():
            raise UserError(
                f"split=time: no interaction is in the {name} part; validation is from"
                f" {format_time(dates[0])} on and testing from {format_time(dates[1])} on; set"
                f" valid_from and test_from to other dates"
            )
    return parts


def split_dates(table: pd.DataFrame, config: DataConfig) -> tuple[float, float]:
    """Return from which timestamps on interactions are for validation and for testing.

    Parameters
    ----------
    table
        Columns ``user_id`` and ``timestamp``, sorted by time.
    config
        ``valid_from`` and ``test_from``, or ``test_share`` of the interactions for those that are
        empty.

    Raises
    ------
    UserError
        If the timestamps only count the interactions of each user, or the dates are not in order.
    """
    times = table["timestamp"].to_numpy()
    if not (config.valid_from and config.test_from):
        _refuse_counters(table)
    early, late = np.quantile(times, [1 - 2 * config.test_share, 1 - config.test_share]).tolist()
    valid = _date("valid_from", config.valid_from, times) if config.valid_from else early
    test = _date("test_from", config.test_from, times) if config.test_from else late
    if valid > test:
        raise UserError(
            f"split=time: validation is from {format_time(valid)} on and must come before testing,"
            f" which is from {format_time(test)} on; set both valid_from and test_from"
        )
    return valid, test


def _refuse_counters(table: pd.DataFrame) -> None:
    """Refuse timestamps that count or start anew for each user: they share no dates."""
    times = table["timestamp"].to_numpy()
    codes = pd.factorize(table["user_id"])[0]
    order = np.argsort(codes, kind="stable")
    inside = np.diff(codes[order]) == 0
    steps, first = np.diff(times[order])[inside], times[np.unique(codes, return_index=True)[1]]
    if len(first) < 3 or not len(steps):
        return  # too few to tell
    usual = np.median(steps)
    equal = (np.abs(steps - usual) < SAME_STEP).mean() > 0.9
    dates = times.max() >= BOUNDS[0]  # of which many can be whole days apart
    counted = equal and SAME_STEP < usual < (DAY if dates else np.inf)
    counted &= usual == 1 or first.max() <= np.median(times)  # users who follow each other do not
    if counted or (len(set(first)) == 1 and not dates):
        raise UserError(
            f"split=time: the timestamps (the first is {first[0]:.15g}) count each user's"
            f" interactions and are no times that users share; use split=leave_one_out, or set"
            f" valid_from and test_from"
        )


def _date(setting: str, text: str, times: np.ndarray) -> float:
    """Return a date or number that a setting names, on the scale of the timestamps."""
    if re.fullmatch(r"(19|20)\d\d", text) and times.max() >= BOUNDS[0]:
        text = f"{text}-01-01"
    return float(to_seconds(pd.Series([text], index=[f"{text!r}"]), setting, [])[0])


def _given_parts(table: pd.DataFrame) -> np.ndarray:
    """Return the parts that a column names; check that each user's parts follow in this order."""
    if "part" not in table:
        raise UserError("no column part (train, valid or test) in the table; split=part needs it")
    parts = table["part"].map(PARTS.index).to_numpy()
    # A part for validation or for testing may be missing: then the model is not evaluated on it.
    for held_out, name in ((False, "train"), (True, "valid or test")):
        if not ((parts > 0) == held_out).any():
            raise UserError(f"split=part: no interaction is in the part {name}; add some")
    codes = pd.factorize(table["user_id"])[0]
    order = np.argsort(codes, kind="stable")
    wrong = (np.diff(codes[order]) == 0) & (np.diff(parts[order]) < 0)
    if wrong.any():
        row = table.iloc[order[int(np.argmax(wrong)) + 1]]
        raise UserError(
            f"user {row['user_id']!r} has a {row['part']} interaction after a later part; the parts"
            f" of a user must follow each other in time: train, valid, test"
        )
    return parts


def describe_parts(sequences: Sequences) -> str:
    """Return the sizes of the parts in one line.

    Examples
    --------
    >>> table = pd.DataFrame({"user_id": ["ann"] * 5, "item_id": [*"abcde"]})
    >>> describe_parts(build_sequences(table, [*"abcde"]))
    '1 user, 5 items; 3 interactions for training, 1 for validation, 1 to test'
    """
    valid, test, end = sequences.bounds()
    return (
        f"{counted(len(sequences.users), 'user', ',')}, {counted(sequences.n_items, 'item', ',')};"
        f" {counted(valid.sum(), 'interaction', ',')}"
        f" for training, {(test - valid).sum():,} for validation, {(end - test).sum():,} to test"
    )
