"""``msm4sr check``: what is in a dataset."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from msm4sr_lite.cli import common
from msm4sr_lite.dataset.summary import summary


def run(args: argparse.Namespace) -> None:
    """Read everything and print one screen."""
    found = summary(common.read_dataset(args, notes=False))
    if args.json:
        common.print_json(asdict(found))
    else:
        for line in str(found).splitlines():
            common.print_line(line)
