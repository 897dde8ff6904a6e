"""``msm4sr convert``: public datasets into dataset folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from msm4sr_lite.cli import common

FORMATS = ("amazon-2018", "amazon-2023", "movielens", "recbole", "hm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    common.add_path(parser, "source", "downloaded folder or file", "SOURCE")
    common.add_path(parser, "--out", "new dataset folder", "DATA", required=True)
    parser.add_argument(
        "--from",
        dest="format",
        choices=FORMATS,
        default="",
        help="format of the source (default: recognised by the file names)",
    )
    common.add_path(parser, "--items", "item file (default: beside the main file)")
    text = "folder of images named by item id, in it or below (default: none; H&M: images/)"
    common.add_path(parser, "--images", text, "DIR")
    common.add_switch(parser, "--copy-images", "images copied (default: linked)")
    text = "lowest rating kept, in the source's unit (default: all)"
    parser.add_argument("--min-rating", type=float, metavar="X", help=text)
    text = "H&M: what an item is (default: article)"
    parser.add_argument("--level", choices=("article", "product"), help=text)
    common.add_switch(parser, "--force", "folder at --out replaced (default: an error)")
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Write the dataset folder and print what is in it."""
    from msm4sr_lite.dataset.convert import convert_dataset

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
