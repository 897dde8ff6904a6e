"""``msm4sr keywords``: images into keywords."""

from __future__ import annotations

import argparse

from msm4sr_lite.cli import common
from msm4sr_lite.cli.setting_flags import add_settings, given_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    common.add_dataset(parser)
    common.add_run_dir(parser)
    common.add_clip(parser)
    text = "number of threads that open images (default: one per core, at most 8)"
    common.add_number(parser, "--workers", text)
    add_settings(parser, "features")
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Write ``RUN/keywords``."""
    from msm4sr_lite.config import Config, with_settings
    from msm4sr_lite.features.stages import compute_keywords
    from msm4sr_lite.store.records import read_record

    folder = compute_keywords(
        common.read_dataset(args),
        args.out,
        with_settings(Config(), given_settings(args)).features,
        clip=args.clip,
        dictionary=args.dictionary,
        device=args.device,
        workers=args.workers,
    )
    if args.json:
        common.print_json({"stage": "keywords", "folder": str(folder), **read_record(folder)})
