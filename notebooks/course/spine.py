"""The student's own M²SE: every part that was accepted, in one file that runs without the course.

The parts are exercises of notebooks 01 to 07. The file is ``my_m2se.py`` in the student's folder of
notebooks. It belongs to the student: only the lines of a part that is accepted again are replaced.
"""

from __future__ import annotations

import ast
import linecache
import sys
import zlib
from contextlib import suppress
from functools import cache, lru_cache
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from course.attempts import codes_of, shorten
from course.checks import Exercise, find_exercise
from course.progress import locked, set_aside, work_folder
from msm4sr_lite.store.files import write_text

FILE = "my_m2se.py"
PARTS = (
    *("01.leave_one_out", "01.make_batch", "01.ranks", "01.recall_ndcg"),
    *("02.cosine_scores", "02.prompts", "02.top_keywords", "02.keyword_sentences"),
    *("03.mean_pool", "03.attention_pooling", "03.moe_adaptor"),
    *("04.draw_positions", "04.drop_items", "04.last_kept", "04.complementary_mixup"),
    *("05.causal_mask", "05.causal_attention", "05.block", "05.transformer", "05.m2se"),
    *("06.false_negatives", "06.next_item_loss", "06.cross_modal_loss"),
    *("06.pretraining_loss", "06.train"),
    *("07.match_scores", "07.score_histories", "07.ranking_loss"),
)
HEADER = '''"""M²SE, the Multimodal Mixup Sequence Encoder, written by me."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
'''
_Definition = (ast.FunctionDef, ast.ClassDef)


class Source(NamedTuple):
    """Where a function or class was written, and its lines."""

    file: str
    node: ast.FunctionDef | ast.ClassDef
    text: str


@cache
def answer_names() -> dict[str, str]:
    """Return the name of the function or class of every part, in order."""
    return {part: find_exercise(part).answer_name() for part in PARTS}


def load_parts() -> SimpleNamespace:
    """Return all parts of the model by the name of the function or class.

    Parts that the student has written come from ``my_m2se.py``, all others from the course. They
    work together, whoever wrote them. One line says which are whose.
    """
    text = read_file() or HEADER
    mine = [name for name in answer_names().values() if name in _definitions(text)]
    others = [name for name in answer_names().values() if name not in mine]
    if not mine:
        print(f"All {len(PARTS)} parts of the model are the course's.")
    elif not others:
        print(f"All {len(PARTS)} parts of the model are yours.")
    elif len(mine) <= len(others):
        print(f"Yours: {', '.join(mine)}. The other {len(others)} parts are the course's.")
    else:
        print(f"The course's: {', '.join(others)}. The other {len(mine)} parts are yours.")
    parts = vars(run_source(complete(text)))
    return SimpleNamespace(**{name: parts[name] for name in answer_names().values()})


def reference_source() -> str:
    """Return the course's complete model as the text of one file, made like the student's."""
    return complete(HEADER)


def save_part(exercise: Exercise, attempt: Any) -> str:
    """Put an accepted part into ``my_m2se.py``; return one sentence that says so.

    Parameters
    ----------
    exercise
        One whose name is in ``PARTS``.
    attempt
        The function or class, as the student has defined it in a cell.

    Returns
    -------
    said
        Where the part was put, or why it was not; "" in static mode.
    """
    folder = work_folder()
    if folder is None:
        return ""
    path = folder / FILE
    name, found = answer_names()[exercise.name], find_source(attempt)
    if found is None:
        return f"It is not in {FILE}: its lines cannot be read; define it in a cell of its own."
    if found.node.name != name:
        return f"It is not in {FILE}: call it {name} instead of {found.node.name}."
    try:
        with locked(path):
            kept = read_file()
            if kept is None and path.exists():
                return f"It is not in {FILE}: the file that is there does not run."
            text = put_part(kept or HEADER, exercise.name, found.text)
            try:
                run_source(text)
            except Exception as error:  # the student's, such as a default value of another cell
                said = f"{type(error).__name__}: {shorten(error, str)}"
                return f"It is not in {FILE}, where it raises {said}."
            write_text(path, text)
    except (OSError, ValueError) as error:
        return f"It is not in {FILE}: {shorten(error, str)}."
    number = sum(one in _definitions(text) for one in answer_names().values())
    return f"It is in {FILE} now: {number} of {len(PARTS)} parts."


