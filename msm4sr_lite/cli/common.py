"""What several commands share: flags for data, features and devices; reading; printing."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.config import UserError

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Dataset

Parser = argparse.ArgumentParser | argparse._ArgumentGroup

# Control characters, which could move the cursor or recolour the terminal.
_CONTROL = dict.fromkeys([*range(32), *range(127, 160)], "\ufffd")

COMPUTED = "DATA/features if it fits, else computed"  # which features a training takes
BASELINES = "popularity,item_knn"


def add_number(parser: Parser, name: str, help: str, default: int | None = None) -> None:
    """Add a flag for a whole number; its default is added to the help."""
    shown = "" if default is None else " (default: %(default)s)"
    parser.add_argument(name, type=int, default=default, metavar="N", help=help + shown)


def add_path(parser: Parser, name: str, help: str, metavar: str = "FILE", **options: Any) -> None:
    """Add a flag for a file or a folder."""
    parser.add_argument(name, type=Path, metavar=metavar, help=help, **options)


def add_switch(parser: Parser, name: str, help: str) -> None:
    """Add a flag without a value."""
    parser.add_argument(name, action="store_true", help=help)


def add_names(parser: Parser, name: str, help: str, metavar: str = "NAMES") -> None:
    """Add a flag for a name or for several, joined by commas."""
    parser.add_argument(name, default="", metavar=metavar, help=help)


def add_dataset(parser: argparse.ArgumentParser, domain: str = "all") -> None:
    """Add the dataset folder and how it is read; ``domain`` says what the default is."""
    add_path(parser, "data", "dataset folder", "DATA")
    add_names(parser, "--domain", f"domain to use (default: {domain})", "NAME")
    text = "interactions with unlisted items dropped (default: an error)"
    add_switch(parser, "--drop-unknown", text)


def read_dataset(args: argparse.Namespace, domain: str = "") -> Dataset:
    """Read the dataset folder of a command and print its notes on stderr."""
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.progress import say

    data = Dataset.from_folder(
        args.data, domain=args.domain or domain, unknown_items=unknown_items(args)
    )
    for note in data.notes:
        say(f"note: {note}")
    return data


def unknown_items(args: argparse.Namespace) -> Any:
    """Return what ``--drop-unknown`` means for ``Dataset.from_folder``."""
    return "drop" if args.drop_unknown else "error"


def add_run_dir(parser: argparse.ArgumentParser) -> None:
    """Add the run folder."""
    add_path(parser, "--out", "run folder", "RUN", required=True)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the trained model."""
    add_path(parser, "--model", "run folder or model folder", "DIR", required=True)


def add_features(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the folder of ready features; ``default`` says which ones are used without it."""
    add_path(parser, "--features", f"ready features (default: {default})", "DIR")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the device to compute on."""
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="device to compute on; auto: a GPU if there is one (default: %(default)s)",
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add the seed, for commands in which it has an effect."""
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="random seed (default: %(default)s)"
    )


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"must be an integer from 0 to {2**32 - 1}; got {text!r}")
    return int(text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the machine-readable output."""
    add_switch(parser, "--json", "one JSON object on stdout, no text")


def add_baselines(parser: argparse.ArgumentParser) -> None:
    """Add the baselines to evaluate beside a model."""
    parser.add_argument(
        "--baselines",
        default=BASELINES,
        metavar="NAMES",
        help="comma-separated baselines to evaluate too (default: %(default)s)",
    )


def add_text_encoder(parser: argparse.ArgumentParser) -> None:
    """Add the model that embeds sentences."""
    parser.add_argument(
        "--text-encoder",
        metavar="MODEL",
        help="BERT-like model, folder or hub id (default: all-MiniLM-L6-v2)",
    )


def add_clip(parser: argparse.ArgumentParser) -> None:
    """Add the model that finds keywords, and the candidate keywords."""
    parser.add_argument(
        "--clip",
        metavar="MODEL",
        help="CLIP-like model, folder or hub id (default: CLIP ViT-B/32)",
    )
    parser.add_argument(
        "--dictionary",
        default="visual+texts",
        metavar="LIST",
        help="candidate keywords: visual, texts, column:NAME or a file with one per line; several"
        " joined by + (default: %(default)s)",
    )


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
    if ids := [line.strip() for line in lines if line.strip()]:
        return ids
    raise UserError(f"{path}: no item_id in it; give one per line")


def print_line(line: str) -> None:
    """Print text from a dataset without its control characters."""
    print(line.translate(_CONTROL))


def print_json(value: Any) -> None:
    """Print one JSON object on a line."""
    print(json.dumps(value, ensure_ascii=False))
