"""``msm4sr study``: compare models on a shop, with the same data, budget and statistics."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.cli.flags import from_flags
from msm4sr_lite.cli.opening import (
    device_of,
    elsewhere,
    features_folder,
    open_dataset,
    open_features,
    open_sequences,
)
from msm4sr_lite.config import DataConfig, UserError, as_dict
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import write_json
from msm4sr_lite.study.budget import QUICK as SHORT
from msm4sr_lite.study.budget import Budget

if TYPE_CHECKING:
    from msm4sr_lite.study.data import Data
    from msm4sr_lite.study.transfer import Domain

QUICK = [
    "popularity",
    "item_knn",
    "sequential_rules",
    "tfidf_knn",
    "item_knn+tfidf",
    "sasrec",
    "text+image",
    "msm4sr",
]
WORTH = 1.1  # times as many targets: below that the whole shop is not worth a training of its own


def main(args: argparse.Namespace) -> int:
    """Run the parts that were asked for; print their tables or one JSON object."""
    from msm4sr_lite.study.forest import draw
    from msm4sr_lite.study.pages import as_text

    parts = {
        "main": main_table,
        "cold": cold_start,
        "ablations": ablation_table,
        "transfer": transfer,
    }
    wanted = [args.part] if args.part in parts else []
    if args.part == "all":
        wanted = ["main"] if args.quick else [name for name in parts if name != "transfer"]
        wanted += ["transfer"] if args.source or args.target else []
    others = [Path(name).is_dir() for name in split(args.source)]  # not departments of this shop
    if "transfer" in wanted and not (others and (args.target or all(others))):
        raise UserError(
            "a study of transfer goes from one department to another: name both, as in --source"
            " home --target outdoor; or from other shops: --source their/folder,another/folder"
        )
    out = folder(args)
    goods = open_data(args)
    budget = budget_of(args, goods)
    results = {}
    for name in wanted:
        results[name] = parts[name](args, goods, budget, out)
        write_json(out / f"{name}.json", results[name])
        if name == "ablations":
            draw(results[name], out / f"{name}.png")
        if not args.json:
            print(as_text(name, results[name]), end="\n\n")
    if args.part == "tune":
        results["recipes"] = recipes(args, goods, budget, out)
    if args.json:
        print(json.dumps(results))
    say(f"study: results in {out}")
    return 0


def folder(args: argparse.Namespace) -> Path:
    """Return where the study is kept: as asked, else runs/study-SHOP."""
    name = "-".join(filter(None, ("study", args.dataset.resolve().name, args.domain)))
    return args.out or Path("runs") / (name + ("-quick" if args.quick else ""))


def open_data(args: argparse.Namespace) -> Data:
    """Open the shop as all contenders see it."""
    from msm4sr_lite.study.data import Data, described_items
    from msm4sr_lite.study.whole_dataset import whole_dataset

    table, config = open_features(args), from_flags(args, DataConfig())
    sequences = open_sequences(args, table, config)
    dataset, device = open_dataset(args), device_of(args)
    goods = Data(dataset, sequences, table.for_items(sequences.items), device)
    if args.quick or args.part in ("ablations", "transfer"):  # nobody there pre-trains on it
        return goods
    if args.domain:
        dataset = open_dataset(elsewhere(args, domain=""))
    whole = whole_dataset(sequences, dataset.interactions, described_items(dataset, table), config)
    if whole.training_targets() < WORTH * sequences.training_targets():
        return goods
    return replace(goods, whole=Data(dataset, whole, table.for_items(whole.items), device))


def budget_of(args: argparse.Namespace, goods: Data) -> Budget:
    """Return how long everything that learns may learn."""
    asked = from_flags(args, SHORT if args.quick else Budget())
    return asked.fitting(goods.sequences.training_targets())


def about(args: argparse.Namespace, goods: Data, budget: Budget) -> dict[str, Any]:
    """Return what was compared on."""
    import numpy as np

    from msm4sr_lite.cli.evaluate import split_name
    from msm4sr_lite.study.cold_start import cold_items

    config, (users, _) = from_flags(args, DataConfig()), goods.sequences.cases("test")
    _, targets = goods.sequences.held_out("test")
    return {
        "dataset": args.dataset.resolve().name,
        "domain": args.domain,
        "users": len(set(users.tolist())),
        "cases": len(users),
        "items": goods.sequences.n_items,
        "purchases": len(goods.sequences.interactions),
        "cold_cases": int(np.isin(targets, cold_items(goods.sequences)).sum()),
        # Sequences without cuts are tested by their last purchase, whatever was asked for.
        "split": "leave-one-out" if goods.sequences.cuts is None else split_name(config),
        "data": as_dict(config),
        "budget": as_dict(budget),
        "seeds": seeds(args),
        "quick": args.quick,
    }


def seeds(args: argparse.Namespace) -> list[int]:
    """Return the seeds that test; 0 has chosen the settings."""
    if args.seeds < 1:
        raise UserError(f"seeds must be at least 1; got {args.seeds}")
    return list(range(1, 1 + (1 if args.quick else args.seeds)))


def jobs(args: argparse.Namespace) -> int:
    """Return how many trainings run at once."""
    if args.jobs < 1:
        raise UserError(f"jobs must be at least 1; got {args.jobs}")
    return int(args.jobs)


def split(names: str) -> list[str]:
    """Return the names of a comma-separated list.

    >>> split("home, outdoor,")
    ['home', 'outdoor']
    """
    return [name.strip() for name in names.split(",") if name.strip()]


def asked_for(args: argparse.Namespace, known: Iterable[str]) -> list[str]:
    """Return the names in ``--models``, all of them known."""
    known = list(known)
    asked = split(args.models)
    for name in asked:
        if name not in known:
            raise UserError(f"no contender {name!r}; there are {', '.join(known)}")
    return asked


def names(args: argparse.Namespace, goods: Data) -> list[str]:
    """Return who takes part, all of them known and able to."""
    from msm4sr_lite.study.models import (
        MODELS,
        NEEDS,
        able,
        has,
    )

    asked = asked_for(args, MODELS) or (QUICK if args.quick else list(MODELS))
    found = list(able(goods, asked))
    for name in sorted(set(asked) - set(found)):
        missing = [NEEDS[what] for what in MODELS[name].needs if not has(goods, what)]
        say(f"study: {name} left out: the shop has no {' and no '.join(missing)}")
    return found


def recipes(args: argparse.Namespace, goods: Data, budget: Budget, out: Path) -> dict[str, Any]:
    """Return every contender's settings: as given, as frozen before, or chosen now."""
    from msm4sr_lite.study.compare import Comparison, read_recipes
    from msm4sr_lite.study.models import MODELS

    if args.recipes:  # where there is one setting only, there is nothing to have chosen
        only = {n: {"settings": c.grid[0]} for n, c in MODELS.items() if len(c.grid) == 1}
        return only | read_recipes(args.recipes)
    if args.quick:
        return {name: {"settings": one.grid[0]} for name, one in MODELS.items()}
    return Comparison(goods, out, budget, jobs=jobs(args)).tune(names(args, goods))


