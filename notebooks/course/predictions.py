"""Predictions: entered before a result can be seen, and scored when it appears.

A prediction can be changed until then. The first score stays: running the cells again, or other
results after a change of the code, do not alter it. A result that was shown without a prediction
costs nothing, but then a prediction has to wait for the next start of the kernel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

from course.display import escape, isolate, mark_code, show_html, show_note
from course.progress import load_progress, record
from course.session import is_static

if TYPE_CHECKING:
    from ipywidgets import Widget

Verdict = Literal["right", "near", "wrong"]
_NAME = re.compile(r"\d\d\.\w+")


@dataclass(frozen=True)
class Answer:
    """What a prediction may be; made by :func:`number`, :func:`pick` and :func:`order`."""

    kind: Literal["number", "pick", "order"]
    options: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""

    def accepts(self, said: Any) -> bool:
        """Whether this can be an answer; what was stored may come from an older version."""
        if self.kind == "number":
            return _is_number(said) and self.low <= said <= self.high
        if self.kind == "pick":
            return isinstance(said, str) and said in (self.options or (said,))
        is_list = isinstance(said, list) and all(isinstance(one, str) for one in said)
        return is_list and sorted(said) == sorted(self.options)

    def range(self) -> str:
        """Return in words which numbers are asked for."""
        return f"{_format(self.low)} to {self.say(self.high)}"

    def say(self, said: Any, digits: int | None = None) -> str:
        """Return an answer or a result in words."""
        if self.kind == "order":
            return ", ".join(map(str, said))
        if self.kind == "pick":
            return str(said)
        return f"{_format(said, digits)}{' ' if self.unit else ''}{self.unit}"


def number(low: float, high: float, unit: str = "") -> Answer:
    """Ask for a number from ``low`` to ``high``."""
    if not low < high:
        raise ValueError(f"low must be less than high; got {low} and {high}")
    return Answer("number", low=low, high=high, unit=unit)


def pick(*options: str) -> Answer:
    """Ask for one of several texts."""
    return Answer("pick", _check_options(options))


def order(*options: str) -> Answer:
    """Ask for the order of several texts."""
    return Answer("order", _check_options(options))


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _check_options(options: tuple[str, ...]) -> tuple[str, ...]:
    if len(options) < 2 or len(set(options)) < len(options):
        raise ValueError(f"at least two different options are needed; got {options}")
    return options


def _format(value: Any, digits: int | None = None) -> str:
    if isinstance(value, Integral) or (digits is None and float(value).is_integer()):
        return f"{int(value):,}" if abs(value) < 1e12 else f"{value:g}"
    return f"{value:g}" if digits is None else f"{value:,.{digits}f}"


def predict(name: str, question: str, answer: Answer) -> None:
    """Ask for a prediction.

    Parameters
    ----------
    name
        The number of the notebook, a dot and a word: ``"05.share"``.
    question
        Plain text; `code` may stand between backticks.
    answer
        ``number(low, high, unit)``, ``pick("a", "b")`` or ``order("a", "b", "c")``.
    """
    _check_name(name)
    _asked[name] = answer
    close_widget(name)
    if is_static():
        _show_question(question, answer)
        return
    entry = _stored(name, answer)
    if entry.get("score"):
        said, result = answer.say(entry["said"]), entry.get("result", "")
        show_note(
            "",
            f"Predict. {question}",
            f"You said {said}; it was {result}: {entry['score']}.",
        )
    elif name in _revealed:
        later = "The result was shown before. You can predict it after a restart of the kernel."
        show_note("", f"Predict. {question}", later)
    else:
        from course.prediction_widgets import make_input

        box = make_input(name, question, answer, entry.get("said"))
        show_widget(name, box, f"Predict: {question}")


def reveal(name: str, result: Any, *, close: float | None = None) -> None:
    """Say a result, and how good the prediction was; call it in the cell that shows the result.

    Parameters
    ----------
    name
        As in :func:`predict`.
    result
        A number, one of the options, or all of them in the right order.
    close
        A number is right within this difference, and near within three times as much. The result
        is shown with as many digits as that takes.
    """
    _check_name(name)
    answer = _asked.get(name) or _guess_answer(result)
    if answer.kind == "number" and not (close is not None and close >= 0):
        raise ValueError(f"{name}: close must say within which difference a number is right")
    digits = max(0, math.ceil(-math.log10(close))) if close else None
    fits = _is_result(answer, result)
    text = answer.say(result, digits) if fits else isolate(result)[:200]
    if is_static():
        if not fits:
            raise ValueError(f"{name}: the result {text} is no answer to the question")
        show_html(f"<p><strong>Result:</strong> {escape(text)}</p>", f"Result: {text}")
        return
    _freeze(name)
    entry = _stored(name, answer)
    if "said" not in entry or not fits:
        _revealed.add(name)
        show_note(
            "",
            f"Result: {text}.",
            "No prediction was made." if fits else "It is not scored.",
        )
        return
    verdict, rule = score(answer, entry["said"], result, close or 0)
    if not entry.get("score"):
        record("predictions", name, {"said": entry["said"], "result": text, "score": verdict})
    scores = [one.get("score") for one in _entries().values()]
    right, scored = scores.count("right"), sum(map(("right", "near", "wrong").count, scores))
    said = f"You said {answer.say(entry['said'])}; it is {text}. {verdict.capitalize()}."
    share = f"Your predictions so far: {right} of {scored} right."
    show_note(verdict, said, f"{rule} {share}".strip())


def score(answer: Answer, said: Any, result: Any, close: float) -> tuple[Verdict, str]:
    """Return how good a prediction is, and the rule in one sentence.

    >>> score(number(0, 10), 3.1, 5.5, 1)
    ('near', 'Up to 1 away is right, up to 3 is near.')
    >>> score(order("a", "b", "c"), ["b", "a", "c"], ["a", "b", "c"], 0)[0]
    'near'
    """
    if answer.kind == "pick":
        return ("right" if said == result else "wrong"), ""
    if answer.kind == "number":
        away = abs(said - float(result)) * (1 - 1e-9)  # 0.3 is within 0.1 of 0.2
        verdict: Verdict = "right" if away <= close else "near" if away <= 3 * close else "wrong"
        if not close:
            return verdict, "Only the exact number is right."
        return verdict, f"Up to {_format(close)} away is right, up to {_format(3 * close)} is near."
    pairs = list(combinations(result, 2))
    good = sum(said.index(one) < said.index(other) for one, other in pairs)
    verdict = "right" if good == len(pairs) else "near" if 3 * good >= 2 * len(pairs) else "wrong"
    return (
        verdict,
        f"{good} of {len(pairs)} pairs are in the right order; from 2 of 3 on it is near.",
    )


def store_prediction(name: str, said: Any) -> bool:
    """Keep a prediction, unless its result has been shown; return whether it was kept."""
    if name in _revealed or _entries().get(name, {}).get("score"):
        return False
    record("predictions", name, {"said": said})
    return True


def show_widget(name: str, box: Widget, text: str) -> None:
    """Show a widget with plain text for where there are none; an earlier one of its name closes."""
    from course.display import publish

    close_widget(name)
    _open[name] = box.add_class("msm4sr-question")
    seen = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    shown = {"text/plain": isolate(text), "text/html": f"<p>{escape(text)}</p>"}
    publish({"application/vnd.jupyter.widget-view+json": seen, **shown})


def close_widget(name: str) -> None:
    """Remove a widget that :func:`show_widget` showed; nothing if there is none."""
    if name in _open:
        from course.panels import close_all

        close_all(_open.pop(name))


def _freeze(name: str) -> None:
    """Leave a prediction on the screen, but let nobody change it any more."""
    if name in _open:
        *controls, state = _open[name].children
        for one in controls[1:]:
            one.disabled = True
        state.value = '<p role="status">The result has been shown.</p>'


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a prediction is called like '05.share'; got {name!r}")


def _guess_answer(result: Any) -> Answer:
    """Return what was asked, where the cell with the question has not been run."""
    if isinstance(result, Sequence) and not isinstance(result, str):
        return Answer("order", tuple(map(str, result)))
    return Answer("pick" if isinstance(result, str) else "number")


def _is_result(answer: Answer, result: Any) -> bool:
    """Whether a result can be scored; a student may have changed the code that makes it."""
    if answer.kind != "number":
        return answer.accepts(list(result) if isinstance(result, tuple) else result)
    return _is_number(result)


def _entries() -> dict[str, dict[str, Any]]:
    found = load_progress()["predictions"]
    return {name: one for name, one in found.items() if isinstance(one, dict)}


def _stored(name: str, answer: Answer) -> dict[str, Any]:
    """Return what is stored of a prediction, {} if that is no answer to the question."""
    entry = _entries().get(name, {})
    return entry if answer.accepts(entry.get("said")) else {}


def _show_question(question: str, answer: Answer) -> None:
    if answer.kind == "number":
        choices = f"Your prediction: a number from {answer.range()}."
        markup = f"<p>{escape(choices)}</p>"
    else:
        choices = "\n".join(f"- {option}" for option in answer.options)
        markup = f"<ul>{''.join(f'<li>{escape(option)}</li>' for option in answer.options)}</ul>"
    markup = f"<p><strong>Predict.</strong> {mark_code(question)}</p>{markup}"
    show_html(markup, f"Predict: {question}\n{choices}")


_asked: dict[str, Answer] = {}
_revealed: set[str] = set()  # in this kernel, without a prediction
_open: dict[str, Widget] = {}
