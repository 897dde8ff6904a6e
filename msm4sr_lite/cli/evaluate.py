"""``msm4sr evaluate``: a model and baselines on held-out interactions."""

from __future__ import annotations

import argparse

from msm4sr_lite.baselines import require_baselines
from msm4sr_lite.cli import common
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.pipeline import MSM4SR

FILTERS = {"yes": [True], "no": [False], "both": [False, True]}


def run(args: argparse.Namespace) -> None:
    """Print a table or one JSON object; with ``--filter-seen both`` two tables or ``results``."""
    baselines = require_baselines(common.item_list(args.baselines))
    candidates = common.read_ids(args.candidates)
    model = MSM4SR.from_pretrained(args.model, features=args.features, device=args.device)
    data = common.read_dataset(args, model.domain)
    options = {"part": args.part, "baselines": baselines, "candidates": candidates}
    reports = [model.evaluate(data, filter_seen=f, **options) for f in FILTERS[args.filter_seen]]
    if not is_first():
        return
    if args.json:
        found = [report.to_dict() for report in reports]
        common.print_json(found[0] if len(found) == 1 else {"results": found})
    else:
        print("\n\n".join(map(str, reports)))
