"""Timestamps in every form become seconds, or are refused with their place."""

import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset import times
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.times import CLEAR, format_period, oldest_first, to_seconds

T = 1_700_000_000  # 2023-11-14 22:13:20 UTC


def seconds(*cells: object) -> list[float]:
    return to_seconds(pd.Series(cells, dtype=object), "row", []).tolist()


@pytest.mark.parametrize(
    "cell",
    [
        T,
        str(T),
        float(T),
        T * 1_000,
        str(T * 1_000_000),
        T * 1_000_000_000,
        "2023-11-14 22:13:20",
        "2023-11-14T22:13:20Z",
        "2023-11-14 22:13:20 UTC",
        "2023-11-14 22:13:20.000 GMT",
        "2023-11-14T23:13:20+01:00",
        "2023-11-14 17:13:20-0500",
        "20231114T221320",
        "20231114221320",
        20231114221320,
        pd.Timestamp(T, unit="s"),
        pd.Timestamp(T, unit="s", tz="Asia/Tokyo"),
    ],
)
def test_all_forms_are_the_same_moment(cell) -> None:
    assert seconds(cell, cell) == [T, T]


def test_days() -> None:
    day = T - T % 86_400
    assert seconds("2023-11-14") == seconds(20231114) == seconds("20231114") == [day]
    assert seconds("9999-12-31", "2023-11-14") == [253402214400, day]
    assert seconds("9999-12-31T00:00:00Z") == [253402214400]


def test_counters_and_small_numbers_stay_as_they_are() -> None:
    assert seconds(1, 2, 3.5) == [1, 2, 3.5]
    assert seconds(-1000, T) == [-1000, T]  # before 1970
    assert seconds(20231114, 20231399) == [20231114, 20231399]  # no dates: there is no 13th month
    assert seconds(0, T * 1000) == [0, T]


D, OTHER = "2023-11-14", "2023-11-15"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            (T, T * 1000),
            "row 0: timestamp '1700000000' looks like seconds, '1700000000000' looks like mil",
        ),
        (
            (T * 1000, T * 1000, T),
            "row 2: timestamp '1700000000' looks like seconds, '1700000000000' ",
        ),
        ((D, "11/15/2023"), "row 1: timestamp '11/15/2023' is neither .*to_datetime with format="),
        (("13/02/2021", "02/03/2021"), "row 0: timestamp '13/02/2021' is neither"),
        (("02.03.2021",), "row 0: timestamp '02.03.2021' is neither"),
        (("13022021", "02032021"), "row 0: timestamp '13022021' is a date with the year last"),
        ((2032021, 3032021), "row 0: timestamp '2032021' is a date with the year last"),
        ((*[12312023] * 9, 5), "row 0: timestamp '12312023' is a date with the year last"),
        (
            (D, OTHER, T),
            "row 2: timestamp '1700000000' is a number, but 2 others are dates, such as '2",
        ),
        ((D, OTHER, 0), "row 2: timestamp '0' is a number, but 2 others are dates"),
        ((D, OTHER, "20231114"), "row 2: timestamp '20231114' is a number, but 2 others are dates"),
        (
            (T, T, D),
            "row 2: timestamp '2023-11-14' is a date, but 2 others are numbers, such as '17",
        ),
        ((pd.Timestamp(D), pd.Timestamp(D), -1), "row 2: timestamp '-1' is a number, but 2 others"),
        ((*[20231114] * 9, 20230231), "row 9: timestamp '20230231' is not a date, but others are"),
        ((20230231, *[20231114] * 9), "row 0: timestamp '20230231' is not a date, but others are"),
        ((*[202311141015] * 9, 202302311015), "row 9: timestamp '202302311015' is not a date"),
        (
            (*["20231114101500"] * 9, "20231114106100"),
            "row 9: timestamp '20231114106100' is not a date",
        ),
        (
            (*[20231114] * 9, 0),
            "row 9: timestamp '0' is not a date, but others are, such as '20231114",
        ),
        ((D, "10000-01-01"), "row 1: timestamp '10000-01-01' is neither"),
        ((D, "now"), "row 1: timestamp 'now' is neither"),
        (("today", D), "row 0: timestamp 'today' is neither"),
        ((T, None), "row 1: no timestamp; fill it in, or remove the row"),
        ((D, ""), "row 1: no timestamp"),
        ((pd.Timestamp(D), pd.NaT), "row 1: no timestamp"),
        ((T, True), "row 1: timestamp 'True' is neither"),
        ((T, float("inf")), "row 1: timestamp 'inf' is neither"),
        (("UTC", "UTC"), "row 0: timestamp 'UTC' is neither"),
        ((pd.Timedelta(3, "h"),), "row 0: timestamp '0 days 03:00:00' is neither"),
    ],
)
def test_others_are_refused_with_their_place(cells, message) -> None:
    with pytest.raises(UserError, match=message):
        seconds(*cells)


