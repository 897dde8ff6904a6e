"""``msm4sr recommend``: recommendations for one user or one history, with reasons."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from msm4sr_lite.cli.opening import (
    device_of,
    features_folder,
    model_folder,
    open_dataset,
    require_encoder,
    trained_on,
)
from msm4sr_lite.config import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.explain.evidence import Evidence
    from msm4sr_lite.explain.explainer import Explainer
    from msm4sr_lite.feature_table import FeatureTable
    from msm4sr_lite.recommend.recommender import Recommender

# Control characters, which could move the cursor or recolour the terminal.
_CONTROL = dict.fromkeys([*range(32), *range(127, 160)], "\ufffd")


def main(args: argparse.Namespace) -> int:
    """Print recommendations."""
    if args.k < 1:
        raise UserError(f"-k must be at least 1; got {args.k}")
    folder = model_folder(args.model)
    record = trained_on(folder)[1]
    args.domain = args.domain or record["domain"]
    dataset = open_dataset(args)

    from msm4sr_lite.explain.explainer import Explainer
    from msm4sr_lite.features.table_files import load_feature_table, read_keywords
    from msm4sr_lite.recommend.recommender import Recommender

    features = features_folder(args)
    table = load_feature_table(features)
    require_encoder(table, record, folder)
    recommender = Recommender.load(folder, features, device_of(args))
    new = set()
    if not args.no_new_items:
        new = add_new_items(recommender, table, dataset.items, features)
    explainer = Explainer(recommender, table, dataset.items, read_keywords(features))
    if args.user:
        history = dataset.history(args.user)
    else:
        history = [item.strip() for item in args.basket.split(",") if item.strip()]
        recommender.numbers_of(history)
    found = explainer.recommend(history, args.k)
    items = [r.item_id for r in found]
    why = _evidence(explainer, history, items, args.why) if args.why else None
    if args.json:
        records = [asdict(r) | {"new": r.item_id in new} for r in found]
        for record, pieces in zip(records, why or (), strict=False):
            record["why"] = [asdict(piece) for piece in pieces]
        print(json.dumps({"history": history, "recommendations": records}))
        return 0
    print("history, newest last:")
    for item_id in history[-5:]:
        item = dataset.items.get(item_id)
        _say(f"  {item_id}  {item.title if item else ''}")
    described = table.for_items(["", *items])
    for rank, r in enumerate(found, start=1):
        terms = " + ".join(f"{modality} {value:.3f}" for modality, value in r.by_modality.items())
        mark = "  (new)" if r.item_id in new else ""
        for modality, other in (("text", "image"), ("image", "text")):
            if len(r.by_modality) == 2 and not getattr(described, modality).counts[rank]:
                mark += f"  (no {modality}: the {other} is used for both)"
        _say(f"{rank:>2}. {r.item_id}  score {r.score:.3f} = {terms}{mark}", above=1)
        for sentence in r.sentences[:3]:
            _say(f"      text:     {sentence}")
        for words in r.keywords[:1]:
            _say(f"      keywords: {', '.join(words)}")
        if why:
            for line in _reasons(why[rank - 1], dataset):
                _say(f"      {line}")
    return 0


def add_new_items(
    recommender: Recommender, table: FeatureTable, items: Iterable[str], features: Path
) -> set[str]:
    """Let the model recommend the dataset's items that are new since its training.

    Returns the ids of these items. A note on standard error says how many there are, and how many
    have no features yet.
    """
    missing = [item for item in items if item not in recommender.item_number]
    described = set(table.described())
    new = [item for item in missing if item in described]
    if new:
        recommender.add_items(table.for_items(["", *new]))
        print(
            f"note: {len(new)} items of the dataset are new to the model (the first is {new[0]!r});"
            f" they are recommended from their texts and images (--no-new-items: not at all)",
            file=sys.stderr,
        )
    if unread := set(missing) - set(table.items):
        print(
            f"note: {len(unread)} items of the dataset have no features in {features} and are not"
            f" recommended (the first is {min(unread)!r}); run `msm4sr features` again",
            file=sys.stderr,
        )
    return set(new)


def _evidence(
    explainer: Explainer, history: list[str], items: list[str], why: str
) -> list[list[Evidence]]:
    from msm4sr_lite.explain.keyword_deletion import embed_keyword_deletions, load_table_encoder

    deletions = None
    if why == "words":
        encoder = load_table_encoder(explainer.table.manifest, explainer.scorer.device)
        deletions = embed_keyword_deletions(encoder, explainer.keywords, [*history, *items])
    return explainer.explain_many(history, items, keyword_deletions=deletions)


def _reasons(pieces: list[Evidence], dataset: Dataset) -> list[str]:
    from msm4sr_lite.explain.evidence import NO_EVIDENCE, describe_evidence, strongest_evidence

    best = strongest_evidence(pieces, 2, {"interaction"})
    best += strongest_evidence(pieces, 1, {"sentence", "image", "keyword"})
    lines = [f"because of {describe_evidence(piece, dataset.items)}" for piece in best]
    return lines or [NO_EVIDENCE]


def _say(line: str, above: int = 0) -> None:
    print("\n" * above + line.translate(_CONTROL))
