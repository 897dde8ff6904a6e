"""``msm4sr convert``: public datasets into dataset folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from msm4sr_lite.cli import common
from msm4sr_lite.dataset.convert import convert_dataset


def run(args: argparse.Namespace) -> None:
    """Write the dataset folder and print what is in it."""
    summary = convert_dataset(
        args.source,
        args.out,
        format=args.format,
        items=args.items,
        images=args.images,
        copy_images=args.copy_images,
        min_rating=args.min_rating,
        level=args.level,
        force=args.force,
    )
    if args.json:
        common.print_json({"dataset": str(args.out), **summary})
    else:
        print(describe(args.out, summary))


def describe(out: Path, counts: dict[str, Any]) -> str:
    """Return the summary as one paragraph; what was dropped is named only where it happened."""
    line = (
        f"{out}: {counts['format']}, {counts['users']} users, {counts['items']} items,"
        f" {counts['interactions']} interactions; {counts['items_with_text']} items with text,"
        f" {counts['items_with_image']} with images"
    )
    notes = {
        "items_with_neither": "{} items with neither will be dropped when the dataset is read",
        "items_not_listed": "{} items occur in interactions only",
        "repeated_item_rows": "{} repeated rows of items dropped",
        "below_min_rating": "{} interactions below --min-rating dropped",
        "skipped_lines": "{} lines skipped, the first: {first_skipped}",
    }
    found = [text.format(counts[name], **counts) for name, text in notes.items() if counts[name]]
    return "; ".join([line, *found])
