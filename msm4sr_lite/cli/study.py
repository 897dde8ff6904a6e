"""``msm4sr study``: compare models on a dataset with the same split, budget and statistics."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from msm4sr_lite.cli import common
from msm4sr_lite.cli.setting_flags import add_settings, given_settings

if TYPE_CHECKING:
    from msm4sr_lite.study.config import StudyConfig

PARTS = ("tune", "main", "cold", "ablations", "transfer", "all")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    parser.add_argument(
        "part",
        choices=PARTS,
        metavar="PART",
        help="tune (choose settings), main (compare models), cold (cold items), ablations,"
        " transfer, or all: main, cold and the ablations of what the paper adds",
    )
    common.add_dataset(parser)
    common.add_features(parser, common.COMPUTED)
    common.add_path(parser, "--out", "study folder (default: runs/study-DATA)", "DIR")
    common.add_switch(parser, "--quick", "few epochs and one seed: a study of minutes")
    text = "comma-separated models, or variants of ablations (default: all that can run)"
    common.add_names(parser, "--models", text)
    common.add_number(parser, "--seeds", "number of test seeds", 3)
    common.add_number(parser, "--jobs", "number of trainings at the same time, a core each", 1)
    common.add_path(parser, "--configs", "chosen settings (default: DIR/configs.json)")
    text = "transfer: comma-separated domains or dataset folders to pre-train on"
    common.add_names(parser, "--source", text)
    text = "transfer: domain to use the model in (default: all)"
    common.add_names(parser, "--target", text, "NAME")
    add_settings(parser, "data", "budget", config="msm4sr_lite.study.config.StudyConfig")
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the parts that were asked for; print their tables or one JSON object."""
    from msm4sr_lite.pipeline.features import find_or_compute_features
    from msm4sr_lite.progress import say
    from msm4sr_lite.study.pages import as_text
    from msm4sr_lite.study.run import default_folder, run_study

    def show(part: str, result: dict[str, Any]) -> None:
        if not args.json:
            print(as_text(part, result), end="\n\n")

    config, data = study_config(args), common.read_dataset(args)
    out = args.out or default_folder(data, config)
    found = find_or_compute_features(data, args.features, out, device=config.device)
    result = run_study(args.part, data, found.table, out, config, callback=show)
    if args.json:
        common.print_json(result)
    say(f"study: results in {out}")


def study_config(args: argparse.Namespace) -> StudyConfig:
    """Return the settings that the flags ask for."""
    from dataclasses import replace

    from msm4sr_lite.device import resolve_device
    from msm4sr_lite.settings import with_settings
    from msm4sr_lite.study.config import QUICK, StudyConfig

    config = with_settings(QUICK if args.quick else StudyConfig(), given_settings(args))
    return replace(
        config,
        n_seeds=min(args.seeds, 1) if args.quick else args.seeds,
        jobs=args.jobs,
        models=tuple(common.item_list(args.models)),
        configs=args.configs,
        sources=tuple(common.item_list(args.source)),
        target=args.target,
        unknown_items=common.unknown_items(args),
        device=resolve_device(args.device),
    )
