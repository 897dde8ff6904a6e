"""``msm4sr pretrain`` and ``msm4sr finetune``: the training stages."""

from __future__ import annotations

import argparse

from msm4sr_lite.cli import common
from msm4sr_lite.cli.setting_flags import add_settings, settings_for_model

FOLDERS = {"pretrain": "pretrained", "finetune": "finetuned"}


def add_arguments(parser: argparse.ArgumentParser, *sections: str) -> None:
    """Add the flags of a training stage with these sections of settings."""
    common.add_dataset(parser)
    common.add_run_dir(parser)
    common.add_features(parser, f"RUN/features, else {common.COMPUTED}")
    add_settings(parser, "data", *(sections or ("model", "pretrain")), presets=True)
    common.add_seed(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Write ``RUN/pretrained`` or ``RUN/finetuned``."""
    from msm4sr_lite.fast.processes import is_first
    from msm4sr_lite.pipeline import MSM4SR
    from msm4sr_lite.store.records import read_record

    model = MSM4SR(args.preset, seed=args.seed, device=args.device, **settings_for_model(args))
    computed = args.out / "features"
    known = computed if (computed / "manifest.json").is_file() else None
    getattr(model, args.command)(
        common.read_dataset(args),
        split=model.config.data.split,
        features=args.features or known,
        run_dir=args.out,
    )
    folder = args.out / FOLDERS[args.command]
    if args.json and is_first():
        common.print_json({"stage": args.command, "folder": str(folder), **read_record(folder)})
