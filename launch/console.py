"""How ``run.py`` talks to the user."""

from __future__ import annotations


class SetupError(Exception):
    """Something the user can mend; its text is the one line that they read."""


def say(text: str) -> None:
    """Print a line at once, also when the output goes to a file."""
    print(text, flush=True)
