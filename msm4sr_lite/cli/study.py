"""``msm4sr study``: compare models on a dataset with the same split, budget and statistics."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from msm4sr_lite.cli.flags import from_flags
from msm4sr_lite.cli.opening import features_folder, open_dataset, open_features
from msm4sr_lite.device import resolve_device
from msm4sr_lite.progress import say
from msm4sr_lite.study.config import QUICK, StudyConfig


def main(args: argparse.Namespace) -> int:
    """Run the parts that were asked for; print their tables or one JSON object."""
    from msm4sr_lite.features.table_files import read_keywords
    from msm4sr_lite.study.pages import as_text
    from msm4sr_lite.study.run import run_study

    def show(part: str, result: dict[str, Any]) -> None:
        if not args.json:
            print(as_text(part, result), end="\n\n")

    config, out = study_config(args), study_folder(args)
    dataset, table, features = open_dataset(args), open_features(args), features_folder(args)
    known = (features / "keywords.jsonl").is_file()
    keywords = read_keywords(features) if known else {}
    result = run_study(args.part, dataset, table, out, config, keywords=keywords, callback=show)
    if args.json:
        print(json.dumps(result))
    say(f"study: results in {out}")
    return 0


def study_config(args: argparse.Namespace) -> StudyConfig:
    """Return the settings that the flags ask for."""
    default = QUICK if args.quick else StudyConfig()
    return replace(
        default,
        data=from_flags(args, default.data),
        budget=from_flags(args, default.budget),
        transfer=from_flags(args, default.transfer, seeds=default.transfer.seeds),
        n_seeds=min(args.seeds, 1) if args.quick else args.seeds,
        jobs=args.jobs,
        models=listed(args.models),
        configs=args.configs,
        sources=listed(args.source),
        target=args.target,
        clip=args.clip or "",
        unknown_items="drop" if args.drop_unknown else "error",
        device=resolve_device(args.device),
    )


def study_folder(args: argparse.Namespace) -> Path:
    """Return the study folder: as asked, else runs/study-DATASET."""
    name = "-".join(filter(None, ("study", args.dataset.resolve().name, args.domain)))
    return args.out or Path("runs") / (name + ("-quick" if args.quick else ""))


def listed(names: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list.

    >>> listed("home, outdoor,")
    ('home', 'outdoor')
    """
    return tuple(name.strip() for name in names.split(",") if name.strip())
