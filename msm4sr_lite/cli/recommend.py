"""``msm4sr recommend``: what a customer may want next, with what describes it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from msm4sr_lite.cli.opening import device_of, features_folder, model_folder, open_shop, trained_on
from msm4sr_lite.config import UserError


def main(args: argparse.Namespace) -> int:
    """Print recommendations."""
    if args.k < 1:
        raise UserError(f"-k must be at least 1; got {args.k}")
    folder = model_folder(args.model)
    args.department = args.department or trained_on(folder)[1]["department"]
    shop = open_shop(args)

    from msm4sr_lite.recommend import Recommender

    recommender = Recommender.load(shop, folder, features_folder(args), device_of(args))
    if args.user:
        bought = shop.history(args.user)
        found = recommender.for_user(args.user, args.k)
    else:
        bought = [item.strip() for item in args.basket.split(",") if item.strip()]
        found = recommender.for_basket(bought, args.k)
    if args.json:
        print(json.dumps({"bought": bought, "recommendations": [asdict(r) for r in found]}))
        return 0
    print("bought, newest last:")
    for item_id in bought[-5:]:
        item = shop.items.get(item_id)
        print(f"  {item_id}  {item.title if item else ''}")
    for place, r in enumerate(found, start=1):
        terms = " + ".join(f"{view} {value:.3f}" for view, value in r.by_view.items())
        print(f"\n{place:>2}. {r.item_id}  score {r.score:.3f} = {terms}")
        for sentence in r.sentences[:3]:
            print(f"      text:     {sentence}")
        for words in r.keywords[:1]:
            print(f"      keywords: {', '.join(words)}")
    return 0
