"""Predictions: stored before the result is shown, scored once, harmless whatever is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from course import load_progress, number, order, pick, predict, predictions, record, reveal
from course.predictions import Answer, score

Shown = list[dict[str, str]]
PERCENT = number(0, 100, "%")
KINDS = pick("text", "image")
THREE = order("a", "b", "c")


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start as in a new kernel."""
    for name, empty in (("_asked", {}), ("_revealed", set()), ("_open", {})):
        monkeypatch.setattr(predictions, name, empty)


def restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "_revealed", set())
    monkeypatch.setattr(predictions, "_asked", {})


def controls(name: str) -> list[Any]:
    return list(predictions._open[name].children[1:-1])  # type: ignore[attr-defined]


def state(name: str) -> str:
    return str(predictions._open[name].children[-1].value)  # type: ignore[attr-defined]


def text(shown: Shown) -> str:
    return shown[-1]["text/plain"]


def test_a_number_is_stored_before_and_scored_after(shown: Shown) -> None:
    predict("05.share", "Which share?", PERCENT)
    (box,) = controls("05.share")
    box.value = "40"
    assert load_progress()["predictions"] == {"05.share": {"said": 40}}
    assert "Stored: 40 %. You can change it until the result is shown." in state("05.share")
    box.value = "41,5 %"
    reveal("05.share", 44.449, close=5)
    assert load_progress()["predictions"] == {
        "05.share": {"said": 41.5, "result": "44 %", "score": "right"}
    }
    assert text(shown) == (
        "✓ You said 41.5 %; it is 44 %. Right. Up to 5 away is right, up to 15 is near."
        " Your predictions so far: 1 of 1 right."
    )


