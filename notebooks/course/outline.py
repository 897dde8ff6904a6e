"""The strip above every notebook: the twelve notebooks, and what is done in each."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from course.display import escape
from course.progress import load_progress
from course.session import ROOT, is_static

_TITLE = re.compile(r"^#\s+title: (.+)$", re.MULTILINE)
_EXERCISE = re.compile(r'\bcheck\(\s*"(\d\d\.\w+)"')
_COLUMNS = "grid-template-columns:repeat(auto-fit,minmax(3.4em,1fr))"
_PREDICTION = re.compile(r'\bpredict\(\s*"(\d\d\.\w+)"')


class Chapter(NamedTuple):
    """One notebook: its file without the ending, its title, and what there is to do."""

    name: str
    title: str
    exercises: frozenset[str]
    predictions: frozenset[str]

    def done(self, progress: dict[str, Any]) -> tuple[int, int]:
        """Return how many exercises are correct, and how many predictions were made."""
        correct, made = progress["exercises"], progress["predictions"]
        return (
            sum(correct.get(name) == "correct" for name in self.exercises),
            sum("said" in made[name] for name in self.predictions if _is_entry(made.get(name))),
        )


def _is_entry(found: Any) -> bool:
    return isinstance(found, dict)


@cache
def read_outline(root: Path = ROOT) -> tuple[Chapter, ...]:
    """Return the notebooks in order, as their masters describe them."""
    chapters = []
    for path in sorted((root / "notebooks" / "src").glob("[0-9][0-9]_*.py")):
        text = path.read_text("utf-8")
        title = _TITLE.search(text)
        exercises = frozenset(_EXERCISE.findall(text))
        predictions = frozenset(_PREDICTION.findall(text))
        chapters.append(Chapter(path.stem, title[1] if title else "", exercises, predictions))
    return tuple(chapters)


def outline_html(notebook: str) -> str:
    """Return the strip of all notebooks as HTML.

    In a live session it says what is done and links to the others. Else it is the same on all
    machines.

    Parameters
    ----------
    notebook
        The number of the one to mark as present.
    """
    progress = None if is_static() else load_progress()
    cells = [_cell(one, one.name[:2] == notebook, progress) for one in read_outline()]
    row = f'<div style="display:grid;gap:0.3em;{_COLUMNS}">{"".join(cells)}</div>'
    legend = "Exercises that are correct and predictions that were made, of all in the notebook."
    return row if progress is None else f"{row}<p><small>{legend}</small></p>"


def _cell(chapter: Chapter, is_here: bool, progress: dict[str, Any] | None) -> str:
    number, said, below, share = chapter.name[:2], chapter.title, "", 0.0
    label = f"<strong>{number}</strong>" if is_here else number
    if progress is not None:
        correct, made = chapter.done(progress)
        exercises, predictions = len(chapter.exercises), len(chapter.predictions)
        said += f": {correct} of {exercises} exercises, {made} of {predictions} predictions"
        share = 100 * (correct + made) / max(1, exercises + predictions)
        below = f"<br><small>{correct}/{exercises} · {made}/{predictions}</small>"
        if not is_here:
            label = f'<a href="{escape(chapter.name)}.ipynb">{label}</a>'
    bar = f"linear-gradient(to right,rgba(0,114,178,0.3) {share:.0f}%,transparent 0)"
    here = ' aria-current="page"' if is_here else ""
    return (
        f'<div title="{escape(said)}" role="group" aria-label="{number} {escape(said)}"{here}'
        f' style="text-align:center;padding:0.1em 0.3em;background:{bar};'
        f'border:{"2px solid #0072B2" if is_here else "1px solid #999999"}">{label}{below}</div>'
    )
