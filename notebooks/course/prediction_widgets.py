"""The inputs of predictions: a number box, radio buttons, or a drop-down list for every place.

All have names that a screen reader says. What is entered is stored at once, without a button.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from course.display import escape, mark_code, without_math
from course.predictions import Answer, store_prediction

if TYPE_CHECKING:
    from ipywidgets import Widget

_NOTHING = "(choose)"
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?")


def parse_number(text: str, answer: Answer) -> float | None:
    """Return the number that somebody typed, None if there is none in the range asked for.

    The unit may follow. A comma is read as a decimal point, and between groups of three digits as
    what divides thousands, if that gives a number in the range.

    >>> from course import number
    >>> parse_number(" 3,5 % ", number(0, 10, "%")), parse_number("1,000", number(0, 5000))
    (3.5, 1000.0)
    """
    text = text.strip().removesuffix(answer.unit).strip()
    readings = [text.replace(",", "")] if _THOUSANDS.fullmatch(text) else []
    for reading in [*readings, text.replace(",", ".")]:
        try:
            value = float(reading)
        except ValueError:
            continue
        if answer.accepts(value):
            return value
    return None


def make_input(name: str, question: str, answer: Answer, said: Any = None) -> Widget:
    """Return the widgets that ask for a prediction.

    Parameters
    ----------
    name, question, answer
        As in :func:`~course.predictions.predict`.
    said
        The prediction that is stored already.
    """
    import ipywidgets

    state = ipywidgets.HTML()

    def store(given: Any, problem: str = "") -> None:
        if given is None:
            state.value = f'<p role="status">{escape(problem)}</p>'
        elif store_prediction(name, given):
            state.value = _stored_line(answer, given)
        else:
            state.value = '<p role="status">The result has been shown. It is too late now.</p>'

    make = {"number": _number_box, "pick": _radio_buttons, "order": _lists}[answer.kind]
    controls = make(answer, said, store)
    if said is not None:
        state.value = _stored_line(answer, said)
    asked = f"<p><strong>Predict.</strong> {mark_code(question)}</p>"
    above = ipywidgets.HTML(without_math(asked))
    frame = {"border": "1px solid #bbbbbb", "padding": "0.5em"}
    return ipywidgets.VBox([above, *controls, state], layout=frame)


def _stored_line(answer: Answer, said: Any) -> str:
    text = f"Stored: {answer.say(said)}. You can change it until the result is shown."
    return f'<p role="status">{escape(text)}</p>'


Store = Callable[..., None]


def _number_box(answer: Answer, said: Any, store: Store) -> list[Widget]:
    import ipywidgets

    def entered(change: Any) -> None:
        typed = str(change["new"])
        text = typed if len(typed) <= 30 else f"{typed[:30]}..."
        store(
            parse_number(typed, answer),
            f"Please enter a number from {answer.range()}; you entered “{text}”.",
        )

    box = ipywidgets.Text(
        "" if said is None else f"{said:.12g}",
        description=f"Your prediction ({answer.range()})",
        placeholder="then Enter",
        continuous_update=False,
        style={"description_width": "initial"},
        layout={"width": "max-content", "max_width": "100%", "flex_flow": "row wrap"},
    )
    box.observe(entered, "value")
    return [box]


def _radio_buttons(answer: Answer, said: Any, store: Store) -> list[Widget]:
    import ipywidgets

    buttons = ipywidgets.RadioButtons(
        options=answer.options,
        value=said,
        description="Your prediction",
        style={"description_width": "initial"},
        layout={"width": "max-content", "max_width": "100%"},
    )
    buttons.observe(lambda change: store(change["new"]), "value")
    return [buttons]


def _lists(answer: Answer, said: Any, store: Store) -> list[Widget]:
    import ipywidgets

    lists = [
        ipywidgets.Dropdown(
            options=[_NOTHING, *answer.options],
            value=said[place] if said else _NOTHING,
            description=f"Place {place + 1}",
            layout={"width": "max-content", "max_width": "100%"},
        )
        for place in range(len(answer.options))
    ]

    def chosen(change: Any) -> None:
        given = [one.value for one in lists]
        missing = [option for option in answer.options if option not in given]
        problem = f"Not stored yet. Still without a place: {', '.join(missing)}."
        store(None if missing else given, problem)

    for one in lists:
        one.observe(chosen, "value")
    return lists
