"""``msm4sr pretrain`` and ``msm4sr finetune``: the training stages."""

from __future__ import annotations

import argparse

from msm4sr_lite.cli import common


def add_arguments(parser: argparse.ArgumentParser, *sections: str) -> None:
    """Add the flags of a training stage."""
    common.add_dataset(parser)
    common.add_run_dir(parser)
    common.add_features(parser)
    common.add_settings(parser, "data", *(sections or ("model", "pretrain")))
    common.add_seed(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Write ``RUN/pretrained`` or ``RUN/finetuned``."""
    from msm4sr_lite.fast.processes import is_first
    from msm4sr_lite.pipeline import MSM4SR
    from msm4sr_lite.store.records import read_record

    model = MSM4SR(args.preset, seed=args.seed, device=args.device, **common.settings_of(args))
    features = args.features
    if features is None and (args.out / "features" / "manifest.json").is_file():
        features = args.out / "features"
    options = {"split": model.config.data.split, "features": features, "run_dir": args.out}
    stage = model.pretrain if args.command == "pretrain" else model.finetune
    stage(common.read_dataset(args), **options)
    folder = args.out / ("pretrained" if args.command == "pretrain" else "finetuned")
    if args.json and is_first():
        common.print_json({"stage": args.command, "folder": str(folder), **read_record(folder)})
