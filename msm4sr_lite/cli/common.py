"""What several commands share: the dataset, the settings, printing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from msm4sr_lite.config import PRESETS, UserError
from msm4sr_lite.settings import SettingField, describe, find_field, section_kinds

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Dataset

# Control characters, which could move the cursor or recolour the terminal.
_CONTROL = dict.fromkeys([*range(32), *range(127, 160)], "\ufffd")


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the dataset folder and how it is read."""
    parser.add_argument("data", type=Path, metavar="DATA", help="dataset folder")
    parser.add_argument("--domain", default="", help="only the items of this domain")
    parser.add_argument(
        "--drop-unknown", action="store_true", help="drop interactions with unlisted items"
    )


def read_dataset(args: argparse.Namespace, domain: str = "") -> Dataset:
    """Read the dataset folder of a command; its notes go to stderr."""
    from msm4sr_lite.dataset.dataset import Dataset

    data = Dataset.from_folder(
        args.data,
        domain=args.domain or domain,
        unknown_items="drop" if args.drop_unknown else "error",
    )
    for note in data.notes:
        print(f"note: {note}", file=sys.stderr)
    return data


def add_run_dir(parser: argparse.ArgumentParser) -> None:
    """Add the run folder."""
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="run folder")


def add_features(parser: argparse.ArgumentParser) -> None:
    """Add the folder of ready features."""
    parser.add_argument(
        "--features",
        type=Path,
        metavar="DIR",
        help="ready features (default: of the run folder, else beside the dataset if they fit)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add where to compute."""
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: auto)"
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add the seed, for commands in which it has an effect."""
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the machine-readable output."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_text_encoder(parser: argparse.ArgumentParser) -> None:
    """Add which model embeds sentences."""
    parser.add_argument(
        "--text-encoder", help="BERT-like model, folder or hub id (default: all-MiniLM-L6-v2)"
    )


def add_clip(parser: argparse.ArgumentParser) -> None:
    """Add which model finds keywords, and in which list."""
    parser.add_argument("--clip", help="CLIP-like model, folder or hub id (default: CLIP ViT-B/32)")
    parser.add_argument(
        "--dictionary",
        default="visual+texts",
        help="candidate keywords: visual, texts, column:NAME or a file with one per line; join"
        " several by + (default: visual+texts)",
    )


class _HelpAll(argparse.Action):
    """Print the help and all settings with default, choices and meaning, and stop."""

    def __init__(
        self, option_strings: list[str], dest: str, config: str, sections: Sequence[str], help: str
    ) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)
        self.config, self.sections = config, sections

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        parser.print_help()
        print("\nsettings for --set NAME=VALUE, with the defaults of the preset paper:")
        for section, fields in _settings(self.config, self.sections).items():
            print()
            for field in fields:
                print(f"  {section}.{field.name}={field.default}\n      {field.meaning}")
                print(f"      {field.allowed}")
        parser.exit()


def _settings(config: str, sections: Sequence[str]) -> dict[str, list[SettingField]]:
    """Return the settings of some sections of ``msm4sr_lite.config.Config`` or another class."""
    kinds = section_kinds(_config_class(config))
    return {section: describe(kinds[section]) for section in sections}


def _config_class(name: str) -> type:
    module, _, kind = name.rpartition(".")
    return cast(type, getattr(import_module(module), kind))


def add_settings(
    parser: argparse.ArgumentParser,
    *sections: str,
    presets: bool = True,
    config: str = "msm4sr_lite.config.Config",
) -> None:
    """Add ``--set NAME=VALUE``, ``--help-all`` and, with ``presets``, ``--preset``.

    ``config`` names the class whose ``sections`` the settings are.
    """
    parser.set_defaults(sections=sections, config=config, preset="paper")
    if presets:
        parser.add_argument(
            "--preset",
            choices=tuple(PRESETS),
            help="paper: the method as described (default); tuned: what validation supports;"
            " authors: the released code with its defects",
        )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"any other setting, as {EXAMPLES[sections[-1]]} (repeatable)",
    )
    parser.add_argument(
        "--help-all",
        action=_HelpAll,
        config=config,
        sections=sections,
        help="list all settings and stop",
    )


EXAMPLES = {
    "data": "data.n_test=2",
    "features": "features.n_keywords=5",
    "pretrain": "pretrain.lr=1e-3",
    "finetune": "finetune.lr=1e-3",
    "budget": "budget.patience=10",
    "clip": "clip.epochs=20",
}


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return what ``--set`` gives, by name: ``{"pretrain.lr": 0.001}``; every value is checked."""
    found: dict[str, Any] = {}
    for text in args.set:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise UserError(f"--set {text}: write NAME=VALUE, as in {EXAMPLES[args.sections[-1]]}")
        field = find_field(_config_class(args.config), name)
        if field.name.split(".")[0] not in args.sections:
            raise UserError(
                f"--set {name}: has no effect in `msm4sr {args.command}`, which has settings of"
                f" {', '.join(args.sections)} (--help-all lists them)"
            )
        found[field.name] = field.parse(value)
    return found


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what ``--set`` gives as arguments of ``MSM4SR``: ``{"pretrain__lr": 0.001}``."""
    return {name.replace(".", "__"): value for name, value in given_settings(args).items()}


def item_list(text: str) -> list[str]:
    """Return the parts of a comma-separated list.

    >>> item_list("h1, h2,")
    ['h1', 'h2']
    """
    return [part.strip() for part in text.split(",") if part.strip()]


def read_ids(path: Path | None) -> list[str] | None:
    """Return the lines of a file with one id per line; None without a file."""
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); give one item_id per line") from None
    return [line.strip() for line in lines if line.strip()]


def print_line(line: str) -> None:
    """Print text from a dataset without its control characters."""
    print(line.translate(_CONTROL))


def print_json(value: Any) -> None:
    """Print one JSON object on a line."""
    print(json.dumps(value, ensure_ascii=False))
