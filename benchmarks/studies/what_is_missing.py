"""Find out what a trained model has not learned: results by popularity, and with baselines added.

::

    msm4sr study tune DATA --out DIR
    python -m benchmarks.studies.what_is_missing DATA --out DIR [the same settings]

This study made the tables of this name in ``docs/log.md``. It prints NDCG@10 on the
*validation* interactions, with items of the history filtered. There are columns for all cases, and
for targets with few, some and many training interactions. Each model is measured alone, in an
ensemble with TF-IDF neighbours, and in an ensemble with both ItemKNN and TF-IDF neighbours. A
baseline that improves the ensemble knows something that the model has not learned. In the last
rows, the model's probabilities are divided by a power of the item's number of training
interactions, so that popular items are recommended less often. A second table tells for each row,
with its first seed, how many targets it and the ensemble of ItemKNN and TF-IDF have among their
first ten: both of them, one, or neither. The test set is not used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.baselines import fit_baseline
from msm4sr_lite.baselines.ensemble import Probabilities, ScoreEnsemble
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.device import resolve_device
from msm4sr_lite.evaluation import Scorer, metrics, target_ranks
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.store.records import cached_run
from msm4sr_lite.study.compare import CHOICE, read_configs
from msm4sr_lite.study.complementarity import complementarity
from msm4sr_lite.study.config import TrainingBudget
from msm4sr_lite.study.models import MODELS, missing_needs
from msm4sr_lite.study.paired import paired
from msm4sr_lite.study.specs import ModelSpec, Settings, StudyData, prepare

ADDED = ("tfidf_knn", "item_knn+tfidf")  # everything is compared with the last one
ALONE = ("popularity", "item_knn", *ADDED)
TRAINED = ("text", "text+image", "msm4sr", "msm4sr_tuned")
POWERS = (0.25, 0.5)  # 1 would rank by a user's preference relative to that of all users
THIRDS = ("few", "some", "many")
FLAGS: dict[type[DataConfig] | type[TrainingBudget], tuple[str, ...]] = {
    DataConfig: ("min_user_interactions", "min_item_interactions", "n_test"),
    TrainingBudget: ("batch_size", "pretrain_epochs", "finetune_epochs", "patience"),
}

Ranks = dict[str, list[np.ndarray]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, rank, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.what_is_missing")
    parser.add_argument("dataset", type=Path, help="dataset folder")
    parser.add_argument("--domain", default="")
    parser.add_argument("--features", type=Path, help="default: DATA/features")
    parser.add_argument("--out", type=Path, required=True, help="study folder")
    parser.add_argument("--configs", type=Path, help="chosen settings (default: OUT/configs.json)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    for config, names in FLAGS.items():
        for name in names:
            default = getattr(config(), name)
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    args = parser.parse_args(arguments)
    settings, budget = (
        config(**{name: getattr(args, name) for name in names}) for config, names in FLAGS.items()
    )
    dataset = Dataset.from_folder(args.dataset, domain=args.domain)
    table = load_feature_table(args.features or args.dataset / "features")
    data = prepare(dataset, table, cast(DataConfig, settings), resolve_device(args.device))
    budget = cast(TrainingBudget, budget).for_targets(data.sequences.training_targets())
    configs = read_configs(args.configs or args.out / "configs.json")
    seeds = list(range(1, 1 + args.seeds))
    ranks = all_ranks(data, configs, budget, seeds, args.out / "runs")
    users, _ = data.sequences.cases("valid")
    _, targets = data.sequences.held_out("valid")
    print(comparison_table(ranks, users, data.sequences.item_counts()[targets]))
    if ADDED[-1] in ranks:
        print(f"\n{overlap_table(ranks)}")


def all_ranks(
    data: StudyData,
    configs: dict[str, Settings],
    budget: TrainingBudget,
    seeds: Sequence[int],
    runs: Path,
) -> Ranks:
    """Return the ranks of the validation targets: for each row of the table and each seed."""
    names = [name for name in (*ALONE, *TRAINED) if not missing_needs(MODELS[name], data)]
    if missing := [name for name in names if name not in configs]:
        raise UserError(
            f"no chosen settings for {', '.join(missing)}; run `msm4sr study tune` first"
        )
    chosen = {name: configs[name]["settings"] for name in names}
    fitted = {
        name: fit_baseline(name, data.baseline_data, **chosen[name])
        for name in names
        if name in ALONE
    }
    found = {name: [validation_ranks(data, scorer)] for name, scorer in fitted.items()}
    added = {name: chosen[name] for name in ADDED if name in names}
    for name in (name for name in names if name in TRAINED):
        settings = {**budget.settings(), **chosen[name]}
        for seed in seeds:
            made_from = [repr(MODELS[name]), settings, seed, added, POWERS, data.made_from]
            make = partial(ranks_of_model, data, name, settings, seed, fitted, runs)
            result = cached_run(runs, f"missing-{name}-{seed}", made_from, make)
            for row, ranks in result["ranks"].items():
                found.setdefault(row, []).append(np.array(ranks))
    return found


def ranks_of_model(
    data: StudyData,
    name: str,
    settings: Settings,
    seed: int,
    fitted: dict[str, Scorer],
    folder: Path,
) -> dict[str, dict[str, list[int]]]:
    """Train one model; return its ranks alone, in ensembles, and divided by popularity."""
    spec = cast(ModelSpec, MODELS[name])
    alone = spec.fit(data, settings, seed, folder / "states")
    likely = Probabilities(alone, spec.config(data, settings).finetune.temperature)
    rows: dict[str, Scorer] = {name: alone}
    for other in ADDED:
        if other in fitted:
            parts = {name: likely, other: fitted[other]}
            rows[f"{name} + {other}"] = ScoreEnsemble(parts, dict.fromkeys(parts, 1.0))
    for power in POWERS:
        rows[f"{name} / interactions^{power}"] = LessPopular(data, likely, power)
    return {"ranks": {row: validation_ranks(data, scorer).tolist() for row, scorer in rows.items()}}


class LessPopular:
    """Probabilities divided by a power of one more than the item's training interactions."""

    def __init__(self, data: StudyData, likely: Probabilities, power: float) -> None:
        self.likely = likely
        self.divisor = torch.from_numpy((1.0 + data.sequences.item_counts()) ** power)

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return a score for each item."""
        return self.likely.score(histories) / self.divisor


def validation_ranks(data: StudyData, scorer: Scorer) -> np.ndarray:
    """Return the rank of each validation target, items of the history filtered."""
    return target_ranks(scorer, *data.sequences.held_out("valid"), filter_seen=True)


def comparison_table(ranks: Ranks, users: np.ndarray, counts: np.ndarray) -> str:
    """Return the table as Markdown.

    Parameters
    ----------
    ranks
        For each row the ranks of each seed.
    users
        The user of each validation case.
    counts
        Training interactions of each target, which divide the cases into thirds.
    """
    first, second = np.floor(np.quantile(counts, [1 / 3, 2 / 3])).astype(int)
    parts = [counts <= first, (counts > first) & (counts <= second), counts > second]
    heads = [f"{third}, {part.sum()} cases" for third, part in zip(THIRDS, parts, strict=True)]
    lines = [
        f"Few: up to {first} training interactions, some: up to {second}, many: more.",
        "",
        f"| | all | {' | '.join(heads)} | all, difference to {ADDED[-1]} |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in ranks.items():
        values = np.mean([metrics(one)[CHOICE] for one in runs], axis=0)
        cells = [f"{values[part].mean():.4f}" for part in [slice(None), *parts]]
        gain = ""
        if ADDED[-1] in ranks and name != ADDED[-1]:
            change = paired(runs, ranks[ADDED[-1]], users)[CHOICE]
            gain = f"{change['value']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]"
        lines.append(f"| {name} | {' | '.join(cells)} | {gain} |")
    return "\n".join(lines)


def overlap_table(ranks: Ranks) -> str:
    """Return each row's ``complementarity`` with the last of ``ADDED``, as Markdown."""
    lines = [
        f"| | both | only it | only {ADDED[-1]} | neither | union |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in ranks.items():
        shares = complementarity(runs[0], ranks[ADDED[-1]][0], k=10).values()
        lines.append(f"| {name} | {' | '.join(f'{share:.3f}' for share in shares)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
