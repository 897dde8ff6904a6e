"""Functions that several commands share: read the dataset and lists of ids, print results."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.columns import MissingColumn
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.printable import UNPRINTABLE, one_line, printable
from msm4sr_lite.progress import say
from msm4sr_lite.store.checksums import reading

LARGEST = 100 * 2**20  # bytes of a file with ids: some ten million ids


def read_dataset(
    args: argparse.Namespace,
    domain: str = "",
    notes: bool = True,
    columns: Mapping[str, str] | None = None,
) -> Dataset:
    """Read the dataset folder of a command and print its notes on stderr.

    ``domain`` and ``columns`` are those of the model; the flags take precedence.
    """
    unknown: Any = "drop" if args.drop_unknown else "error"
    given = pairs(args.rename, "--rename")
    options: dict[str, Any] = {"domain": args.domain or domain, "unknown_items": unknown}
    renames = given or dict(columns or {})
    while True:
        try:
            data = Dataset.from_folder(args.data, **options, columns=renames)
            break
        except MissingColumn as error:
            if given:
                raise
            renames.pop(error.rename)  # the column may have another name now
    for note in data.notes if notes else []:
        say(f"note: {note}")
    return data


def item_list(text: str | None) -> list[str]:
    """Return the parts of a comma-separated list.

    >>> item_list("h1, h2,")
    ['h1', 'h2']
    """
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def pairs(lists: Sequence[str] | None, flag: str) -> dict[str, str]:
    """Return comma-separated lists of ``a=b`` as one dictionary.

    >>> pairs(["visitor=user_id, sku=item_id"], "--rename")
    {'visitor': 'user_id', 'sku': 'item_id'}

    Raises
    ------
    UserError
        If a part has no equals sign.
    """
    parts = (part.partition("=") for part in item_list(",".join(lists or [])))
    found = {name.strip(): value.strip() for name, _, value in parts}
    if wrong := [name for name, value in found.items() if not (name and value)]:
        raise UserError(f"{flag}: {wrong[0]!r} has no '='; write NAME=COLUMN, such as sku=item_id")
    return found


def read_ids(path: Path | None) -> list[str] | None:
    """Return the ids in a file with one id per line; None if there is no path."""
    if path is None:
        return None
    with reading(path, "give one item_id per line"):
        if path.stat().st_size > LARGEST:
            raise OSError(f"larger than {LARGEST >> 20} MiB")
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # ids may hold other line ends
    if ids := [line.strip() for line in lines if line.strip()]:
        return ids
    raise UserError(f"{path}: no item_id in it; give one per line")


def show(args: argparse.Namespace, found: Any, text: str | Sequence[str] = "") -> None:
    """Print text or, with ``--json``, one JSON object; only the first process prints.

    If ``text`` is a list of lines, line ends in them, as in a title, start no new line.
    """
    if not is_first() or not (args.json or text):
        return
    if not args.json:
        print(printable(text) if isinstance(text, str) else "\n".join(map(one_line, text)))
        return
    # Written as \uXXXX: characters that would act on the terminal or that its encoding lacks.
    is_unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    line = json.dumps(found, ensure_ascii=not is_unicode)
    print(UNPRINTABLE.sub(lambda match: json.dumps(match[0])[1:-1], line))
