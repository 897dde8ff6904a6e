"""``msm4sr features``: sentences and keywords into embeddings."""

from __future__ import annotations

import argparse
from typing import Any

from msm4sr_lite.cli import common
from msm4sr_lite.cli.setting_flags import add_settings, given_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    common.add_dataset(parser)
    common.add_run_dir(parser)
    common.add_text_encoder(parser)
    look = parser.add_mutually_exclusive_group()
    text = "comparison of the features in RUN with new embeddings"
    common.add_switch(look, "--check", text)
    common.add_switch(look, "--report", "description of the features in RUN")
    add_settings(parser, "features")
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Write ``RUN/features``, or look at those that are there."""
    from msm4sr_lite.config import Config, with_settings
    from msm4sr_lite.features.inspection import check_features, feature_folder, report_features
    from msm4sr_lite.features.stages import encode_features
    from msm4sr_lite.features.table_files import load_feature_table
    from msm4sr_lite.store.records import read_record

    options = {"text_encoder": args.text_encoder, "device": args.device}
    folder = args.out / "features"
    if args.report or args.check:
        folder = feature_folder(args.out)
    if args.report:
        found = report_features(load_feature_table(folder))
    elif args.check:
        found = check_features(common.read_dataset(args), folder, **options)
    else:
        config = with_settings(Config(), given_settings(args)).features
        encode_features(common.read_dataset(args), args.out, config, **options)
        found = read_record(folder)
    if args.json:
        common.print_json({"stage": "features", "folder": str(folder), **found})
    elif args.report or args.check:
        for name, value in found.items():
            common.print_line(f"{name:<14}{_in_words(value)}")


def _in_words(value: Any) -> str:
    """Return a value of a report as text; of a dictionary its entries that have a value."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {_in_words(v)}" for k, v in value.items() if v is not None)
    if isinstance(value, list):
        return " ".join(map(_in_words, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)