def test_early_dates_of_the_largest_unit_are_no_other_unit() -> None:
    year_1974 = 126_230_400
    assert seconds(year_1974 * 1000, T * 1000) == [year_1974, T]
    assert seconds(5 * 10**9, T * 1000) == [5 * 10**6, T]  # 1970 in milliseconds, 2128 in seconds
    assert seconds(0, -86_400_000, T * 1000) == [0, -86_400, T]


def test_columns_of_periods_and_durations() -> None:
    months = pd.Series(pd.period_range("2023-11", periods=2, freq="M"))
    assert to_seconds(months, "row", []).tolist() == [1698796800, 1701388800]
    with pytest.raises(UserError, match="row 0: timestamp '0 days 01:00:00' is neither"):
        to_seconds(pd.Series(pd.to_timedelta([1, 2], unit="h")), "row", [])


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        ((T * 1000,), "timestamps are in milliseconds; they were read as seconds since 1970"),
        ((20231114,), "timestamps such as 20231114 were read as dates"),
        (("9999-12-31",), "timestamps later than the year 2100: 1; are they placeholders?"),
    ],
)
def test_choices_are_noted(cells, note) -> None:
    notes: list[str] = []
    to_seconds(pd.Series(cells, dtype=object), "row", notes)
    assert notes == [note]


def frame(*rows: tuple[str, str, object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])


def history(table: pd.DataFrame, user: str = "u") -> list[str]:
    notes: list[str] = []
    table = oldest_first(table, notes)
    return [*table.loc[table["user_id"] == user, "item_id"], *(note[:20] for note in notes)]


def test_equal_times_keep_the_order_of_a_table_that_runs_forwards() -> None:
    assert history(frame(("u", "a", 1), ("u", "b", 1), ("u", "c", 2))) == ["a", "b", "c"]


def test_a_table_that_runs_backwards_is_reversed() -> None:
    rows = frame(("u", "c", 2), ("v", "x", 9), ("u", "b", 1), ("u", "a", 1))
    assert history(rows) == ["a", "b", "c", "the interactions run"]


def test_a_few_rows_in_another_order_do_not_hide_that_a_table_runs_backwards() -> None:
    days = [(f"u{u}", f"i{9 - n}", 100 - n // 2) for u in range(20) for n in range(10)]
    assert history(frame(*days, ("u0", "x", 101)), "u3")[:10] == [f"i{n}" for n in range(10)]


def test_an_unclear_order_is_noted() -> None:
    rows = [
        ("u", "a", 1),
        ("u", "b", 1),
        ("v", "c", 2),
        ("v", "a", 1),
        ("w", "a", 1),
        ("w", "b", 2),
    ]
    assert history(frame(*rows)) == ["a", "b", "the order of a user'"]


@pytest.mark.parametrize(("forwards", "noted"), [(CLEAR - 1, True), (CLEAR, False)])
def test_a_clear_majority_of_forward_steps_needs_no_note(forwards, noted) -> None:
    """Beside one step backwards; the number of forward steps decides."""
    rows = [("u", f"i{n}", n) for n in range(forwards + 1)]
    rows += [("v", "a", 2), ("v", "b", 1), ("v", "c", 1)]
    notes: list[str] = []
    oldest_first(frame(*rows), notes)
    assert ["is unclear" in note for note in notes] == [True] * noted


def test_interactions_at_the_same_time_follow_their_parts() -> None:
    table = frame(("u", "a", 1), ("u", "c", 2), ("u", "b", 2)).assign(
        part=["train", "test", "train"]
    )
    assert oldest_first(table, [])["item_id"].tolist() == ["a", "b", "c"]
    assert list(oldest_first(table, []).columns) == ["user_id", "item_id", "timestamp", "part"]


def test_an_unsorted_table_is_sorted() -> None:
    assert history(frame(("u", "c", 3), ("u", "a", 1), ("u", "b", 1), ("u", "d", 4))) == [*"abcd"]


def test_days_without_times_are_noted() -> None:
    items = pd.DataFrame({"item_id": ["a", "b"], "title": ["Mug", "Bowl"]})
    days = frame(("u", "a", "2024-01-01"), ("u", "b", "2024-01-01"), ("v", "a", "2024-01-02"))
    (note,) = Dataset.from_frames(days, items).notes
    assert "interactions on the same day as another of the user: 2, which keep" in note
    days["timestamp"] = ["2024-01-01", "2024-01-02", "2024-01-02"]
    assert Dataset.from_frames(days, items).notes == []
    days["timestamp"] = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-02"]).tz_localize(
        "Asia/Tokyo"
    )
    assert len(Dataset.from_frames(days, items).notes) == 1


def test_times_that_are_no_seconds_are_shown_as_numbers():
    assert format_period(1, 2.5) == "timestamps 1 to 2.5"
    assert format_period(1.6e9, 253402214400) == "2020-09-13 to 9999-12-31"
    assert format_period(1.6e12, 1.7e12) == "timestamps 1600000000000 to 1700000000000"


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        ([1999, 2023], "years"),
        ([19000, 19500], "days since 1970"),
        ([45000, 45244], "days as spreadsheets count them"),
        ([45000.25, 45244.5], "days as spreadsheets count them"),
        ([202311, 202402], "months such as 202311"),
        ([28_000_000, 28_400_000], "minutes since 1970"),
    ],
)
def test_numbers_that_may_be_dates_in_another_unit_are_asked_about(times, unit):
    notes = []
    assert to_seconds(pd.Series(times), "row", notes).tolist() == times
    assert notes == [
        f"all timestamps are from {times[0]} to {times[1]}: are these {unit}? They were kept as"
        f" numbers"
    ]


