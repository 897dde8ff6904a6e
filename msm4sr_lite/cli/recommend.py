"""``msm4sr recommend``: what a customer may want next, with what describes it, and why."""

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
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.explain.evidence import Evidence
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

    from msm4sr_lite.features.table_files import load_feature_table
    from msm4sr_lite.recommend.recommender import Recommender

    features = features_folder(args)
    table = load_feature_table(features)
    require_encoder(table, record, folder)
    recommender = Recommender.load(dataset, folder, features, device_of(args))
    new = set() if args.no_new_items else add_new_items(recommender, table, features)
    if args.user:
        bought = dataset.user_history(args.user)
        found = recommender.for_user(args.user, args.k)
    else:
        bought = [item.strip() for item in args.basket.split(",") if item.strip()]
        found = recommender.for_basket(bought, args.k)
    items = [r.item_id for r in found]
    why = _evidence(recommender, table, bought, items, args.why) if args.why else None
    if args.json:
        records = [asdict(r) | {"new": r.item_id in new} for r in found]
        for record, pieces in zip(records, why or (), strict=False):
            record["why"] = [asdict(piece) for piece in pieces]
        print(json.dumps({"bought": bought, "recommendations": records}))
        return 0
    print("bought, newest last:")
    for item_id in bought[-5:]:
        item = dataset.items.get(item_id)
        _say(f"  {item_id}  {item.title if item else ''}")
    described = table.for_items(["", *items])
    for place, r in enumerate(found, start=1):
        terms = " + ".join(f"{modality} {value:.3f}" for modality, value in r.by_modality.items())
        mark = "  (new)" if r.item_id in new else ""
        for modality, other in (("text", "image"), ("image", "text")):
            if len(r.by_modality) == 2 and not getattr(described, modality).counts[place]:
                mark += f"  (no {modality}: its {other} stands for it)"
        _say(f"{place:>2}. {r.item_id}  score {r.score:.3f} = {terms}{mark}", above=1)
        for sentence in r.sentences[:3]:
            _say(f"      text:     {sentence}")
        for words in r.keywords[:1]:
            _say(f"      keywords: {', '.join(words)}")
        if why:
            for line in _reasons(why[place - 1], dataset):
                _say(f"      because {line}")
    return 0


def add_new_items(recommender: Recommender, table: FeatureTable, features: Path) -> set[str]:
    """Let the model recommend what the shop has got since the training, if it has features.

    Returns the ids of these items. Standard error tells how many there are, and how many have no
    features yet.
    """
    missing = [item for item in recommender.dataset.items if item not in recommender.number]
    described = set(table.described())
    new = [item for item in missing if item in described]
    if new:
        recommender.add_items(table.for_items(["", *new]))
        print(
            f"note: {len(new)} items of the shop are new to the model (the first is {new[0]!r});"
            f" they are recommended by their texts and pictures (--no-new-items: not at all)",
            file=sys.stderr,
        )
    if unread := set(missing) - set(table.items):
        print(
            f"note: {len(unread)} items of the shop have no features in {features} and are not"
            f" recommended (the first is {min(unread)!r}); run `msm4sr features` again",
            file=sys.stderr,
        )
    return set(new)


def _evidence(
    recommender: Recommender, table: FeatureTable, bought: list[str], items: list[str], why: str
) -> list[list[Evidence]]:
    from msm4sr_lite.explain.evidence import Explainer
    from msm4sr_lite.explain.rereading import read_without_words, table_encoder

    without = None
    if why == "words":
        encoder = table_encoder(table.manifest, recommender.scorer.device)
        without = read_without_words(encoder, recommender.keywords, [*bought, *items])
    return Explainer(recommender, table).explain(bought, items, without=without)


def _reasons(pieces: list[Evidence], dataset: Dataset) -> list[str]:
    from msm4sr_lite.explain.evidence import in_words, strongest

    best = strongest(pieces, 2, {"purchase"}) + strongest(
        pieces, 1, {"sentence", "picture", "word"}
    )
    return [in_words(piece, dataset) for piece in best] or ["of nothing that could be left out"]


def _say(line: str, above: int = 0) -> None:
    print("\n" * above + line.translate(_CONTROL))
