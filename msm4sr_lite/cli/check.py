"""``msm4sr check``: what is in a dataset."""

from __future__ import annotations

import argparse

from msm4sr_lite.cli import common
from msm4sr_lite.dataset.dataset import describe, summary


def run(args: argparse.Namespace) -> None:
    """Read everything and print one screen."""
    found = summary(common.read_dataset(args, notes=False))
    if args.json:
        common.print_json(found)
    else:
        for line in describe(found).splitlines():
            common.print_line(line)