@pytest.mark.parametrize("times", [[1, 2023], [1.6e9, 1.7e9], [0, 45000]])
def test_other_numbers_are_not_asked_about(times):
    notes = []
    to_seconds(pd.Series(times), "row", notes)
    assert notes == []


def test_dates_are_the_same_in_any_number_of_blocks(monkeypatch):
    dates = ["2023-11-14T22:13:20.123456", "2023-11-14T22:13:20.123456789", "9999-12-31"] * 3
    whole = to_seconds(pd.Series(dates), "row", [])
    monkeypatch.setattr(times, "BLOCK", 2)
    assert to_seconds(pd.Series(dates), "row", []).tolist() == whole.tolist()
    assert whole[:3].tolist() == [1700000000.123456, 1700000000.123456, 253402214400.0]
    with pytest.raises(UserError, match=r"row 9: timestamp 'soon' is neither"):
        to_seconds(pd.Series([*dates, "soon"]), "row", [])


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([1.7e9, "2023-11-14", 1.6e9], "'2023-11-14' is a date, but 2 others .* '1700000000';"),
        ([20231114.0] * 10 + [20231141.0], "'20231141' is not a date, but .* such as '20231114';"),
        ([1.7e9, 1.7e12], "'1700000000' looks like seconds, '1700000000000' looks like milli"),
    ],
)
def test_numbers_are_shown_as_they_were_written(cells, message):
    with pytest.raises(UserError, match=message):
        to_seconds(pd.Series(cells), "row", [])


@pytest.mark.parametrize("cell", [1e30, -1e30, 10**21, 253402300800000000000])
def test_times_beyond_every_date_are_refused(cell):
    with pytest.raises(UserError, match=r"^row 1: timestamp \S+ is later than any date"):
        seconds(T * 10**9, cell)


@pytest.mark.parametrize("cells", [(T, 0, -1), (T * 1000, 0, -1), ("2023-11-14", "1970-01-01")])
def test_early_times_beside_recent_ones_are_noted(cells):
    notes = []
    to_seconds(pd.Series(cells, dtype=object), "row", notes)
    early = f"timestamps between 1966 and 1973: {len(cells) - 1}, such as {str(cells[1])!r} (row 1)"
    assert notes[-1] == f"{early}; are they placeholders?"


@pytest.mark.parametrize("cells", [(20200101, T), (T, 20200101, 20200102), (T * 1000, 20200101, 0)])
def test_compact_dates_beside_seconds_are_refused(cells):
    row = cells.index(20200101)
    with pytest.raises(
        UserError, match=f"^row {row}: timestamp '20200101' looks like a date, '{T}"
    ):
        seconds(*cells)


def test_early_seconds_that_look_like_dates_are_read():
    early = [19_700_101, *range(20_000_000, 21_000_000, 50_000)]
    assert seconds(*early, T) == [*early, T]
