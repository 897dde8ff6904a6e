"""Panels: still figures first, then sliders that redraw one of them."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import matplotlib.pyplot as plt
import pytest
from course import choice, entry, panel, slider, toggle
from course.display import without_math
from course.panels import REST_SECONDS, LivePanel


def draw(number: float, shape: str = "round", marked: bool = False, word: str = "x") -> Any:
    if number == 3:
        raise ValueError("<three>")
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([0, number])
    return figure, f"{number:g} {shape} {marked} {word}"


CONTROLS = (
    slider("number", [1, 2, 3, 4], start=2, label="how many"),
    choice("shape", ["round", "square"]),
    toggle("marked"),
    entry("word", start="<i>"),
)


def alt(live: LivePanel) -> str:
    found = re.search(r'alt="([^"]*)"', live.view.value)
    return found[1] if found else live.view.value


def test_a_static_panel_is_figures_and_a_sentence(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    panel(draw, *CONTROLS, title="Bench", static=[{"number": 1}, {"number": 4, "marked": True}])
    still, sentence = shown
    assert re.findall(r'alt="([^"]*)"', still["text/html"]) == [
        "1 round False &lt;i&gt;",
        "4 round True &lt;i&gt;",
    ]
    assert still["text/plain"].splitlines()[2] == (
        "[figure] how many = 4, marked = True: 4 round True <i>"
    )
    assert sentence["text/plain"] == (
        "[interactive panel] Bench: how many from 1 to 4; shape: round or square; marked on or off;"
        " word (free text)"
    )
    assert sentence.keys() == {"text/html", "text/plain"}


def test_a_live_panel_stands_alone(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "1")
    panel(draw, *CONTROLS, title="Bench", static=[{}])
    monkeypatch.setenv("MSM4SR_STATIC", "0")
    panel(draw, *CONTROLS, title="Bench", static=[{}, {"number": 3}])  # 3 cannot be drawn
    _, sentence, live = shown
    assert live.pop("application/vnd.jupyter.widget-view+json")
    assert live == sentence


def test_every_control_redraws() -> None:
    live = LivePanel(draw, CONTROLS)
    holders = live._holders
    assert alt(live) == "2 round False &lt;i&gt;"
    holders["number"].value = 4
    holders["shape"].value = "square"
    holders["marked"].value = True
    holders["word"].value = "mug"
    assert alt(live) == "4 square True mug"
    live.close()


def test_a_dragged_slider_draws_once() -> None:
    drawn: list[float] = []

    def record(number: float) -> tuple[str, str]:
        drawn.append(number)
        return f"<p>{number}</p>", str(number)

    async def drag() -> None:
        live = LivePanel(record, [slider("number", [1, 2, 3, 4])])
        for number in (2, 3, 4):
            live._holders["number"].value = number
        await asyncio.sleep(4 * REST_SECONDS)
        assert live.view.value == without_math("<p>4</p>")
        live.close()

    asyncio.run(drag())
    assert drawn == [1, 4]


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, [1, 2, 3, 4]), (0.1, [1, 2, 4])])
def test_a_live_slider_draws_while_it_is_dragged_if_that_is_quick(
    seconds: float, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("course.panels.LIVE_SECONDS", 0.08)
    drawn: list[float] = []

    def record(number: float) -> tuple[str, str]:
        drawn.append(number)
        time.sleep(seconds if number > 1 else 0)
        return f"<p>{number}</p>", str(number)

    async def drag() -> None:
        live = LivePanel(record, [slider("number", [1, 2, 3, 4], live=True)])
        for number in (2, 3, 4):
            live._holders["number"].value = number
        if seconds == 0:
            assert drawn == expected  # before the slider rests
        await asyncio.sleep(4 * REST_SECONDS)
        live.close()

    asyncio.run(drag())
    assert drawn == expected


def test_a_figure_fills_the_page() -> None:
    live = LivePanel(draw, CONTROLS)
    assert 'style="width:100%' in live.view.value
    assert 'width="260" height="130"' in live.view.value  # 2 by 1 inches, sharp
    live.close()


def test_an_error_in_draw_is_shown_and_passes() -> None:
    live = LivePanel(draw, CONTROLS)
    live._holders["number"].value = 3
    assert "cannot be drawn. ValueError: &lt;three&gt;" in live.view.value
    live._holders["number"].value = 4
    assert alt(live).startswith("4")
    live.close()


@pytest.mark.parametrize("values", [[1, 2, 4], list(range(0, 40, 2)), [0.5 * i for i in range(20)]])
def test_a_slider_has_a_named_companion(values: list[float]) -> None:
    live = LivePanel(draw, [slider("number", values, start=values[1], label="how many")])
    companion, slide = live.box.children[1].children
    assert companion.description == "how many"
    slide.value = values[2]
    assert companion.value == values[2]
    companion.value = values[0]
    assert slide.value == values[0]
    live.close()


def test_a_number_between_two_values_snaps() -> None:
    live = LivePanel(draw, [slider("number", list(range(0, 40, 10)) + list(range(40, 60)))])
    companion, slide = live.box.children[1].children
    companion.value = 17
    assert (slide.value, companion.value) == (20, 20)
    live.close()


def test_a_live_panel_asks_nothing_of_the_widget_that_ipywidgets_7_lacks(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ipywidgets

    monkeypatch.setenv("MSM4SR_STATIC", "0")
    monkeypatch.delattr(ipywidgets.Widget, "_repr_mimebundle_")
    panel(draw, *CONTROLS, title="Seven", static=[])
    assert "application/vnd.jupyter.widget-view+json" in shown[-1]


def test_running_a_panel_again_leaves_no_widgets_behind(
    shown: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ipywidgets.widgets.widget import _instances

    monkeypatch.setenv("MSM4SR_STATIC", "0")
    counts = []
    for _ in range(3):
        panel(draw, *CONTROLS, title="Again", static=[])
        counts.append(len(_instances))
    assert counts[0] == counts[1] == counts[2]


def test_wrong_settings_are_refused(shown: list[dict[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"must start at one of its values \[1, 2\]; got 5"):
        slider("number", [1, 2], start=5)
    with pytest.raises(ValueError, match=r"static may set .*; got \['colour'\]"):
        panel(draw, *CONTROLS, title="Bench", static=[{"colour": 1}])
    with pytest.raises(ValueError, match=r"taps may name one of .*; got 'colour'"):
        panel(draw, *CONTROLS, title="Bench", static=[], taps="colour")