def main_table(args: argparse.Namespace, goods: Data, budget: Budget, out: Path) -> dict[str, Any]:
    """Compare M²SE with every baseline."""
    from msm4sr_lite.study.compare import Comparison, access_log

    chosen = recipes(args, goods, budget, out)
    study = Comparison(goods, out, budget, jobs=jobs(args))
    found = study.test(names(args, goods), chosen, seeds(args))
    used = {name: chosen[name]["settings"] for name in found}
    return {
        **about(args, goods, budget),
        "recipes": used,
        **study.table(found),
        "upper_bound": study.upper_bound.best,
        "access_log": access_log(out),
    }


def cold_start(args: argparse.Namespace, goods: Data, budget: Budget, out: Path) -> dict[str, Any]:
    """Look at items that nobody has bought, at rare ones, and at customers with few purchases."""
    from msm4sr_lite.study.cold_table import cold_table, with_cold_items
    from msm4sr_lite.study.compare import Comparison, access_log

    chosen = recipes(args, goods, budget, out)  # of the whole shop
    reduced, made = with_cold_items(goods)
    study = Comparison(reduced, out, budget, jobs=jobs(args))
    found = study.test(names(args, reduced), chosen, seeds(args))
    found |= study.upper_bound_runs()
    return {
        **about(args, reduced, budget),
        "taken_out": made,
        **cold_table(reduced, found),
        "access_log": access_log(out),
    }


