"""``msm4sr check`` and ``convert``: summarise a dataset; convert a public dataset to a folder."""

import argparse
from dataclasses import asdict

from msm4sr_lite.cli import common
from msm4sr_lite.dataset.convert import convert_dataset


def check(args: argparse.Namespace) -> None:
    """Read a whole dataset and print a summary of one screen."""
    found = common.read_dataset(args, notes=False).summary()
    common.show(args, asdict(found), str(found))


def convert(args: argparse.Namespace) -> None:
    """Write the dataset folder and print what is in it."""
    names = ("format", "items", "images", "copy_images", "min_rating", "level", "force")
    options = {name: getattr(args, name) for name in names}
    counts = convert_dataset(args.source, args.out, **options)
    line = (
        f"{args.out}: {counts['format']}; users: {counts['users']}, items: {counts['items']},"
        f" interactions: {counts['interactions']}; items with text: {counts['items_with_text']},"
        f" with images: {counts['items_with_image']}"
    )
    notes = {  # only counts above 0 are printed
        "items_with_neither": "items with neither, dropped when the dataset is read: {}",
        "items_not_listed": "items that occur in interactions only: {}",
        "repeated_item_rows": "repeated rows of items, dropped: {}",
        "below_min_rating": "interactions below --min-rating, dropped: {}",
        "skipped_lines": "lines skipped: {}, the first: {first_skipped}",
    }
    found = [text.format(counts[name], **counts) for name, text in notes.items() if counts[name]]
    common.show(args, {"dataset": str(args.out), **counts}, "; ".join([line, *found]))
