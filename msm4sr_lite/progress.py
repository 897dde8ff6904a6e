"""The one progress display. It goes to stderr; stdout is for results.

On a terminal it is a bar. Elsewhere, as in a log file, it is a line now and then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm

from msm4sr_lite.fast.processes import is_first

SECONDS = 30.0  # between two lines where the output is not a terminal


class _Lines:
    """A stream on which every state of a bar becomes a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        """Write what is visible of ``text``."""
        if line := text.strip():
            self.stream.write(f"{line}\n")

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()


def bar(
    steps: Iterable[Any] | None = None,
    *,
    name: str,
    unit: str,
    total: int | None = None,
    unit_scale: bool = False,
) -> tqdm[Any]:
    """Return a progress bar over ``steps``, or one to ``update`` by hand.

    Of several processes only the first shows one. Work that is shorter than ``SECONDS`` prints
    nothing where the output is not a terminal.

    Parameters
    ----------
    steps
        What is gone through; None for a bar that is told with ``update(n)``.
    name, unit
        What is done, and what is counted.
    total
        How many there will be; by default ``len(steps)`` where it has one.
    unit_scale
        Whether to write thousands as k.
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        steps,
        desc=name,
        unit=unit,
        total=total,
        unit_scale=unit_scale,
        disable=not is_first(),
        file=sys.stderr if terminal else _Lines(sys.stderr),
        mininterval=0.1 if terminal else SECONDS,
        maxinterval=10 if terminal else 2 * SECONDS,
        delay=0 if terminal else SECONDS,
        ncols=None if terminal else 100,
    )


def say(text: str) -> None:
    """Print a line without breaking a progress bar; of several processes only the first speaks."""
    if is_first():
        tqdm.write(text, file=sys.stderr)