def test_after_the_result_a_prediction_does_not_change(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict("05.share", "Which share?", PERCENT)
    late = controls("05.share")[0]
    late.value = "10"
    reveal("05.share", 50, close=5)
    assert late.disabled
    assert "The result has been shown." in state("05.share")
    late.value = "50"  # a message of a browser that was on its way
    predict("05.share", "Which share?", PERCENT)
    assert "05.share" not in predictions._open
    assert text(shown) == "○ Predict. Which share? You said 10 %; it was 50 %: wrong."
    reveal("05.share", 11, close=5)  # the student has changed the code
    assert "You said 10 %; it is 11 %. Right." in text(shown)
    assert "0 of 1 right" in text(shown)
    assert load_progress()["predictions"]["05.share"]["score"] == "wrong"
    restart(monkeypatch)
    predict("05.share", "Which share?", PERCENT)
    assert "05.share" not in predictions._open


def test_a_result_without_prediction_stops_nothing_and_waits_for_a_new_kernel(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict("05.share", "Which share?", PERCENT)
    late = controls("05.share")[0]
    reveal("05.share", 44, close=5)
    assert text(shown) == "○ Result: 44 %. No prediction was made."
    late.value = "44"
    assert load_progress()["predictions"] == {}
    predict("05.share", "Which share?", PERCENT)
    assert "You can predict it after a restart of the kernel." in text(shown)
    restart(monkeypatch)
    predict("05.share", "Which share?", PERCENT)
    controls("05.share")[0].value = "44"
    assert load_progress()["predictions"] == {"05.share": {"said": 44}}


def test_a_stored_prediction_is_there_in_the_next_kernel(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    record("predictions", "05.share", {"said": 40})
    record("predictions", "05.which", {"said": "image"})
    record("predictions", "05.row", {"said": ["b", "a", "c"]})
    predict("05.share", "?", PERCENT)
    predict("05.which", "?", KINDS)
    predict("05.row", "?", THREE)
    assert controls("05.share")[0].value == "40"
    assert controls("05.which")[0].value == "image"
    assert [one.value for one in controls("05.row")] == ["b", "a", "c"]
    assert all("Stored: " in state(name) for name in ("05.share", "05.which", "05.row"))
    restart(monkeypatch)  # and the cell with the question is not run again
    reveal("05.row", ["a", "b", "c"])
    assert "You said b, a, c; it is a, b, c. Near. 2 of 3 pairs" in text(shown)
    reveal("05.share", 46, close=2)
    assert "You said 40; it is 46. Near. Up to 2 away is right, up to 6 is near." in text(shown)
    reveal("05.which", "image")
    assert text(shown).endswith("Right. Your predictions so far: 1 of 3 right.")


def test_an_order_is_stored_once_every_place_is_taken(shown: Shown) -> None:
    predict("05.row", "?", THREE)
    lists = controls("05.row")
    lists[0].value, lists[1].value = "b", "b"
    assert "Still without a place: a, c." in state("05.row")
    assert load_progress()["predictions"] == {}
    lists[1].value, lists[2].value = "c", "a"
    assert load_progress()["predictions"]["05.row"]["said"] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("answer", "said", "result", "close", "verdict"),
    [
        (PERCENT, 3.0, 5.0, 2, "right"),
        (PERCENT, 2.99, 5.0, 2, "near"),
        (PERCENT, 11.0, 5.0, 2, "near"),
        (PERCENT, 11.1, 5.0, 2, "wrong"),
        (PERCENT, 0.3, 0.2, 0.1, "right"),
        (PERCENT, 5, 5, 0, "right"),
        (PERCENT, 4, 5, 0, "wrong"),
        (KINDS, "text", "text", 0, "right"),
        (KINDS, "text", "image", 0, "wrong"),
        (THREE, ["a", "b", "c"], ["a", "b", "c"], 0, "right"),
        (THREE, ["a", "c", "b"], ["a", "b", "c"], 0, "near"),
        (THREE, ["c", "a", "b"], ["a", "b", "c"], 0, "wrong"),
        (order("a", "b"), ["b", "a"], ["a", "b"], 0, "wrong"),
    ],
)
def test_scores(answer: Answer, said: Any, result: Any, close: float, verdict: str) -> None:
    assert score(answer, said, result, close)[0] == verdict


@pytest.mark.parametrize(
    "typed",
    [
        '<img src=x onerror="alert(1)">',
        "\U0001f469‍\U0001f680" * 90,
        "\u202eabc",
        "שלום",
        "9" * 9999,
    ],
)
def test_what_is_typed_is_echoed_harmlessly(typed: str, shown: Shown) -> None:
    predict("05.share", "?", PERCENT)
    controls("05.share")[0].value = typed
    assert load_progress()["predictions"] == {}
    assert "Please enter a number from 0 to 100 %; you entered" in state("05.share")
    assert "<img" not in state("05.share")
    assert "\u202e" not in state("05.share")
    assert len(state("05.share")) < 300
    reveal("05.share", 44, close=5)
    assert "No prediction was made." in text(shown)


WRONG = [
    5,
    [],
    {},
    {"said": None},
    {"said": True},
    {"said": "40"},
    {"said": 10**400},
    {"said": float("inf")},
    {"said": {"a": 1}},
    {"said": 40, "score": ["right"]},
    {"score": "right"},
]


@pytest.mark.parametrize("entry", WRONG)
def test_a_file_that_somebody_has_changed_stops_nothing(entry: Any, shown: Shown) -> None:
    import json

    path = predictions_file()
    path.write_text(json.dumps({"predictions": {"05.share": entry, "05.which": entry}}))
    predict("05.share", "?", PERCENT)
    predict("05.which", "?", KINDS)
    predict("05.row", "?", THREE)
    reveal("05.share", 44, close=5)
    reveal("05.which", "text")
    reveal("05.row", ["c", "b", "a"])
    assert len(shown) == 6


def predictions_file() -> Path:
    from course import work_folder

    folder = work_folder()
    assert folder
    folder.mkdir()
    return folder / "progress.json"


@pytest.mark.parametrize("result", [None, float("nan"), "x" * 999, [1], object(), True, {1: 2}])
def test_a_changed_result_stops_nothing(result: Any, shown: Shown) -> None:
    for name, answer in (("05.share", PERCENT), ("05.which", KINDS), ("05.row", THREE)):
        predict(name, "?", answer)
        reveal(name, result, close=1)
        assert text(shown).startswith("○ Result: ")
        assert text(shown).endswith("It is not scored.")
        assert len(text(shown)) < 300


def test_a_question_is_data(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    for static in "01":
        monkeypatch.setenv("MSM4SR_STATIC", static)
        predict("05.share", "Is `p < 0.5` <b>fair</b>?", pick("<i>yes</i>", "no"))
        assert "<b>" not in shown[-1]["text/html"]
        assert "<i>" not in shown[-1]["text/html"]
    assert "<code>p &lt; 0.5</code> &lt;b&gt;" in shown[-1]["text/html"]


def test_static(shown: Shown, monkeypatch: pytest.MonkeyPatch, student: Path) -> None:
    record("predictions", "05.share", {"said": 40})
    before = list(student.iterdir())
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    predict("05.share", "Which share?", PERCENT)
    reveal("05.share", 44.449, close=5)
    predict("05.which", "Which?", KINDS)
    reveal("05.which", "image")
    predict("05.row", "In which order?", THREE)
    reveal("05.row", ("c", "b", "a"))
    reveal("05.other", 0.123, close=0.05)
    assert [one["text/plain"] for one in shown] == [
        "Predict: Which share?\nYour prediction: a number from 0 to 100 %.",
        "Result: 44 %",
        "Predict: Which?\n- text\n- image",
        "Result: image",
        "Predict: In which order?\n- a\n- b\n- c",
        "Result: c, b, a",
        "Result: 0.12",
    ]
    assert all(one.keys() == {"text/plain", "text/html"} for one in shown)
    assert list(student.iterdir()) == before


def test_mistakes_of_an_author_are_found_by_a_build(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    with pytest.raises(ValueError, match="a prediction is called like"):
        predict("share", "?", PERCENT)
    with pytest.raises(ValueError, match=r"05.share: close must say"):
        reveal("05.share", 3)
    for wrong in (lambda: pick("a"), lambda: order("a", "a"), lambda: number(3, 3)):
        with pytest.raises(ValueError, match=r"needed|must be less"):
            wrong()
    predict("05.which", "?", KINDS)
    with pytest.raises(ValueError, match="is no answer to the question"):
        reveal("05.which", "both")


def test_numbers_of_numpy_are_numbers(shown: Shown) -> None:
    predict("05.share", "?", PERCENT)
    controls("05.share")[0].value = "40"
    reveal("05.share", np.float32(44.4), close=0.5)
    assert "it is 44.4 %. Wrong." in text(shown)


def test_a_question_asked_again_closes_its_earlier_widgets(shown: Shown) -> None:
    predict("05.share", "?", PERCENT)
    first = controls("05.share")[0]
    predict("05.share", "?", PERCENT)
    assert first.comm is None
