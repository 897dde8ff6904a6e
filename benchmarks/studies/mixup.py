"""Find out what mixup is for: models with and without it, when modalities are missing or exchanged.

::

    python -m benchmarks.studies.mixup DATA --out DIR --preset tuned --seeds 5

Mixup exchanges text and image embeddings in pre-training. Each model is trained on the data as they
are, once with mixup and once without. It is then evaluated on the test part with changed items:
without any text, without any image, with text and image features exchanged for a share of the items
(everywhere), or with their embeddings exchanged in the histories only, as mixup does. The settings
are those of the preset, so nothing is chosen. Finished trainings are kept in DIR and not repeated;
the result is DIR/mixup.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite import __version__
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import gather_rows
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.mixup import complementary_mixup
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import PAD, pad
from msm4sr_lite.similarity import cosine_scores
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.records import cached_run, log_access
from msm4sr_lite.study.config import TrainingBudget
from msm4sr_lite.study.paired import holm, paired, with_seeds
from msm4sr_lite.study.specs import ModelSpec, StudyData, prepare

VARIANTS: dict[str, dict[str, Any]] = {
    "with mixup": {},
    "without mixup": {"pretrain.mixup_max": 0.0},
}
STAGES = {"pre-trained": False, "fine-tuned": True}  # whether the model is fine-tuned
SHARES = (0.25, 0.5, 1.0)
UNCHANGED = "unchanged"
METRICS = ("ndcg@10", "recall@20")


def changed_tables(table: FeatureTable, seed: int) -> dict[str, FeatureTable]:
    """Return the features as they are, without a modality, and with both exchanged."""

    def without(slots: Slots) -> Slots:
        return replace(slots, counts=torch.zeros_like(slots.counts))

    found = {UNCHANGED: table}
    found["no text"] = replace(table, text=without(table.text))
    found["no image"] = replace(table, image=without(table.image))
    for share in SHARES:
        found[f"exchanged: {share:.0%}"] = exchange(table, choose(table, share, seed))
    return found


def choose(table: FeatureTable, share: float, seed: int) -> Tensor:
    """Return which items are chosen: about a share of them, and of one seed more with a larger."""
    return torch.from_numpy(np.random.default_rng(seed).random(len(table.items)) < share)


class MixedHistories:
    """Scorer that reads z_t and z_v of the chosen items exchanged; the items it ranks are not."""

    def __init__(self, scorer: ModelScorer, chosen: Tensor) -> None:
        self.scorer, self.chosen = scorer, chosen

    @torch.inference_mode()
    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the sum of the cosines for all items, ``(histories, items + 1)``."""
        model, offered = self.scorer.model, self.scorer.items
        items = pad(histories, model.config.max_len)
        swaps, z = self.chosen[items], gather_rows(offered, items)
        text, image = complementary_mixup(z["text"], z["image"], swaps)
        h = model.encode({"text": text, "image": image})
        rows, last = torch.arange(len(items)), (items != PAD).sum(dim=1) - 1
        cosines = [cosine_scores(h[m][rows, last], z) for m, z in offered.items()]
        return torch.stack(cosines).sum(dim=0)


def exchange(table: FeatureTable, chosen: Tensor) -> FeatureTable:
    """Return a table in which the text and image embeddings of the chosen items are exchanged."""

    def mixed(one: Slots, other: Slots) -> Slots:
        starts = torch.where(chosen, other.starts + len(one.vectors), one.starts)
        counts = torch.where(chosen, other.counts, one.counts)
        return Slots(torch.cat([one.vectors, other.vectors]), starts, counts)

    text, image = table.text, table.image
    return replace(table, text=mixed(text, image), image=mixed(image, text))


