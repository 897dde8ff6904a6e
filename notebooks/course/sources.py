"""Show the library's own lines: read from the installed source, so they cannot go stale."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from course.display import escape, show_html

_BOX = "background:#f7f7f7;color:#111;padding:0.6em 0.9em;overflow-x:auto;line-height:1.4"


def docstring_lines(tree: ast.AST) -> set[int]:
    """Return the numbers (from 1) of all lines that belong to docstrings."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def code_html(code: str) -> str:
    """Return Python ``code`` as HTML with highlighted syntax."""
    from pygments import highlight  # type: ignore[import-untyped]  # comes with IPython
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

    inner = "margin:0;background:none;font-family:monospace"
    form = HtmlFormatter(noclasses=True, style="xcode", cssstyles=_BOX, prestyles=inner)
    return str(highlight(code, PythonLexer(), form))


def read_code(obj: Any, only: tuple[str, str] | None = None, *, docstring: bool = False) -> str:
    """Return the source of a function, method, class or module.

    Parameters
    ----------
    obj
        What to read.
    only
        The first and the last line to show, each by some text in it.
    docstring
        Keep docstrings.

    Raises
    ------
    ValueError
        If the texts of ``only`` are not in the source.
    """
    lines = textwrap.dedent(inspect.getsource(obj)).splitlines()
    if not docstring:
        hidden = docstring_lines(ast.parse("\n".join(lines)))
        lines = [line for number, line in enumerate(lines, 1) if number not in hidden]
    if only is not None:
        first = _find(lines, only[0], 0, obj)
        last = _find(lines, only[1], first, obj)
        lines = lines[first : last + 1]
    return textwrap.dedent("\n".join(lines)).strip("\n")


def _find(lines: list[str], text: str, start: int, obj: Any) -> int:
    for number in range(start, len(lines)):
        if text in lines[number]:
            return number
    raise ValueError(f"the source of {_name(obj)} must contain {text!r}; it does not")


def _name(obj: Any) -> str:
    if inspect.ismodule(obj):
        return obj.__name__
    return f"{obj.__module__}.{obj.__qualname__}"


def source(obj: Any, only: tuple[str, str] | None = None, *, docstring: bool = False) -> None:
    """Show the source of a library function, method, class or module.

    Parameters and errors as in :func:`read_code`. A definition of the notebook, such as a student's
    of the same name, is refused.
    """
    if getattr(obj, "__module__", "") == "__main__":
        raise ValueError(f"{obj.__qualname__} is the notebook's own; import the library's again")
    code = read_code(obj, only, docstring=docstring)
    heading = f"From {_name(obj)}" + (" (part)" if only else "")
    show_html(f"<p><strong>{escape(heading)}</strong></p>{code_html(code)}", f"{heading}\n{code}")
