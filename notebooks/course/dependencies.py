"""Which library and data files stored outputs were made from, and whether these have changed.

While a notebook is built, the kernel notes the modules of the library that it imported and the
files under ``data_samples`` that it opened. Their digests are stored in the notebook. Comments,
docstrings and empty lines do not count, nor do the tools in ``course/`` (they decide how an
output looks, not what it says).
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from course.session import find_samples
from course.sources import docstring_lines

# Code that a build runs in the kernel before and after a notebook's own cells.
BEFORE = "from course.dependencies import watch as _watch\n_watch()"
AFTER = """\
from course.dependencies import noted as _noted
from course.machine import peak_memory as _memory, speed_factor as _factor
print(_noted())
print([_memory(), _factor()])"""

_PACKAGE = Path(__file__).resolve().parents[1]
_opened: set[str] = set()


def watch() -> None:
    """Note from now on every file that Python opens (no way back in this process)."""

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
            _opened.add(os.fspath(arguments[0]))

    sys.addaudithook(note)


def noted() -> str:
    """Return what was used so far: JSON, from path in the repository to digest."""
    samples = find_samples().resolve()
    files = {path for name in _opened if (path := Path(name).resolve()).is_relative_to(samples)}
    # Weights are opened by compiled code that Python does not hear of; their folder's
    # configuration is opened in Python.
    files |= {weights for path in files for weights in path.parent.glob("*.safetensors")}
    used = {f"data_samples/{path.relative_to(samples).as_posix()}": path for path in files}
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if name.startswith("msm4sr_lite") and place and "course" not in name.split("."):
            path = Path(place).resolve()
            used[f"msm4sr_lite/{path.relative_to(_PACKAGE).as_posix()}"] = path
    return json.dumps({name: digest(used[name]) for name in sorted(used) if used[name].is_file()})


def digest(path: Path) -> str:
    """Return twelve hexadecimal digits that change when the file's meaning changes."""
    data = path.read_bytes()
    if path.suffix == ".py":
        data = _code_only(data.decode("utf-8")).encode()
    return hashlib.sha256(data).hexdigest()[:12]


def _code_only(text: str) -> str:
    hidden = docstring_lines(ast.parse(text))
    lines = (
        line.rstrip() for number, line in enumerate(text.splitlines(), 1) if number not in hidden
    )
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def changed(made_from: dict[str, str], root: Path) -> list[str]:
    """Return the files that are gone or differ from their digest in ``made_from``.

    Data are looked for under ``root``, the library where this one is installed.
    """
    found = []
    for name, old in made_from.items():
        path = (_PACKAGE.parent if name.startswith("msm4sr_lite/") else root) / name
        if not path.is_file() or digest(path) != old:
            found.append(name)
    return found