def ablation_table(
    args: argparse.Namespace, goods: Data, budget: Budget, out: Path
) -> dict[str, Any]:
    """Take one part out of M²SE at a time."""
    from msm4sr_lite.features.table_files import read_keywords
    from msm4sr_lite.study.ablations import ablations, is_main
    from msm4sr_lite.study.compare import Comparison, access_log

    if (where := features_folder(args)).joinpath("keywords.jsonl").is_file():
        goods = replace(goods, keywords=read_keywords(where))
    one = argparse.Namespace(**{**vars(args), "models": "msm4sr"})
    recipe = recipes(one, goods, budget, out)["msm4sr"]
    variants = ablations(args.clip or "", claims_only=args.part == "all")
    chosen = asked_for(args, variants) if args.part == "ablations" else []
    chosen = list(dict.fromkeys(["msm4sr", *chosen])) if chosen else list(variants)
    for name in chosen[1:]:
        if is_main(variants[name], goods, recipe["settings"]):
            say(f"study: {name} left out: the settings chosen for msm4sr say that already")
            chosen.remove(name)
    study = Comparison(goods, out, budget, variants, jobs(args))
    found = study.test(chosen, dict.fromkeys(variants, recipe), seeds(args))
    return {
        **about(args, goods, budget),
        "recipes": {"msm4sr": recipe["settings"]},
        **study.table(found),
        "upper_bound": study.upper_bound.best,
        "access_log": access_log(out),
    }


def transfer(args: argparse.Namespace, goods: Data, budget: Budget, out: Path) -> dict[str, Any]:
    """Pre-train on some shops and use the model in another, with some of its customers."""
    from msm4sr_lite.study.transfer_curve import QUICK as SHORT_CURVE
    from msm4sr_lite.study.transfer_curve import Curve, Protocol

    how_often = len(seeds(args))
    protocol = from_flags(args, SHORT_CURVE if args.quick else Protocol(), seeds=how_often)
    called, sources = [], []
    for name in split(args.source):
        if (dataset := Path(name)).is_dir():
            called.append(dataset.name)
            one = open_domain(args, dataset=dataset, features=dataset / "features", domain="")
        else:
            called.append(name)
            one = open_domain(args, domain=name)
        sources.append(one)
    target = open_domain(args, domain=args.target)
    curve = Curve(sources, target, protocol, out / "transfer", jobs(args), device_of(args))
    return {
        "dataset": args.dataset.resolve().name,
        "quick": args.quick,
        "source": " and ".join(called),
        "target": args.target or "the whole shop",
        "users": len(target[1].users),
        "items": target[1].n_items,
        "protocol": as_dict(protocol),
        **curve.results(),
    }


def open_domain(args: argparse.Namespace, **changes: Any) -> Domain:
    """Open a department or another shop, as this command opens its own."""
    one = elsewhere(args, **changes)
    table = open_features(one)
    open_dataset(one)  # its own errors name the file already
    try:
        sequences = open_sequences(one, table, from_flags(args, DataConfig()))
    except UserError as error:
        raise UserError(f"{one.domain or one.dataset}: {error}") from None
    return table.for_items(sequences.items), sequences
