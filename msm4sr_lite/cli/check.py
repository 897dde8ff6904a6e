"""``msm4sr check``: what is in a dataset."""

from __future__ import annotations

import argparse

from msm4sr_lite.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    common.add_dataset(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Read everything and print one screen."""
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.dataset.summary import describe, summary

    unknown = common.unknown_items(args)
    found = summary(Dataset.from_folder(args.data, domain=args.domain, unknown_items=unknown))
    if args.json:
        common.print_json(found)
    else:
        for line in describe(found).splitlines():
            common.print_line(line)
