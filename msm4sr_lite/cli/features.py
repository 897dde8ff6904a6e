"""``msm4sr features``: sentences and keywords into embeddings."""

from __future__ import annotations

import argparse

from msm4sr_lite.cli import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    common.add_dataset(parser)
    common.add_run_dir(parser)
    common.add_text_encoder(parser)
    parser.add_argument("--check", action="store_true", help="embed again and compare")
    parser.add_argument("--report", action="store_true", help="describe the features in RUN")
    common.add_settings(parser, "features", presets=False)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Write ``RUN/features``, or look at those that are there."""
    from msm4sr_lite.config import Config, with_settings
    from msm4sr_lite.device import resolve_device
    from msm4sr_lite.features import stages
    from msm4sr_lite.features.table_files import load_feature_table
    from msm4sr_lite.store.records import read_record

    config = with_settings(Config(), common.given_settings(args)).features
    device, data = resolve_device(args.device), common.read_dataset(args)
    folder = args.out if (args.out / "manifest.json").is_file() else args.out / "features"
    if args.report:
        found = stages.report_features(load_feature_table(folder))
    elif args.check:
        found = stages.check_features(data, folder, text_encoder=args.text_encoder, device=device)
    else:
        stages.encode_features(
            data, args.out, config, text_encoder=args.text_encoder, device=device
        )
        found = read_record(folder)
    if args.json:
        common.print_json({"stage": "features", "folder": str(folder), **found})
    elif args.report or args.check:
        for name, value in found.items():
            print(f"{name:>24}  {value}")
