"""``msm4sr recommend``: recommend items for users or for a history, with reasons."""

import argparse
from dataclasses import asdict
from typing import Any

from msm4sr_lite.cli import common
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.explain.evidence import (
    NO_EVIDENCE,
    Evidence,
    describe_evidence,
    item_title,
    strongest_evidence,
)
from msm4sr_lite.pipeline import MSM4SR
from msm4sr_lite.progress import say
from msm4sr_lite.recommend.describe import Recommendation
from msm4sr_lite.recommend.output import check_output_path, write_recommendations

OTHER = {"text": "image", "image": "text"}


def run(args: argparse.Namespace) -> None:
    """Print recommendations, or write those of all users to a file."""
    if args.all_users:
        check_output_path(args.all_users)
    options: dict[str, Any] = {
        "k": args.k,
        "filter_seen": not args.keep_seen,
        "candidates": common.read_ids(args.candidates),
        "exclude": common.read_ids(args.exclude),
    }
    model = MSM4SR.from_pretrained(args.model, features=args.features, device=args.device)
    options["data"] = data = common.read_dataset(args, model.domain)
    new = [] if args.no_new_items else add_new_items(model, data, args)
    if args.all_users:
        found = model.recommend(**options)
        write_recommendations(found, args.all_users)
        users = int(found["user_id"].nunique())
        summary = {"file": str(args.all_users), "users": users, "rows": len(found)}
        common.show(args, summary, f"{args.all_users}: {len(found)} rows for {users} users")
        return
    if args.user is not None:
        history = model.history_of(args.user, data)
    else:
        history = common.item_list(args.items)
        model.recommender.numbers_of(history)  # refuses unknown items
    best = model.describe(history, **options)
    why: list[list[Evidence]] = []
    if args.why and best:
        ids = [one.item_id for one in best]
        why = model.evidence(history, ids, data=data, keywords=args.why == "keywords")
    records = [asdict(one) | {"new": one.item_id in new} for one in best]
    for record, evidence in zip(records, why, strict=False):
        record["why"] = [asdict(piece) for piece in evidence]
    titles = [f"  {item}  {item_title(data.items, item)}" for item in history[-5:]]
    lines = ["history, newest last:", *titles]
    for rank, one in enumerate(best, start=1):
        lines += ["", *describe(rank, one, one.item_id in new)]
        lines += [f"      {reason}" for reason in (reasons(why[rank - 1], data) if why else [])]
    text = "\n".join(" ".join(line.splitlines()) for line in lines)
    common.show(args, {"history": history, "recommendations": records}, text)


def add_new_items(model: MSM4SR, data: Dataset, args: argparse.Namespace) -> list[str]:
    """Add items to the model that came after training; return their ids and print notes."""
    folder = args.features or args.model / "features"
    new, unknown = model.add_known_features(data, folder)
    if new:
        say(
            f"note: {len(new)} items are new to the model (the first is {new[0]!r}); their texts"
            f" and images are scored (--no-new-items leaves them out)"
        )
    if unknown:
        say(
            f"note: {len(unknown)} items have no features in {folder} and are not recommended (the"
            f" first is {unknown[0]!r}); run `msm4sr keywords`, then `features`"
        )
    return new


def describe(rank: int, one: Recommendation, new: bool) -> list[str]:
    """Describe one recommendation in lines of text."""
    terms = " + ".join(f"{name} {value:.3f}" for name, value in one.by_modality.items())
    marks = ["new"] if new else []
    marks += [f"no {name}: the {OTHER[name]} is used for both" for name in one.missing]
    end = "".join(f"  ({mark})" for mark in marks)
    return [
        f"{rank:>2}. {one.item_id}  score {one.score:.3f} = {terms}{end}",
        *(f"      text:     {sentence}" for sentence in one.sentences[:3]),
        *(f"      keywords: {', '.join(keywords)}" for keywords in one.keywords[:1]),
    ]


def reasons(evidence: list[Evidence], data: Dataset) -> list[str]:
    """Describe the strongest evidence for a recommendation in lines of text."""
    best = strongest_evidence(evidence, 2, {"interaction"})
    best += strongest_evidence(evidence, 1, {"sentence", "image", "keyword"})
    found = [f"because of {describe_evidence(piece, data.items)}" for piece in best]
    return found or [NO_EVIDENCE]