def ranks_of(
    data: StudyData, spec: ModelSpec, settings: dict[str, Any], seed: int, states: Path
) -> dict[str, Any]:
    """Train one variant; return the ranks of all test targets by stage and change of features."""
    cases, found = data.sequences.held_out("test"), dict[str, list[int]]()
    for stage, finetunes in STAGES.items():
        scorer = replace(spec, finetunes=finetunes).fit(data, settings, seed, states)
        assert isinstance(scorer, ModelScorer)
        for change, table in changed_tables(data.table, seed).items():
            other = ModelScorer(scorer.model, table, data.device)
            found[f"{stage}, {change}"] = target_ranks(other, *cases, filter_seen=True).tolist()
        for share in SHARES:
            mixed = MixedHistories(scorer, choose(data.table, share, seed))
            key = f"{stage}, mixed histories: {share:.0%}"
            found[key] = target_ranks(mixed, *cases, filter_seen=True).tolist()
    return {"ranks": found}


def measure(data: StudyData, out: Path, preset: str, seeds: int, budget: Any) -> dict[str, Any]:
    """Train all variants with all seeds; return metrics, losses and differences."""
    budget = budget.for_targets(data.sequences.training_targets())
    about = {"preset": preset, "seeds": list(range(1, seeds + 1)), "budget": asdict(budget)}
    log_access(out, {**about, "data": data.made_from, "version": __version__})
    ranks: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in VARIANTS}
    for seed, (name, own) in product(about["seeds"], VARIANTS.items()):
        spec, settings = ModelSpec(preset=preset, settings=own), budget.settings()
        made_from = [repr(spec), settings, seed, data.made_from]
        make = partial(ranks_of, data, spec, settings, seed, out / "states")
        run = cached_run(out / "runs", f"{name}-{seed}", made_from, make)
        for key, values in run["ranks"].items():
            ranks[name].setdefault(key, []).append(np.array(values))
    users, _ = data.sequences.cases("test")
    with_mixup, without = VARIANTS
    keys = list(ranks[with_mixup])
    changes = {key: paired(ranks[with_mixup][key], ranks[without][key], users) for key in keys}
    for metric in METRICS:
        found = [change[metric] for change in changes.values()]
        for one, p in zip(found, holm([one["p"] for one in found]), strict=True):
            one["p_holm"] = p
    before = {key: f"{key.split(', ')[0]}, {UNCHANGED}" for key in keys}
    return {
        "dataset": data.dataset.name,
        "domain": data.dataset.domain,
        "users": len(set(users.tolist())),
        "cases": len(users),
        "items": data.sequences.n_items,
        **about,
        "models": {
            name: {key: summary(each[key], users) for key in keys} for name, each in ranks.items()
        },
        "loss_by_change": {
            name: {
                key: paired(each[key], each[before[key]], users)
                for key in keys
                if key != before[key]
            }
            for name, each in ranks.items()
        },
        "with_minus_without": changes,
    }


def summary(ranks: list[np.ndarray], users: np.ndarray) -> dict[str, Any]:
    """Return the metrics of one model, a result per seed, with their intervals."""
    found = with_seeds([metrics(one) for one in ranks], users)
    return {metric: found[metric] for metric in METRICS}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, evaluate, write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path, help="dataset folder")
    parser.add_argument("--domain", default="")
    parser.add_argument("--features", type=Path, help="default: DATA/features")
    parser.add_argument("--out", type=Path, required=True, help="study folder")
    parser.add_argument("--preset", default="tuned")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--min-item-interactions", type=int, default=0)
    parser.add_argument("--n-test", type=int, default=1)
    parser.add_argument("--epochs", type=int, nargs=2, metavar=("PRETRAIN", "FINETUNE"))
    args = parser.parse_args(arguments)
    split = DataConfig(min_item_interactions=args.min_item_interactions, n_test=args.n_test)
    dataset = Dataset.from_folder(args.dataset, domain=args.domain)
    data = prepare(dataset, load_feature_table(args.features or args.dataset / "features"), split)
    budget = TrainingBudget()
    if args.epochs:
        budget = TrainingBudget(pretrain_epochs=args.epochs[0], finetune_epochs=args.epochs[1])
    result = measure(data, args.out, args.preset, args.seeds, budget)
    write_json(args.out / "mixup.json", result)
    for key, change in result["with_minus_without"].items():
        values = (result["models"][name][key]["ndcg@10"]["value"] for name in VARIANTS)
        shown = "  ".join(f"{value:.4f}" for value in values)
        print(f"{key:<35}{shown}  p (Holm) = {change['ndcg@10']['p_holm']:.3f}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
