"""``msm4sr run``: all stages in order, resumable."""

from __future__ import annotations

import argparse

from msm4sr_lite.baselines import require_baselines
from msm4sr_lite.cli import common
from msm4sr_lite.cli.setting_flags import given_settings
from msm4sr_lite.pipeline import MSM4SR
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import write_json


def run(args: argparse.Namespace) -> None:
    """Fit in the run folder, then evaluate the test part once into ``results.json``."""
    baselines = require_baselines(common.item_list(args.baselines))
    model = MSM4SR(
        args.preset,
        seed=args.seed,
        device=args.device,
        text_encoder=args.text_encoder,
        clip=args.clip,
        dictionary=args.dictionary,
        **given_settings(args),
    )
    model.fit(common.read_dataset(args), features=args.features, run_dir=args.out)
    report = model.evaluate(part="test", baselines=baselines)
    write_json(args.out / "results.json", report.to_dict())
    if args.json:
        common.print_json(report.to_dict())
    else:
        print(report)
    say(f"results in {args.out / 'results.json'}")
