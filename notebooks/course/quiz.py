"""Two questions at the end of a notebook; every answer comes with an explanation.

The questions are in ``exercises/nbNN.py``, as ``QUIZ``.
"""

from __future__ import annotations

import importlib
import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from course.display import escape, mark_code, show_html, without_math
from course.predictions import show_widget
from course.progress import load_progress, record
from course.session import is_static
from msm4sr_lite.config import UserError

if TYPE_CHECKING:
    from ipywidgets import Widget


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes
    ----------
    text
        Plain text; `code` may stand between backticks.
    options
        At least two answers, each with one or two sentences that explain why it is right or wrong.
        They are shown in an order that does not depend on the one here.
    right
        The place of the right one, counted from 0.
    """

    text: str
    options: tuple[tuple[str, str], ...]
    right: int = 0

    def __post_init__(self) -> None:
        """Refuse a question that cannot be answered."""
        texts = [text for text, _ in self.options]
        if len(texts) < 2 or len(set(texts)) < len(texts) or self.right not in range(len(texts)):
            raise ValueError(
                f"{self.text!r} needs two different options, and the right one's place"
            )
        if not all(explanation.strip() for _, explanation in self.options):
            raise ValueError(f"{self.text!r}: every option needs an explanation")

    def shown_options(self) -> list[tuple[str, str, bool]]:
        """Return answer, explanation and whether it is right, in the order to show."""
        rows = [(*option, place == self.right) for place, option in enumerate(self.options)]
        random.Random(zlib.crc32(self.text.encode())).shuffle(rows)
        return rows


def find_questions(notebook: str) -> tuple[Question, ...]:
    """Return the questions of a notebook, () if it has none."""
    try:
        module = importlib.import_module(f"course.exercises.nb{notebook}")
    except ModuleNotFoundError:
        return ()
    found: tuple[Question, ...] = getattr(module, "QUIZ", ())
    return found


def quiz(notebook: str) -> None:
    """Ask the questions of a notebook, such as ``"05"``. The first answer to each counts."""
    questions = find_questions(notebook)
    if not questions:
        raise UserError(f"exercises/nb{notebook}.py: holds no QUIZ; write two questions there")
    if is_static():
        show_html(*_still(questions))
        return
    import ipywidgets

    rows = [_ask(f"{notebook}.{place}", one) for place, one in enumerate(questions, 1)]
    frame = {"border": "1px solid #bbbbbb", "padding": "0.5em"}
    texts = [f"Quiz: {len(questions)} questions", *(question.text for question in questions)]
    show_widget(f"quiz {notebook}", ipywidgets.VBox(rows, layout=frame), "\n".join(texts))


def _still(questions: tuple[Question, ...]) -> tuple[str, str]:
    markup, lines, right = [], [], []
    for place, question in enumerate(questions, 1):
        options = question.shown_options()
        markup.append(f"<p><strong>Question {place}.</strong> {mark_code(question.text)}</p>")
        listed = "".join(f"<li>{mark_code(text)}</li>" for text, _, _ in options)
        answers = "".join(
            f"<li>{'<strong>Right.</strong>' if good else 'Wrong.'} {mark_code(explanation)}</li>"
            for _, explanation, good in options
        )
        kind = '<ol type="a">'
        markup.append(f"{kind}{listed}</ol>")
        markup.append(f"<details><summary>Answer (click)</summary>{kind}{answers}</ol></details>")
        lines.append(f"Question {place}. {question.text}")
        lines += [f"  {letter}) {row[0]}" for letter, row in zip("abcdefgh", options, strict=False)]
        right.append(f"{place} {'abcdefgh'[[good for _, _, good in options].index(True)]}")
    return "".join(markup), "\n".join([*lines, f"Right: {', '.join(right)}"])


def _ask(name: str, question: Question) -> Widget:
    """Return the widgets of one question; ``name`` is that of its record."""
    import ipywidgets

    options = question.shown_options()
    wide = {"width": "max-content", "max_width": "100%"}
    buttons = ipywidgets.RadioButtons(
        options=[text for text, _, _ in options],
        value=None,
        description=f"Question {name[-1]}",
        style={"description_width": "initial"},
        layout=wide,
    )
    # A button, so that to choose is not yet to answer.
    submit = ipywidgets.Button(description=f"Answer question {name[-1]}", layout=wide)
    state = ipywidgets.HTML(_first_answer(name))

    def answered(_: Any) -> None:
        if buttons.index is None:
            state.value = '<p role="status">Choose an answer first.</p>'
            return
        text, explanation, good = options[buttons.index]
        if name not in load_progress()["quizzes"]:
            record("quizzes", name, {"said": text, "score": "right" if good else "wrong"})
        sign = "✓ Right." if good else "✗ Not right."
        state.value = f'<p role="status"><strong>{sign}</strong> {mark_code(explanation)}</p>'

    submit.on_click(answered)
    above = ipywidgets.HTML(without_math(f"<p>{mark_code(question.text)}</p>"))
    return ipywidgets.VBox([above, buttons, submit, state])


def _first_answer(name: str) -> str:
    entry = load_progress()["quizzes"].get(name)
    if not isinstance(entry, dict):
        return ""
    return f"<p>Your first answer was {escape(entry.get('score'))}.</p>"