def place_attempt(exercise: Exercise, attempt: Any) -> Any:
    """Return an attempt at a part as it works among the other parts of the model.

    There it finds the student's accepted parts, else the course's, and no other cell of the
    notebook. What is no part, or cannot be read, is returned as it is.
    """
    found = find_source(attempt) if exercise.name in PARTS else None
    if found is None:
        return attempt
    space = vars(run_source(complete(read_file() or HEADER)))
    with suppress(Exception):  # whatever is wrong is said about the attempt itself
        exec(compile(ast.Module([found.node], []), found.file, "exec", dont_inherit=True), space)
        return space[found.node.name]
    return attempt


def find_source(attempt: Any) -> Source | None:
    """Return where a function or class was written; None if that cannot be found.

    ``inspect.getsource`` fails for a class that was defined in a notebook. Its methods know the
    cell that they were defined in.
    """
    with suppress(Exception):  # the learner's object
        for code in codes_of(attempt):
            lines = linecache.getlines(code.co_filename)
            for node in ast.parse("".join(lines)).body if lines else ():
                if not isinstance(node, _Definition) or node.name != attempt.__name__:
                    continue
                first, last = _span(node)
                if first <= code.co_firstlineno <= last:
                    return Source(code.co_filename, node, "".join(lines[first - 1 : last]).rstrip())
    return None


def put_part(text: str, part: str, source: str) -> str:
    """Return the text of a file with a part in its place; all other lines stay as they are."""
    names, lines = answer_names(), text.rstrip().split("\n")  # as Python counts lines
    known = _definitions(text)
    if names[part] in known:
        first, last = _span(known[names[part]])
        lines[first - 1 : last] = source.split("\n")
        return "\n".join(lines) + "\n"
    later = [names[one] for one in PARTS[PARTS.index(part) + 1 :] if names[one] in known]
    place = _span(known[later[0]])[0] - 1 if later else len(lines)
    while later and lines[place - 1].startswith("#"):  # its comments
        place -= 1
    block = [f"# {part}", *source.split("\n")]
    lines[place:place] = [*block, "", ""] if later else ["", "", *block]
    return "\n".join(lines) + "\n"


@lru_cache(4)
def complete(text: str) -> str:
    """Return the text of a file with the course's parts in the place of those it lacks."""
    known = _definitions(text)
    for part, name in answer_names().items():
        if name not in known:
            text = put_part(text, part, find_exercise(part).solution_code())
    return text


def run_source(text: str) -> ModuleType:
    """Run the text of a file as the module ``my_m2se``, whose source can be shown."""
    file = f"<{FILE}, version {zlib.crc32(text.encode()):08x}>"
    module = ModuleType("my_m2se")
    module.__file__ = file
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    sys.modules["my_m2se"] = module
    exec(compile(text, file, "exec", dont_inherit=True), vars(module))
    return module


def read_file() -> str | None:
    """Return the text of the student's file, None if there is none.

    A file that does not run any more is renamed, with one line that says so.
    """
    folder = work_folder()
    if folder is None or not (path := folder / FILE).exists():
        return None
    try:
        text = path.read_text("utf-8-sig")
        run_source(text)
        return text
    except (Exception, SystemExit) as error:
        line = getattr(error, "lineno", None)
        where = f"{FILE}, line {line}" if line else FILE
        print(
            f"{where}: does not run ({type(error).__name__}: {shorten(error, str)});"
            f" {set_aside(path, 'my_m2se_set_aside_{}.py')}."
            f" Mend it and rename it to {FILE}, or check your parts again."
        )
        return None


def _definitions(text: str) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    """Return the functions and classes of a file by their names; the last of each name counts."""
    return {node.name: node for node in ast.parse(text).body if isinstance(node, _Definition)}


def _span(node: ast.FunctionDef | ast.ClassDef) -> tuple[int, int]:
    """Return the first and the last line of a definition, with its decorators."""
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    return first, node.end_lineno or first
