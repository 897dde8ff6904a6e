"""Which library and data files stored outputs were made from, and whether these have changed.

While a notebook is built, the kernel notes the modules of the library and of the sample generator
that it imported, and the files under ``data_samples`` that it opened. Their digests are stored in
the notebook. Comments, docstrings and empty lines do not count, nor do the tools in ``course/``:
they decide how an output looks, not what it says.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from course.session import ROOT
from course.sources import docstring_lines

# Code that a build runs in the kernel before and after a notebook's cells.
BEFORE = "from course.dependencies import watch_files as _watch\n_watch()"
AFTER = """\
from course.dependencies import list_used as _used
from course.machine import peak_memory as _memory, speed_factor as _factor
print(_used())
print([_memory(), _factor()])"""

_opened: set[str] = set()


def watch_files() -> None:
    """Note from now on every file that Python opens (no way back in this process)."""

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
            _opened.add(os.fspath(arguments[0]))

    sys.addaudithook(note)


def list_used() -> str:
    """Return what was used so far: JSON, from path in the repository to digest."""
    used = {path for name in _opened if (path := Path(name).resolve()).is_file()}
    # Weights are opened by compiled code that Python does not hear of; their folder's
    # configuration is opened in Python.
    used |= {weights for path in used for weights in path.parent.glob("*.safetensors")}
    used = {path for path in used if path.suffix not in (".py", ".pyc")}  # opened, or cached
    for name, module in list(sys.modules.items()):
        if name.startswith(("msm4sr_lite", "data_samples")) and getattr(module, "__file__", None):
            used.add(Path(str(module.__file__)).resolve())
    names = {_name(path): path for path in used}
    return json.dumps({name: make_digest(names[name]) for name in sorted(filter(None, names))})


def _name(path: Path) -> str:
    """Return the path in the repository of a library or data file, "" for any other file."""
    package = Path(sys.modules["msm4sr_lite"].__file__ or "").resolve().parents[1]
    for folder, part in ((package, "msm4sr_lite"), (ROOT, "data_samples")):
        if path.is_relative_to(folder / part):
            return path.relative_to(folder).as_posix()
    return ""


def make_digest(path: Path) -> str:
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


def find_changes(made_from: dict[str, str]) -> list[str]:
    """Return the files that are gone or differ from their digest in ``made_from``.

    Parameters
    ----------
    made_from
        Path in the repository to digest, as :func:`list_used` makes it.
    """
    return [
        name
        for name, digest in made_from.items()
        if not (ROOT / name).is_file() or make_digest(ROOT / name) != digest
    ]
