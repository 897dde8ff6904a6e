"""The argument parser: every mistake is one line, with the nearest name that exists."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from msm4sr_lite.cli.setting_flags import setting_names


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that prints no usage before a mistake."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = [str(choice) for choice in action.choices or ()]
        if choices and value not in choices:
            hint = nearest(value, choices) or f"choose from {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"unknown choice {value!r}; {hint}")


class CommandParser(Parser):
    """The parser of one command, which also answers unknown flags."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse unknown flags first: a misspelt flag may be the reason why one is missing."""
        words = list(sys.argv[1:] if args is None else args)
        known = self._option_string_actions
        for word in words[: words.index("--")] if "--" in words else words:
            flag = word.partition("=")[0]
            if flag.startswith("--") and " " not in word and flag not in known:
                settings = setting_names(self, flag)
                hint = f"it is a setting: --set {' or '.join(settings)}" if settings else ""
                hint = hint or nearest(flag, [name for name in known if name.startswith("--")])
                self.error(f"unknown flag {flag}" + (f"; {hint}" if hint else ""))
        return super().parse_known_args(words, namespace)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean ...?`` with the most similar known name; empty if none is similar."""
    close = get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""
