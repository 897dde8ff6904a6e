"""``msm4sr run``, its stages one by one, and ``evaluate``."""

import argparse
from typing import Any

from msm4sr_lite.baselines import require_baselines
from msm4sr_lite.cli import common
from msm4sr_lite.cli.parser import given_settings
from msm4sr_lite.config import Config, UserError, with_settings
from msm4sr_lite.features.inspection import check_features, feature_folder, report_features
from msm4sr_lite.features.stages import compute_keywords, encode_features
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.pipeline import MSM4SR
from msm4sr_lite.pipeline.geometry import report_neighbours
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.records import read_record

BASELINES = "popularity,item_knn"  # those compared by default
FOLDERS = {"pretrain": "pretrained", "finetune": "finetuned"}
FILTERS = {"yes": [True], "no": [False], "both": [False, True]}


def run(args: argparse.Namespace) -> None:
    """Fit in the run folder, then evaluate the test part once and write ``results.json``.

    With ``--all-data`` nothing is held out and nothing is evaluated.
    """
    if args.all_data and args.baselines is not None:
        raise UserError("--baselines has no effect with --all-data; leave it out")
    baselines = require_baselines(named_baselines(args))
    settings = given_settings(args)
    if args.features and (own := [name for name in settings if name.startswith("features__")]):
        name = own[0].replace("__", ".")
        raise UserError(f"--set {name} has no effect with --features, which are made already")
    names = ("seed", "device", "ensemble", "text_encoder", "clip", "dictionary")
    settings |= {name: getattr(args, name) for name in names}
    model = MSM4SR(args.preset, **settings)
    options = {"split": None} if args.all_data else {}
    model.fit(common.read_dataset(args), features=args.features, run_dir=args.out, **options)
    if args.all_data:
        (args.out / "results.json").unlink(missing_ok=True)  # those of another model
        text = f"{args.out}: trained on every interaction; nothing is held out or evaluated"
        common.show(args, {"run": str(args.out), "evaluated": False}, text)
        return
    report = model.evaluate(part="test", baselines=baselines)
    write_json(args.out / "results.json", report.to_dict())
    common.show(args, report.to_dict(), str(report))
    say(f"results in {args.out / 'results.json'}")


def named_baselines(args: argparse.Namespace) -> list[str]:
    """Return the names that ``--baselines`` gives; none if it is empty."""
    return common.item_list(BASELINES if args.baselines is None else args.baselines)


def keywords(args: argparse.Namespace) -> None:
    """Write ``RUN/keywords``."""
    folder = compute_keywords(
        common.read_dataset(args),
        args.out,
        with_settings(Config(), given_settings(args)).features,
        clip=args.clip,
        dictionary=args.dictionary,
        device=args.device,
        workers=args.workers,
    )
    common.show(args, {"stage": "keywords", "folder": str(folder), **read_record(folder)})


def features(args: argparse.Namespace) -> None:
    """Write ``RUN/features``, or check or describe existing features."""
    options = {"text_encoder": args.text_encoder, "device": args.device}
    look = args.report or args.check
    folder = feature_folder(args.out) if look else args.out / "features"
    if args.report:
        found = report_features(table := load_feature_table(folder))
        dataset, neighbours = common.read_dataset(args), {}
        try:
            neighbours = report_neighbours(dataset, table)
        except UserError as error:  # for example, too few interactions
            say(f"note: nearest neighbours are not compared: {error}")
        for modality, more in neighbours.items():
            found[modality] |= more
    elif args.check:
        found = check_features(common.read_dataset(args), folder, **options)
    else:
        config = with_settings(Config(), given_settings(args)).features
        encode_features(common.read_dataset(args), args.out, config, **options)
        found = read_record(folder)
    lines = [f"{name:<14}{_in_words(value)}" for name, value in found.items() if look]
    common.show(args, {"stage": "features", "folder": str(folder), **found}, lines)


def _in_words(value: Any) -> str:
    """Return a value of a report as text; entries of a dictionary that are None are left out."""
    if isinstance(value, dict):
        there = {name: one for name, one in value.items() if one is not None}
        words = {name: _in_words(one) for name, one in there.items()}
        return ", ".join(
            f"{name} ({words[name]})" if isinstance(one, dict) else f"{name} {words[name]}"
            for name, one in there.items()
        )
    if isinstance(value, list):
        return " ".join(map(_in_words, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def train(args: argparse.Namespace) -> None:
    """Write ``RUN/pretrained`` or ``RUN/finetuned``."""
    fixed: dict[str, Any] = {
        name: getattr(args, name, None) for name in ("seed", "device", "ensemble")
    }
    model = MSM4SR(args.preset, **fixed, **given_settings(args))
    computed = args.out / "features"
    known = computed if (computed / "manifest.json").is_file() else None
    stage = getattr(model, args.command)
    stage(common.read_dataset(args), features=args.features or known, run_dir=args.out)
    folder = args.out / FOLDERS[args.command]
    common.show(args, {"stage": args.command, "folder": str(folder), **read_record(folder)})


def evaluate(args: argparse.Namespace) -> None:
    """Print a table or one JSON object; with ``--filter-seen both`` two tables or ``results``."""
    baselines = require_baselines(named_baselines(args))
    candidates = common.read_ids(args.candidates)
    model = MSM4SR.from_pretrained(args.model, features=args.features, device=args.device)
    data = common.read_dataset(args, model.domain, columns=model.columns)
    options = {"part": args.part, "baselines": baselines, "candidates": candidates}
    reports = [model.evaluate(data, filter_seen=f, **options) for f in FILTERS[args.filter_seen]]
    results = [report.to_dict() for report in reports]
    found = results[0] if len(results) == 1 else {"results": results}
    common.show(args, found, "\n\n".join(map(str, reports)))
