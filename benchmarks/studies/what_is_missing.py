"""What a trained model lacks: look at it by popularity, and add words and counts to it.

::

    msm4sr study tune SHOP --out DIR
    python -m benchmarks.studies.what_is_missing SHOP --out DIR [settings as above]

Prints NDCG@10 on the *validation* purchases, history masked: of all, and of those whose item was
bought seldom, sometimes and often in training. Each model stands alone, with TF-IDF neighbours
added to what it thinks probable, and with the hand-made sum of these and item-to-item counts added.
What helps a model when it is added, the model has not learnt. In its last rows what it thinks
probable is divided by a power of how often the item was bought, lest it only names best-sellers.
The test is not opened.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.baselines import Probabilities, ScoreEnsemble, fit_baseline
from msm4sr_lite.cli import build_parser
from msm4sr_lite.cli.study import (
    budget_of,
    folder,
    open_data,
    seeds,
)
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import Scorer, metrics, target_ranks
from msm4sr_lite.store.cached_runs import Runs
from msm4sr_lite.study.budget import Budget
from msm4sr_lite.study.compare import CHOICE, read_recipes
from msm4sr_lite.study.data import Data
from msm4sr_lite.study.models import (
    MODELS,
    Model,
    Settings,
    able,
)
from msm4sr_lite.study.paired import paired

ADDED = ("tfidf_knn", "item_knn+tfidf")  # the last one is what all are compared with
ALONE = ("popularity", "item_knn", *ADDED)
TRAINED = ("text", "text+image", "msm4sr", "msm4sr_tuned")
POWERS = (0.25, 0.5)  # 1 would ask for what this customer likes more than others do
THIRDS = ("seldom", "sometimes", "often")

Ranks = dict[str, list[np.ndarray]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, rank, print the table."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    # As for ablations: nothing here pre-trains on the whole shop, so that is not made ready.
    args = build_parser().parse_args(["study", "ablations", *words])
    goods, out = open_data(args), folder(args)
    recipes = read_recipes(args.recipes or out / "recipes.json")
    ranks = all_ranks(goods, recipes, budget_of(args, goods), seeds(args), Runs(out / "runs"))
    users, _ = goods.sequences.cases("valid")
    _, targets = goods.sequences.held_out("valid")
    print(table(ranks, users, goods.bought[targets]))


def all_ranks(
    goods: Data, recipes: dict[str, Settings], budget: Budget, tried: Sequence[int], runs: Runs
) -> Ranks:
    """Return the ranks of the validation items: of every row of the table, for every seed."""
    names = list(able(goods, [*ALONE, *TRAINED]))
    if missing := [name for name in names if name not in recipes]:
        raise UserError(f"no recipe for {', '.join(missing)}; run `msm4sr study tune` first")
    chosen = {name: recipes[name]["settings"] for name in names}
    fitted = {
        name: fit_baseline(name, goods.baseline_data, **chosen[name])
        for name in names
        if name in ALONE
    }
    found = {name: [ranks_of(goods, scorer)] for name, scorer in fitted.items()}
    added = {name: chosen[name] for name in ADDED if name in names}
    for name in (name for name in names if name in TRAINED):
        settings = {**budget.settings(), **chosen[name]}
        for seed in tried:
            made_from = [repr(MODELS[name].make), settings, seed, added, POWERS, *goods.facts]
            make = partial(trained, goods, name, settings, seed, fitted, runs.folder / "states")
            result = runs.get(f"missing-{name}-{seed}", made_from, make)
            for row, ranks in result["ranks"].items():
                found.setdefault(row, []).append(np.array(ranks))
    return found


def trained(
    goods: Data,
    name: str,
    settings: Settings,
    seed: int,
    fitted: dict[str, Scorer],
    states: Path,
) -> dict[str, dict[str, list[int]]]:
    """Train one model; return its ranks alone and with what can be added."""
    model = cast(Model, MODELS[name].make)
    alone = model(goods, settings, seed, states)
    likely = Probabilities(alone, model.config(goods, settings).finetune.temperature)
    sums = {
        f"{name} + {other}": ScoreEnsemble(fitted[other], likely, 1.0)
        for other in ADDED
        if other in fitted
    }
    fair = {f"{name} / purchases^{power}": LessPopular(goods, likely, power) for power in POWERS}
    rows = {name: alone, **sums, **fair}
    return {"ranks": {row: ranks_of(goods, scorer).tolist() for row, scorer in rows.items()}}


class LessPopular:
    """Probabilities, divided by a power of one more than an item's purchases in training."""

    def __init__(self, goods: Data, likely: Probabilities, power: float) -> None:
        self.likely, self.divisor = likely, torch.from_numpy((1.0 + goods.bought) ** power)

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return a score for every item."""
        return self.likely.score(histories) / self.divisor


def ranks_of(goods: Data, scorer: Scorer) -> np.ndarray:
    """Return the rank of every validation item, history masked."""
    return target_ranks(scorer, *goods.sequences.held_out("valid"), filter_seen=True)


def table(ranks: Ranks, users: np.ndarray, bought: np.ndarray) -> str:
    """Return the table as Markdown.

    Parameters
    ----------
    ranks
        Of every row, for every seed.
    customers
        Whose purchase each case is.
    bought
        How often each case's item was bought in training; the cases are cut into three by it.
    """
    first, second = np.floor(np.quantile(bought, [1 / 3, 2 / 3])).astype(int)
    parts = [bought <= first, (bought > first) & (bought <= second), bought > second]
    heads = [f"{third}, {part.sum()} cases" for third, part in zip(THIRDS, parts, strict=True)]
    lines = [
        f"Seldom: up to {first} purchases in training, sometimes: up to {second}, often: more.",
        "",
        f"| | all | {' | '.join(heads)} | all, less {ADDED[-1]} |",
        "|---|---|---|---|---|---|",
    ]
    for name, own in ranks.items():
        values = np.mean([metrics(one)[CHOICE] for one in own], axis=0)
        shown = [f"{values[part].mean():.4f}" for part in [slice(None), *parts]]
        gain = ""
        if ADDED[-1] in ranks and name != ADDED[-1]:
            change = paired(own, ranks[ADDED[-1]], users)[CHOICE]
            gain = f"{change['value']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]"
        lines.append(f"| {name} | {' | '.join(shown)} | {gain} |")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
