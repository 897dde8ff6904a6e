"""The inputs of predictions: what is typed, and what a screen reader says."""

from __future__ import annotations

import ipywidgets
import pytest
from course import number, order, pick
from course.prediction_widgets import make_input, parse_number
from course.predictions import Answer

PERCENT = number(0, 100, "%")


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("40", 40),
        (" 40 % ", 40),
        ("3,5", 3.5),
        ("1,000", 1),
        ("٤٠", 40),
        ("1e1", 10),
        ("", None),
        ("-1", None),
        ("101", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("9" * 100_000, None),
        ("<b>4</b>", None),
        ("\u202e04", None),
        ("\U0001f600", None),
        ("__import__('os')", None),
    ],
)
def test_what_is_typed_is_a_number_in_the_range_or_nothing(typed: str, value: float | None) -> None:
    assert parse_number(typed, PERCENT) == value


def test_commas_between_thousands() -> None:
    assert parse_number("1,000", number(0, 5000)) == 1000
    assert parse_number("1,234,567.5", number(0, 1e7)) == 1234567.5
    assert parse_number("1,5", number(0, 5000)) == 1.5


@pytest.mark.parametrize("answer", [PERCENT, pick("a", "b"), order("a", "b", "c")])
def test_every_control_has_a_name(answer: Answer) -> None:
    box = make_input("05.x", "?", answer)
    inputs = [one for one in box.children if not isinstance(one, ipywidgets.HTML)]
    assert inputs
    assert all(one.description for one in inputs)
