"""Commands of ``msm4sr``, called from a notebook."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from course.session import is_static


def command(*words: object) -> str:
    """Run ``msm4sr WORDS...`` and return what it prints.

    Its progress is shown while it works, but is no part of a stored notebook.

    Raises
    ------
    RuntimeError
        If it ends with another code than 0; the message is what the command said.
    """
    from msm4sr_lite.cli import main

    printed, messages = StringIO(), StringIO()
    progress = messages if is_static() else sys.stdout  # not stderr, which a notebook shows in red
    with redirect_stdout(printed), redirect_stderr(progress):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:  # an unknown flag
            code = int(stop.code or 0)
    if code:
        raise RuntimeError(
            f"msm4sr {words[0]} ended with code {code}. {messages.getvalue().strip()}"
        )
    return printed.getvalue()
