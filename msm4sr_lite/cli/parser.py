"""The argument parser, with one-line errors, and the settings (``--set``, ``--help-all``)."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import FROM_DATA, UserError
from msm4sr_lite.printable import one_line
from msm4sr_lite.settings import SettingField, did_you_mean, fields_by_name, find_field


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that reports an error in one line, without the usage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        self.exit(2, one_line(f"{self.prog}: {message} (see `{self.prog} --help`)") + "\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = [str(choice) for choice in action.choices or ()]
        if choices and value not in choices:
            hint = did_you_mean(value, choices) or f"choose from {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"unknown choice {value!r}; {hint}")


class CommandParser(Parser):
    """The parser of one command, which suggests the right spelling of an unknown flag."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse unknown flags first, since a misspelt flag may be the reason for a missing one."""
        words = list(sys.argv[1:] if args is None else args)
        known = self._option_string_actions
        for word in words[: words.index("--")] if "--" in words else words:
            flag = word.partition("=")[0]
            if flag.startswith("--") and " " not in word and flag not in known:
                settings = setting_names(self, flag)
                hint = f"it is a setting: --set {' or '.join(settings)}" if settings else ""
                hint = hint or did_you_mean(flag, [name for name in known if name.startswith("--")])
                self.error(f"unknown flag {flag}" + (f"; {hint}" if hint else ""))
        return super().parse_known_args(words, namespace)


def argument_type(name: str) -> Callable[[str], Any]:
    """Return the function that reads the argument that ``ARGUMENTS`` declares under this name."""

    def value(text: str) -> Any:
        try:
            return ARGUMENTS[name].parse(text)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return value


# ---------------------------------------------------------------------- settings


def add_settings(parser: argparse.ArgumentParser, sections: Sequence[str], config: str) -> None:
    """Add ``--set`` and ``--help-all`` for these sections of the class that ``config`` names."""
    parser.set_defaults(sections=sections, config=config)
    text = "any other setting (--help-all lists them); repeatable"
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=text)
    text = "show this help and all settings"
    parser.add_argument("--help-all", action=_HelpAll, nargs=0, help=text)


class _HelpAll(argparse.Action):
    """Print the help and every setting with its default, meaning and range, and stop."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        parser.print_help()
        preset = " of the preset paper" if parser.get_default("preset") else ""
        print(f"\nsettings for --set NAME=VALUE, with the defaults{preset}:")
        for section in parser.get_default("sections"):
            print()
            for field in _settings(parser.get_default("config"), [section]):
                print(f"  {field.name}={field.default}\n      {field.meaning}; {field.allowed}")
        parser.exit()


def _settings(config: str, sections: Sequence[str]) -> list[SettingField]:
    """Return the settings of some sections, without those that are set by the data."""
    known = fields_by_name(_class(config)).values()
    wanted = [field for field in known if field.name.partition(".")[0] in sections]
    return [field for field in wanted if field.name not in FROM_DATA]


def _class(name: str) -> Any:
    """Import a class only when it is needed, since some configurations load heavy libraries."""
    module, _, kind = name.rpartition(".")
    return getattr(import_module(module), kind)


def setting_names(parser: argparse.ArgumentParser, flag: str) -> list[str]:
    """Return the settings that ``--lr`` or ``--pretrain-lr`` may mean, as ``pretrain.lr=VALUE``."""
    if not (sections := parser.get_default("sections")):
        return []
    wanted = flag.lstrip("-").replace("-", "_").replace(".", "_")
    return [
        f"{field.name}=VALUE"
        for field in _settings(parser.get_default("config"), sections)
        if wanted in (field.name.replace(".", "_"), field.name.partition(".")[2])
    ]


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of ``--set`` as arguments of ``MSM4SR``: ``{"pretrain__lr": 0.001}``.

    Raises
    ------
    UserError
        If a setting is unknown or has no effect in this command, or a value is out of range.
    """
    found: dict[str, Any] = {}
    for text in args.set:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise UserError(f"--set {text}: write NAME=VALUE; --help-all lists the names")
        field = find_field(_class(args.config), name)
        if field.name.partition(".")[0] not in args.sections:
            raise UserError(
                f"--set {name}: has no effect in `msm4sr {args.command}`, which only has settings"
                f" of {', '.join(args.sections)} (--help-all lists them)"
            )
        found[field.name.replace(".", "__")] = field.parse(value)
    return found
