"""``msm4sr keywords``: images into keywords."""

from __future__ import annotations

import argparse

from msm4sr_lite.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    common.add_dataset(parser)
    common.add_run_dir(parser)
    common.add_clip(parser)
    parser.add_argument(
        "--workers", type=int, metavar="N", help="threads that open images (default: one per core)"
    )
    common.add_settings(parser, "features", presets=False)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Write ``RUN/keywords``."""
    from msm4sr_lite.config import Config, with_settings
    from msm4sr_lite.device import resolve_device
    from msm4sr_lite.features.stages import compute_keywords
    from msm4sr_lite.store.records import read_record

    config = with_settings(Config(), common.given_settings(args)).features
    folder = compute_keywords(
        common.read_dataset(args),
        args.out,
        config,
        clip=args.clip,
        dictionary=args.dictionary,
        device=resolve_device(args.device),
        workers=args.workers,
    )
    if args.json:
        common.print_json({"stage": "keywords", "folder": str(folder), **read_record(folder)})
