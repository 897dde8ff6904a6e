"""What a student has done: one small file, ``progress.json``, beside the copies of the notebooks.

It is written as a whole after every change. Where nobody works (builds, tests, ``MSM4SR_STATIC=1``)
nothing is read and nothing written. What cannot be written is remembered until the kernel ends.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from course.display import isolate
from course.session import find_folder, is_static
from msm4sr_lite.config import UserError
from msm4sr_lite.printable import first_line, one_line, reason_of
from msm4sr_lite.store.files import write_text

FILE = "progress.json"
SECTIONS = ("exercises", "predictions", "quizzes", "scores")
# Of two kernels that write at the same time, one waits so long at most. A lock is older than that
# where a kernel was killed.
LOCK_SECONDS = 2.0

Progress = dict[str, dict[str, Any]]
_unsaved: Progress = {}
_said: set[str] = set()


class _Damaged(ValueError):
    """The file is there, but it is not what :func:`record` writes."""


def work_folder() -> Path | None:
    """Return the folder of the student's copies, None in static mode.

    It is ``notebooks/work``, or what the environment variable ``MSM4SR_WORK`` names. It need not
    exist.
    """
    return None if is_static() else find_folder()


def load_progress() -> Progress:
    """Return what was recorded, by section and name; empty sections if nothing was.

    A damaged file is renamed, with one line that says so.
    """
    folder = work_folder()
    if folder is None:
        return {section: {} for section in SECTIONS}
    try:
        found = _read(folder / FILE)
    except _Damaged as error:
        said = set_aside(folder / FILE, "progress_damaged_{}.json")
        _say(f"{folder / FILE}: damaged ({error}); {said}")
        found = {}
    except OSError as error:
        _say(f"{folder / FILE}: cannot be read ({reason_of(error)}); check its permissions")
        found = {}
    known = {name: {**found.get(name, {}), **_unsaved.get(name, {})} for name in SECTIONS}
    return {**found, **known}


def record(section: str, name: str, value: Any) -> None:
    """Write down one result; what else the file holds stays.

    Nothing happens in static mode. Where the file cannot be written, one line says so, and the
    result counts until the kernel ends.

    Parameters
    ----------
    section
        ``"exercises"``, ``"predictions"``, ``"quizzes"`` or ``"scores"``.
    name
        What the result belongs to, such as ``"05.causal_mask"``.
    value
        What JSON can hold: texts, finite numbers, ``None``, lists and dictionaries of them.
    """
    if section not in SECTIONS:
        raise ValueError(f"section must be one of {SECTIONS}; got {section!r}")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        _say(f"{name}: this result cannot be kept: {first_line(error)}")
        return
    folder = work_folder()
    if folder is None:
        return
    _unsaved.setdefault(section, {})[name] = value
    path = folder / FILE
    try:
        with locked(path):
            whole = load_progress()
            if path.exists():
                _read(path)  # what could not be read or set aside is not overwritten
            write_text(path, json.dumps(whole, indent=1) + "\n")
    except (OSError, ValueError) as error:
        place = getattr(error, "filename", 0) or path
        reason = str(error) if isinstance(error, UserError) else f"{place}: {reason_of(error)}"
        _say(f"Your progress counts until the kernel ends, but is not kept: {reason}")
    else:
        _unsaved.clear()


def _read(path: Path) -> Progress:
    """Return the sections of a file; {} if there is none."""
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise _Damaged(first_line(error)) from None
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise _Damaged("it must hold sections with results")
    return found


def set_aside(path: Path, name: str) -> str:
    """Rename a damaged file, with a free number in its new name; return what to say about it."""
    names = (path.with_name(name.format(number)) for number in range(1, 10_000))
    aside = next(one for one in names if not os.path.lexists(one))
    try:
        path.rename(aside)
    except OSError as error:
        return f"it cannot be renamed ({reason_of(error)})"
    return f"it is now {aside.name}"


def _say(line: str) -> None:
    """Print a line, once in the life of a kernel."""
    if line not in _said:
        _said.add(line)
        print(isolate(one_line(line)))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other kernels from writing a file between reading and writing."""
    lock = path.with_name(f".{path.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except (FileExistsError, PermissionError):  # the second: on Windows, while it is removed
            if not os.path.lexists(lock):
                raise  # the folder is protected
            if time.monotonic() > end:
                lock.unlink(missing_ok=True)
            time.sleep(0.01)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
