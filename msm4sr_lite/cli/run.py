"""``msm4sr run``: all stages in order, resumable."""

from __future__ import annotations

import argparse

from msm4sr_lite.cli import common
from msm4sr_lite.cli.setting_flags import add_settings, settings_for_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    common.add_dataset(parser)
    common.add_run_dir(parser)
    common.add_features(parser, common.COMPUTED)
    common.add_text_encoder(parser)
    common.add_clip(parser)
    add_settings(parser, "data", "features", "model", "pretrain", "finetune", presets=True)
    common.add_baselines(parser)
    common.add_seed(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Fit in the run folder, then evaluate the test part once into ``results.json``."""
    from msm4sr_lite.baselines import require_baselines
    from msm4sr_lite.pipeline import MSM4SR
    from msm4sr_lite.progress import say
    from msm4sr_lite.store.files import write_json

    baselines = require_baselines(common.item_list(args.baselines))
    model = MSM4SR(
        args.preset,
        seed=args.seed,
        device=args.device,
        text_encoder=args.text_encoder,
        clip=args.clip,
        dictionary=args.dictionary,
        **settings_for_model(args),
    )
    split = model.config.data.split
    model.fit(common.read_dataset(args), split=split, features=args.features, run_dir=args.out)
    report = model.evaluate(part="test", baselines=baselines)
    write_json(args.out / "results.json", report.to_dict())
    if args.json:
        common.print_json(report.to_dict())
    else:
        print(report)
    say(f"results in {args.out / 'results.json'}")
