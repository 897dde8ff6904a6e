"""Show progress on stderr; stdout is for results.

A terminal shows a bar. Elsewhere, for example in a log file, a line appears every half minute. What
comes from data is made harmless before it is shown: ``printable``, ``one_line``.
"""

import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm

from msm4sr_lite.fast.processes import is_first

SECONDS = 30.0  # between two lines where stderr is not a terminal

# Control characters, which could move the cursor or recolour the terminal, except the line end;
# marks that reverse the direction of what follows; other line ends; halves of surrogate pairs.
UNPRINTABLE = re.compile(
    r"[\x00-\t\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Replace all characters that could change how a terminal shows the text around them.

    >>> printable("a\x1b[31mb")
    'a�[31mb'
    """
    return UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    r"""Return a text as one printable line, with a space for each line end.

    >>> one_line("a\r\nb")
    'a b'
    """
    return printable(" ".join(text.splitlines()))


class _Lines:
    """A stream that writes every state of a bar on a separate line."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        """Write the visible part of ``text`` as a line."""
        if line := text.strip():
            self.stream.write(f"{line}\n")


def bar(
    steps: Iterable[Any] | None = None,
    *,
    name: str,
    unit: str,
    total: int | None = None,
    unit_scale: bool = False,
) -> "tqdm[Any]":
    """Return a progress bar over ``steps``, or one that is advanced by ``update(n)``.

    If several processes run, only the first shows a bar. If stderr is not a terminal, work of less
    than half a minute prints nothing.

    Parameters
    ----------
    steps
        What to iterate over; None for a bar that is advanced by ``update(n)``.
    name
        Label in front of the bar.
    unit
        What is counted.
    total
        Number of units; by default ``len(steps)``, if ``steps`` has a length.
    unit_scale
        Whether to write thousands as k.
    """
    terminal = bool(sys.stderr) and sys.stderr.isatty()
    return tqdm(
        steps,
        desc=one_line(name),
        unit=unit,
        total=total,
        unit_scale=unit_scale,
        disable=not (is_first() and sys.stderr),
        file=sys.stderr if terminal else _Lines(sys.stderr),
        mininterval=0.1 if terminal else SECONDS,
        maxinterval=10 if terminal else 2 * SECONDS,
        delay=0 if terminal else SECONDS,
        ncols=None if terminal else 100,
    )


def say(text: str) -> None:
    """Print a line on stderr, above any progress bar; only the first of several processes does."""
    if is_first() and sys.stderr:  # there is none if the command was started without it
        tqdm.write(one_line(text), file=sys.stderr)
