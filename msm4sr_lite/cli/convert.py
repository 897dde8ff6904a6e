"""``msm4sr convert``: public datasets into dataset folders."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="unpacked folder, or file of interactions"
    )
    parser.add_argument(
        "--from",
        dest="format",
        choices=("amazon-2018", "amazon-2023", "movielens", "recbole", "hm"),
        default="",
        help="format of the source (default: recognised by its file names)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DATA", help="dataset folder to write"
    )
    parser.add_argument(
        "--items", type=Path, metavar="FILE", help="file of items (default: beside the source)"
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="folder with images named by item id, at any depth (default: none; H&M: images/)",
    )
    parser.add_argument(
        "--copy-images", action="store_true", help="copies of the images instead of hard links"
    )
    parser.add_argument(
        "--min-rating", type=float, help="lowest rating that is kept (default: keep all)"
    )
    parser.add_argument(
        "--level", choices=("article", "product"), help="H&M: what an item is (default: article)"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the folder at --out whatever it holds"
    )


def main(args: argparse.Namespace) -> int:
    """Convert, and print the summary."""
    from msm4sr_lite.dataset.convert import convert_dataset

    summary = convert_dataset(
        args.source,
        args.out,
        format=args.format or "",
        items=args.items,
        images=args.images,
        copy_images=args.copy_images,
        min_rating=args.min_rating,
        level=args.level,
        force=args.force,
    )
    if args.json:
        print(json.dumps({"dataset": str(args.out), **summary}))
    else:
        print(f"{args.out}: {format_summary(summary)}")
    return 0


def format_summary(counts: dict[str, Any]) -> str:
    """Return the summary as one line that names only the problems that occurred."""
    line = (
        f"{counts['format']}, {counts['users']} users, {counts['items']} items,"
        f" {counts['interactions']} interactions; {counts['items_with_text']} items with text,"
        f" {counts['items_with_image']} with images"
    )
    notes = {
        "items_with_neither": "{} items with neither, which will be dropped when it is read",
        "items_not_listed": "{} items occur in interactions only",
        "repeated_item_rows": "{} repeated rows of items left out",
        "below_min_rating": "{} interactions below the lowest rating left out",
        "skipped_lines": "{} lines skipped, the first: {first_skipped}",
    }
    found = [text.format(counts[name], **counts) for name, text in notes.items() if counts[name]]
    return "; ".join([line, *found])
