"""``msm4sr study``: compare models with the same split, training budget and statistics."""

import argparse
from dataclasses import replace
from typing import Any

from msm4sr_lite.cli import common
from msm4sr_lite.cli.parser import given_settings
from msm4sr_lite.device import resolve_device
from msm4sr_lite.pipeline.features import find_or_compute_features
from msm4sr_lite.progress import say
from msm4sr_lite.settings import with_settings
from msm4sr_lite.store.records import require_run_dir
from msm4sr_lite.study.config import QUICK, StudyConfig
from msm4sr_lite.study.pages import as_text
from msm4sr_lite.study.run import default_folder, run_study


def run(args: argparse.Namespace) -> None:
    """Run the parts of a study; print their tables or one JSON object."""

    def show(part: str, result: dict[str, Any]) -> None:
        if not args.json:
            common.show(args, None, as_text(part, result) + "\n")

    config, data = study_config(args), common.read_dataset(args)
    out = args.out or default_folder(data, config)
    require_run_dir(out, data.folder)
    found = find_or_compute_features(data, args.features, out, device=config.device)
    result = run_study(args.part, data, found.table, out, config, callback=show)
    common.show(args, result)
    say(f"study: results in {out}")


def study_config(args: argparse.Namespace) -> StudyConfig:
    """Return the settings that the flags give."""
    device: Any = resolve_device(args.device)
    config = with_settings(QUICK if args.quick else StudyConfig(), given_settings(args))
    return replace(
        config,
        n_seeds=min(args.seeds, 1) if args.quick else args.seeds,
        jobs=args.jobs,
        models=tuple(common.item_list(args.models)),
        configs=args.configs,
        sources=tuple(common.item_list(args.source)),
        target=args.target or "",
        unknown_items="drop" if args.drop_unknown else "error",
        columns=common.pairs(args.rename, "--rename"),
        device=device,
    )
