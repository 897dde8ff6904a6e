"""``msm4sr check`` and ``convert``: summarise a dataset; convert a public dataset to a folder."""

import argparse
from dataclasses import asdict

from msm4sr_lite.cli import common
from msm4sr_lite.dataset.convert import convert_dataset
from msm4sr_lite.features.image_check import check_images


def check(args: argparse.Namespace) -> int:
    """Read a whole dataset and print a summary of one screen; or check a run folder.

    The exit code is 2 if a part of the run folder is damaged.
    """
    if not any(args.data.glob("interactions.*")):
        from msm4sr_lite.pipeline.check_run import is_run  # loads torch, which takes seconds

        if is_run(args.data):
            return check_parts(args)
    dataset = common.read_dataset(args, notes=False)
    found, images = dataset.summary(), check_images(dataset.items.values(), dataset.image_root)
    lines = str(found).splitlines()
    if images["checked"]:
        lines.append(f"  images        {images['checked']:,} checked")
    for entry in images["problems"]:
        examples = ", ".join(entry["examples"])
        lines.append(f"    {entry['images']:,}: {entry['problem']}: {examples}")
    common.show(args, asdict(found) | {"images": images}, lines)
    return 0


def check_parts(args: argparse.Namespace) -> int:
    """Print what is wrong with each part of a run folder."""
    from msm4sr_lite.pipeline.check_run import check_run

    found = check_run(args.data)
    width = max(map(len, found))
    lines = [f"{name:<{width}}  {fault or 'ok'}" for name, fault in found.items()]
    common.show(args, {"run": str(args.data), "parts": found}, lines)
    return 2 if any(found.values()) else 0


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
