"""``msm4sr recommend``: recommend items for users or for a history, with reasons."""

import argparse
from dataclasses import asdict
from typing import Any

from msm4sr_lite.baselines.ensemble import MAIN
from msm4sr_lite.cli import common
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.explain.evidence import (
    NO_EVIDENCE,
    Evidence,
    describe_evidence,
    item_title,
    strongest_evidence,
)
from msm4sr_lite.pipeline import MSM4SR
from msm4sr_lite.printable import counted, with_first
from msm4sr_lite.progress import say
from msm4sr_lite.recommend.describe import Recommendation
from msm4sr_lite.recommend.output import check_output_path, write_recommendations

OTHER = {"text": "image", "image": "text"}
LAST = 5  # items of the history that are printed
WHY = "because: by how much each input changes {}score (with it, minus without it)"


def run(args: argparse.Namespace) -> None:
    """Print recommendations, or write those of all users to a file."""
    if args.all_users:
        check_output_path(args.all_users)
    if args.items is not None and args.on_unknown_user:
        raise UserError("--on-unknown-user has no effect with --items; leave it out")
    if args.text_encoder is not None and args.why != "keywords":
        raise UserError("--text-encoder has no effect without --why keywords; leave it out")
    options: dict[str, Any] = {
        "k": args.k,
        "filter_seen": not args.keep_seen,
        "candidates": common.read_ids(args.candidates),
        "exclude": common.read_ids(args.exclude),
    }
    model = MSM4SR.from_pretrained(args.model, features=args.features, device=args.device)
    model.text_encoder = args.text_encoder or model.text_encoder
    options["data"] = data = common.read_dataset(args, model.domain, columns=model.columns)
    new = [] if args.no_new_items else add_new_items(model, data, args)
    if args.all_users:
        found = model.recommend(**options, on_unknown_user=args.on_unknown_user or "popular")
        write_recommendations(found, args.all_users)
        users = int(found["user_id"].nunique())
        summary = {"file": str(args.all_users), "users": users, "rows": len(found)}
        text = f"{args.all_users}: {counted(len(found), 'row')} for {counted(users, 'user')}"
        return common.show(args, summary, text)
    if args.user is not None:
        accepted = args.on_unknown_user in ("popular", "skip")
        unknown = args.user not in data.users
        history = [] if unknown and accepted else model.history_of(args.user, data)
        if accepted and not len(model.recommender.known_items(history)):
            return show_unknown_user(model, history, args, options)
    else:
        history = model.as_history(common.item_list(args.items))
        model.recommender.numbers_of(history)  # refuses unknown items
    best = model.describe(history, **options)
    why: list[list[Evidence]] = []
    if args.why and best:
        ids = [one.item_id for one in best]
        why = model.evidence(history, ids, data=data, keywords=args.why == "keywords")
    records = [asdict(one) | {"new": one.item_id in new} for one in best]
    for record, evidence in zip(records, why, strict=False):
        record["why"] = [asdict(piece) for piece in evidence]
    lines = [*describe_history(history, data), *(why_line(best[0]) if any(why) else [])]
    for rank, one in enumerate(best, start=1):
        lines += ["", *describe(rank, one, one.item_id in new)]
        because = reasons(why[rank - 1], data) if why else []
        lines += [f"      because:  {reason}" for reason in because]
    common.show(args, {"history": history, "recommendations": records}, lines)


def show_unknown_user(
    model: MSM4SR, history: list[str], args: argparse.Namespace, options: dict[str, Any]
) -> None:
    """Print popular items, or none, for a user whose history has no item that the model knows."""
    found = model.recommend(args.user, on_unknown_user=args.on_unknown_user, **options)
    best = found[["item_id", "score"]].to_dict("records")
    items = options["data"].items
    lines = [
        f"{rank:>2}. {one['item_id']}  interactions {one['score']:g}  "
        f"{item_title(items, one['item_id'])}"
        for rank, one in enumerate(best, start=1)
    ]
    popular = args.on_unknown_user == "popular"
    title = f"user {args.user!r}: {'the most popular items' if popular else 'skipped'}"
    common.show(args, {"history": history, "recommendations": best}, [title, *lines])


def add_new_items(model: MSM4SR, data: Dataset, args: argparse.Namespace) -> list[str]:
    """Add items to the model that came after training; return their ids and print notes."""
    beside = [args.model / "features", args.model.parent / "features"]
    there = [folder for folder in beside if (folder / "manifest.json").exists()]
    folder = args.features or (there or beside)[0]
    new, unknown = model.add_known_features(data, folder)
    if new:
        what = f"items that are new to the model: {with_first(new)}; texts and images are scored"
        say(f"note: {what} (--no-new-items leaves them out)")
    if unknown:
        say(
            f"note: items without usable features in {folder}: {len(unknown)} (the first is"
            f" {unknown[0]!r}), not recommended and not counted in histories; run `msm4sr keywords`"
            f" and `features` with the encoders and the dictionary of this run"
        )
    return new


def describe_history(history: list[str], data: Dataset) -> list[str]:
    """Describe the newest items in lines of text, numbered as the reasons refer to them."""
    shown, n = history[-LAST:], len(history)
    some = f" (last {len(shown)} of {n})" if n > len(shown) else ""
    lines = [f"history, newest last{some}:"]
    for k, item in enumerate(shown, n - len(shown) + 1):
        lines.append(f"  {k:>{len(str(n))}}  {item}  {item_title(data.items, item)}")
    return lines


def describe(rank: int, one: Recommendation, new: bool) -> list[str]:
    """Describe one recommendation in lines of text."""
    both = ([f"{n} {v:.3f}" for n, v in t.items()] for t in (one.by_part, one.by_modality))
    parts, modalities = map(" + ".join, both)
    marks = [f"neural model: {modalities}"] if parts else []
    marks += ["new"] if new else []
    marks += [f"no {name}: the {OTHER[name]} is used for both" for name in one.missing]
    end = "".join(f"  ({mark})" for mark in marks)
    return [
        f"{rank:>2}. {one.item_id}  score {one.score:.3f} = {parts or modalities}{end}",
        *(f"      text:     {sentence}" for sentence in one.sentences[:3]),
        *(f"      keywords: {', '.join(keywords)}" for keywords in one.keywords[:1]),
    ]


def why_line(one: Recommendation) -> list[str]:
    """Say what the reasons are about; in an ensemble, about the neural model alone."""
    whose = "the neural model's " if one.by_part else "the "
    unused = f"note: {MAIN}, the neural model, has no weight in this ensemble"
    return [WHY.format(whose), *([unused] if one.by_part and MAIN not in one.by_part else [])]


def reasons(evidence: list[Evidence], data: Dataset) -> list[str]:
    """Describe the strongest evidence for a recommendation in lines of text."""
    best = strongest_evidence(evidence, 2, {"interaction"})
    best += strongest_evidence(evidence, 1, {"sentence", "image", "keyword"})
    found = [describe_evidence(piece, data.items) for piece in best]
    return found or [NO_EVIDENCE]
