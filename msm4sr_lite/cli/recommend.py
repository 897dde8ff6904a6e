"""``msm4sr recommend``: recommendations for users or for a history, with reasons."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.cli import common

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.explain.evidence import Evidence
    from msm4sr_lite.pipeline import MSM4SR


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    common.add_dataset(parser)
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="run folder or model folder"
    )
    common.add_features(parser)
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", help="user_id of the dataset")
    who.add_argument("--items", help="a history: item ids, oldest first, comma-separated")
    who.add_argument(
        "--all-users", type=Path, metavar="FILE", help="for all users, to .csv, .jsonl or .parquet"
    )
    parser.add_argument("-k", type=int, default=10, help="number of items per user (default: 10)")
    parser.add_argument(
        "--candidates", type=Path, metavar="FILE", help="offer only these, one item_id per line"
    )
    parser.add_argument(
        "--exclude", type=Path, metavar="FILE", help="never offer these, one item_id per line"
    )
    parser.add_argument("--keep-seen", action="store_true", help="offer items of the history too")
    parser.add_argument(
        "--no-new-items", action="store_true", help="never offer items added after training"
    )
    parser.add_argument(
        "--why",
        nargs="?",
        const="inputs",
        choices=("inputs", "keywords"),
        help="print what moved each score: interactions, sentences, images; with `keywords` also"
        " single keywords, which the text encoder reads again",
    )
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Print recommendations, or write those of all users."""
    from msm4sr_lite.pipeline import MSM4SR
    from msm4sr_lite.recommend.output import check_output_path, write_recommendations

    if args.all_users:
        check_output_path(args.all_users)
    model = MSM4SR.from_pretrained(args.model, features=args.features, device=args.device)
    data = common.read_dataset(args, model.domain)
    new = [] if args.no_new_items else add_new_items(model, data, args)
    options: dict[str, Any] = {
        "k": args.k,
        "filter_seen": not args.keep_seen,
        "candidates": common.read_ids(args.candidates),
        "exclude": common.read_ids(args.exclude),
        "data": data,
    }
    if args.all_users:
        found = model.recommend(**options)
        write_recommendations(found, args.all_users)
        users = int(found["user_id"].nunique())
        if args.json:
            summary = {"file": str(args.all_users), "users": users, "rows": len(found)}
            common.print_json(summary)
        else:
            print(f"{args.all_users}: {len(found)} rows for {users} users")
        return
    history = model.history_of(args.user, data) if args.user else common.item_list(args.items)
    described = model.describe(history, **options)
    why = None
    if args.why and described:
        ids = [one.item_id for one in described]
        why = model.evidence(history, ids, data=data, keywords=args.why == "keywords")
    records = [asdict(one) | {"new": one.item_id in new} for one in described]
    for record, evidence in zip(records, why or (), strict=False):
        record["why"] = [asdict(piece) for piece in evidence]
    if args.json:
        common.print_json({"history": history, "recommendations": records})
    else:
        show(data, history, records, why)


def add_new_items(model: MSM4SR, data: Dataset, args: argparse.Namespace) -> list[str]:
    """Let the model recommend the items that the dataset has got since the training.

    Their features are taken from the feature folder; items without features are named.
    """
    from msm4sr_lite.pipeline.features import Features

    missing = [item for item in data.items if item not in model.recommender.item_number]
    if not missing:
        return []
    folder = args.features or (args.model / "features")
    found = Features.load(folder) if (folder / "manifest.json").is_file() else None
    table = found.table if found else None
    described = set(table.described()) if table else set()
    new = [item for item in missing if item in described]
    if table and new:
        model.add_features(table.for_items(["", *new]), found.keywords if found else {})
        print(
            f"note: {len(new)} items are new to the model (the first is {new[0]!r}); their texts"
            f" and images are scored (--no-new-items leaves them out)",
            file=sys.stderr,
        )
    unread = [item for item in missing if not table or item not in table.items]
    if unread:
        print(
            f"note: {len(unread)} items have no features and are not offered (the first is"
            f" {unread[0]!r}); run `msm4sr features` again",
            file=sys.stderr,
        )
    return new


def show(
    data: Dataset,
    history: list[str],
    records: list[dict[str, Any]],
    why: list[list[Evidence]] | None,
) -> None:
    """Print the history, then each recommendation with what describes it."""
    from msm4sr_lite.explain.evidence import NO_EVIDENCE, describe_evidence, strongest_evidence

    print("history, newest last:")
    for item_id in history[-5:]:
        item = data.items.get(item_id)
        common.print_line(f"  {item_id}  {item.title if item else ''}")
    for rank, record in enumerate(records, start=1):
        terms = " + ".join(f"{name} {value:.3f}" for name, value in record["by_modality"].items())
        mark = "  (new)" if record["new"] else ""
        print()
        line = f"{rank:>2}. {record['item_id']}  score {record['score']:.3f} = {terms}{mark}"
        common.print_line(line)
        for sentence in record["sentences"][:3]:
            common.print_line(f"      text:     {sentence}")
        for keywords in record["keywords"][:1]:
            common.print_line(f"      keywords: {', '.join(keywords)}")
        if why:
            best = strongest_evidence(why[rank - 1], 2, {"interaction"})
            best += strongest_evidence(why[rank - 1], 1, {"sentence", "image", "keyword"})
            reasons = [f"because of {describe_evidence(piece, data.items)}" for piece in best]
            for line in reasons or [NO_EVIDENCE]:
                common.print_line(f"      {line}")
