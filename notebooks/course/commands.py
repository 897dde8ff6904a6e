"""Commands of ``msm4sr``, called from a notebook, and the messages of the library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO

from course.session import is_static


@contextmanager
def show_messages() -> Iterator[StringIO]:
    """Show what the library says on stderr as ordinary output, and keep it out of stored notebooks.

    A notebook shows stderr in red. Yields what was said, in a build; live, nothing is collected.
    """
    said = StringIO()
    with redirect_stderr(said if is_static() else sys.stdout):
        yield said


def command(*words: object) -> str:
    """Run ``msm4sr WORDS...`` and return what it prints.

    Its progress is shown while it works, but is no part of a stored notebook.

    Raises
    ------
    RuntimeError
        If it ends with another code than 0; the message is what the command said.
    """
    from msm4sr_lite.cli import main

    printed = StringIO()
    with show_messages() as messages, redirect_stdout(printed):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:  # an unknown flag
            code = int(stop.code or 0)
    if code:
        raise RuntimeError(
            f"msm4sr {words[0]} ended with code {code}. {messages.getvalue().strip()}"
        )
    return printed.getvalue()
