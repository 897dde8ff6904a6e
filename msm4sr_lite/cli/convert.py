"""``msm4sr convert``: other people's data into a shop folder."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.progress import bar


def main(args: argparse.Namespace) -> int:
    """Write the shop folder and say what is in it."""
    from msm4sr_lite.dataset.convert import hm
    from msm4sr_lite.dataset.convert.formats import find
    from msm4sr_lite.dataset.convert.write import convert

    form, source = find(args.source, args.format)
    if args.level:
        if form is not hm:
            raise UserError(f"--level is for H&M; these are {form.NAME}")
        source = replace(source, level=args.level)
    if args.items:
        if not args.items.is_file():
            raise UserError(f"{args.items}: no such file; --items names the file of items")
        source = replace(source, items=args.items)
    if args.images:
        source = replace(source, images=args.images)
    try:
        summary = convert(
            form,
            source,
            args.out,
            min_rating=args.min_rating,
            copy_images=args.copy_images,
            force=args.force,
            progress=lambda rows, name: bar(rows, name=name, unit="row"),
        )
    except OSError as error:  # a full disk, no permission
        raise UserError(f"{args.out}: cannot be written: {error}; choose another --out") from None
    print(
        json.dumps({"dataset": str(args.out), **summary}) if args.json else tell(args.out, summary)
    )
    return 0


def tell(out: Path, counts: dict[str, Any]) -> str:
    """Return the summary as one paragraph; what was left out is named only where it happened."""
    line = (
        f"{out}: {counts['format']}, {counts['users']} users, {counts['items']} items,"
        f" {counts['interactions']} interactions; {counts['items_with_text']} items with text,"
        f" {counts['items_with_picture']} with a picture"
    )
    notes = {
        "items_with_neither": "{} items with neither will be left out when the shop is read",
        "items_not_listed": "{} items were bought but not listed",
        "repeated_item_rows": "{} repeated rows of items left out",
        "below_min_rating": "{} interactions below --min-rating left out",
        "skipped_lines": "{} lines skipped, the first: {first_skipped}",
    }
    told = [text.format(counts[name], **counts) for name, text in notes.items() if counts[name]]
    return "; ".join([line, *told])
