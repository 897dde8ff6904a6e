"""Run one case under a time limit and say what came of it."""

from __future__ import annotations

import io
import re
import signal
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msm4sr_lite.cli import main
from msm4sr_lite.config import UserError

# Good outcomes, then faults, in the order of the table.
GOOD = ("clean", "noted", "refused")
FAULTS = ("traceback", "hang", "crash", "message", "silent", "litter")
LEFT_OVER = re.compile(r"\.(draft|old|tmp|part)$|^tmp")


@dataclass(frozen=True)
class Outcome:
    """What came of a case, and the details for a person."""

    kind: str
    detail: str = ""


class Hang(BaseException):
    """The time limit of a case has passed. No ``except Exception`` may catch it."""


class Refusal(Exception):
    """A command ended with exit code 2; the text is what it wrote on stderr."""


class Fault(Exception):
    """A target has found a fault itself.

    Parameters
    ----------
    kind
        One of ``FAULTS``.
    detail
        What was found.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``Hang`` after so many seconds, and again every second, in case it is swallowed."""

    def stop(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def command(*words: Any) -> tuple[str, list[str]]:
    """Run ``msm4sr`` in this process; return stdout and the notes on stderr.

    Raises
    ------
    Refusal
        If the exit code is 2.
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code or 0
    if code == 2:
        raise Refusal(err.getvalue())
    if code:
        raise RuntimeError(f"exit code {code}: {err.getvalue()}")
    return out.getvalue(), [line for line in err.getvalue().splitlines() if "note:" in line]


def wrong_message(text: str, place: Path | None, names: tuple[str, ...]) -> str:
    """Return what is wrong with a refusal; empty if nothing is.

    Parameters
    ----------
    text
        The message, or all of stderr if it starts with other lines, such as notes.
    place, names
        The message must contain this folder or one of these names; None: anything goes.
    """
    last = text.rstrip("\n").rpartition("\nmsm4sr ")[2] if "\nmsm4sr " in text else text
    if len(last.strip("\n").splitlines()) != 1:
        return "not exactly one line"
    if odd := [c for c in last.strip("\n") if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl")]:
        return f"holds the character {odd[0]!r}"
    if place and not any(name in last for name in (str(place), *names)):
        return "does not name the file"
    return ""


def litter(folder: Path | None) -> list[str]:
    """Return names of drafts that were left in a folder."""
    return [] if folder is None else [p.name for p in folder.rglob("*") if LEFT_OVER.search(p.name)]


def judge(
    act: Callable[[], tuple[Any, list[str]]],
    expected: tuple[Any, list[str]] | None,
    *,
    must_refuse: bool = False,
    noted: str = "",
    folder: Path | None,
    names: tuple[str, ...] = (),
    seconds: float = 10.0,
) -> Outcome:
    """Run a case.

    Parameters
    ----------
    act
        Returns a result that can be compared, and notes. It raises ``UserError`` or ``Refusal`` if
        the input is refused.
    expected
        The right result and the notes that are always given; None: any result is right.
    must_refuse
        Whether there is no right result.
    noted
        Pattern of the notes that explain another result; empty: none does.
    folder
        The folder of the case, which messages name and in which nothing may be left; None: neither
        is checked.
    names
        Other names that a message may use.
    seconds
        Time limit.
    """
    try:
        with time_limit(seconds):
            result, notes = act()
    except Hang:
        return Outcome("hang", f"more than {seconds:g} s")
    except (UserError, Refusal) as error:
        if wrong := wrong_message(str(error), folder, names):
            return Outcome("message", f"{wrong}: {str(error)[:300]!r}")
        left = litter(folder)
        return Outcome("litter", str(left)) if left else Outcome("refused", str(error).strip())
    except Fault as fault:
        return Outcome(fault.kind, fault.detail)
    except MemoryError:
        return Outcome("crash", "out of memory")
    except Exception:
        return Outcome("traceback", traceback.format_exc())
    if left := litter(folder):
        return Outcome("litter", str(left))
    known = expected[1] if expected else []
    new = [note for note in notes if note not in known]
    if must_refuse:
        return Outcome("silent", f"must be refused; {new}")
    if expected is None or result == expected[0]:
        return Outcome("clean")
    if noted and any(re.search(noted, note) for note in new):
        return Outcome("noted", "; ".join(new))
    return Outcome("silent", f"{difference(expected[0], result)}; {new}")


def difference(expected: Any, found: Any) -> str:
    """Describe the first difference between two results."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [*expected, *found]:
            if expected.get(key) != found.get(key):
                return f"{key}: {difference(expected.get(key), found.get(key))}"
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        one, two = next((a, b) for a, b in zip(expected, found, strict=True) if a != b)
        return difference(one, two)
    sizes = [len(one) for one in (expected, found) if isinstance(one, (list, dict))]
    return f"expected {str(expected)[:150]!r}, found {str(found)[:150]!r} (sizes {sizes})"
