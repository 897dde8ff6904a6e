"""``msm4sr evaluate``: the model, the baselines and the upper bound, if it is known."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from msm4sr_lite.cli.opening import (
    device_of,
    model_folder,
    open_dataset,
    open_features,
    open_sequences,
    require_encoder,
    trained_on,
)
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.fast.processes import is_first, joined

SHOWN = ("recall@10", "ndcg@10", "recall@20", "ndcg@20", "mrr@10")


def main(args: argparse.Namespace) -> int:
    """Print the results as a table or as JSON."""
    with joined(args):
        result = measure(args)
    if is_first():
        print(json.dumps(result) if args.json else table(result))
    return 0


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Evaluate on the items and customers the model was trained for.

    Returns
    -------
    result
        The object that ``--json`` prints; with ``--mask-history both`` a list of two under
        ``results``.
    """
    from msm4sr_lite.baselines.oracle import load_oracles
    from msm4sr_lite.baselines.scorers import BASELINES
    from msm4sr_lite.evaluation import evaluate
    from msm4sr_lite.scoring import ModelScorer
    from msm4sr_lite.store.checkpoints import load_checkpoint
    from msm4sr_lite.study.data import StudyData

    names = baseline_names(args)
    folder = model_folder(args.model)
    data, record = trained_on(folder)
    args.domain = args.domain or record["domain"]
    features = open_features(args)
    require_encoder(features, record, folder)
    sequences = open_sequences(args, features, data)
    model, items = load_checkpoint(folder)
    if items != sequences.items and model.config.n_items:
        raise UserError(
            f"{folder} was trained on {len(items) - 1} items, this shop has"
            f" {sequences.n_items} or other ones; fine-tune on this shop first"
        )
    table, device = features.for_items(sequences.items), device_of(args)
    scorers: dict[str, Any] = {"msm4sr": ModelScorer(model, table, device)}
    study_data = StudyData(open_dataset(args), sequences, table, device)
    scorers |= {name: BASELINES[name](study_data) for name in names}
    users, _ = sequences.cases("test")
    cases = (*sequences.held_out("test"), users)
    candidates = listed_candidates(args, sequences.items)
    known = load_oracles(study_data.dataset.folder, sequences)

    results = []
    for mask in {"no": [False], "yes": [True], "both": [False, True]}[args.filter_seen]:
        results.append(
            {
                "dataset": str(args.dataset),
                "users": len(set(users.tolist())),
                "items": sequences.n_items,
                "protocol": {
                    "split": split_name(data),
                    "candidates": "all" if candidates is None else len(candidates),
                    "filter_seen": mask,
                    "seeds": [args.seed],
                },
                "models": {
                    name: evaluate(scorer, *cases, filter_seen=mask, candidates=candidates)
                    for name, scorer in scorers.items()
                },
                "upper_bound": {
                    name: evaluate(scorer, *cases, filter_seen=mask, candidates=candidates)
                    for name, scorer in known.items()
                },
            }
        )
        _shares(results[-1])
    return results[0] if len(results) == 1 else {"results": results}


def baseline_names(args: argparse.Namespace) -> list[str]:
    """Return the baselines asked for, all of them known."""
    from msm4sr_lite.baselines.scorers import BASELINES

    names = [name.strip() for name in args.baselines.split(",") if name.strip()]
    for name in names:
        if name not in BASELINES:
            raise UserError(f"no baseline {name!r}; there are {', '.join(BASELINES)}")
    return names


def listed_candidates(args: argparse.Namespace, items: list[str]) -> np.ndarray | None:
    """Return the numbers of the items that compete with each test item; None for all."""
    path: Path | None = getattr(args, "candidates", None)
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read ({error}); give a file with one item_id a line"
        ) from None
    number = {item: i for i, item in enumerate(items) if i}
    for place, line in enumerate(lines, 1):
        if line.strip() and line.strip() not in number:
            raise UserError(
                f"{path} line {place}: item {line.strip()!r} is not among the {len(number)} items"
                f" of the model; take it out, or check the item_id"
            )
    found = sorted({number[line.strip()] for line in lines if line.strip()})
    if not found:
        raise UserError(f"{path}: no item_id in it; give a file with one a line")
    return np.array(found)


def split_name(data: DataConfig) -> str:
    """Say in words which purchases test."""
    if data.split == "time":
        return f"by date, newest {data.test_share:.0%}"
    return "leave-one-out" if data.n_test == 1 else f"leave-{data.n_test}-out"


def _shares(result: dict[str, Any]) -> None:
    """Add NDCG@10 of every model as a share of the upper bound."""
    if result["upper_bound"]:
        result["share_of_upper_bound"] = {
            name: {
                kind: round(values["ndcg@10"]["value"] / top["ndcg@10"]["value"], 4)
                for kind, top in result["upper_bound"].items()
            }
            for name, values in result["models"].items()
        }


def table(result: dict[str, Any]) -> str:
    """Return the result as text."""
    if "results" in result:
        return "\n\n".join(table(one) for one in result["results"])
    rivals = result["protocol"]["candidates"]
    rivals = "all items" if rivals == "all" else f"{rivals} listed items and the test item"
    masked = "left out of" if result["protocol"]["filter_seen"] else "kept in"
    lines = [
        f"{result['dataset']}: {result['users']} customers, {result['items']} items, test purchases"
        f" {result['protocol']['split']}, {rivals} ranked, bought items {masked} the ranking",
        "",
        (" " * 18 + "".join(f"{name:<24}" for name in SHOWN)).rstrip(),
    ]
    rows = list(result["models"].items())
    rows += [(f"upper bound: {name}", values) for name, values in result["upper_bound"].items()]
    for name, values in rows:
        cells = (values[metric] for metric in SHOWN)
        numbers = (f"{c['value']:.4f} [{c['low']:.3f}, {c['high']:.3f}]" for c in cells)
        lines.append(f"{name:<18}" + "".join(f"{number:<24}" for number in numbers).rstrip())
    lines.append("")
    for name, share in result.get("share_of_upper_bound", {}).items():
        parts = ", ".join(f"{value:.0%} of {kind}" for kind, value in share.items())
        lines.append(f"{name} reaches {parts} (NDCG@10)")
    lines.append("[low, high] is the 95 % bootstrap interval over customers")
    return "\n".join(lines)
