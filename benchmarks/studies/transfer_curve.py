"""Measure the learning curve of transfer: how much pre-training on other data helps.

::

    python -m benchmarks.studies.transfer_curve DATA --source home --target outdoor --out DIR

A model is pre-trained on the sources and fine-tuned on growing shares of the target's users. Models
from scratch are trained on the same users with the same settings. On small shares there is also
``pretrained_on_target``, a model that was first pre-trained on these users alone. Validation uses
the users of the share only, and the test targets of *all* users are ranked. Flags are those of
``msm4sr study``; seeds are 0, 1, ... The result is written to ``DIR/transfer.json``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.study_pages import as_markdown

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "notebooks"))

from course.transfer import fine_tuned, some_users

from msm4sr_lite import training
from msm4sr_lite.cli import common
from msm4sr_lite.cli.commands import build_parser
from msm4sr_lite.cli.study import study_config
from msm4sr_lite.config import UserError, as_dict, with_settings
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.pipeline.features import find_or_compute_features
from msm4sr_lite.progress import say
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.files import write_json
from msm4sr_lite.study.compare import Comparison, Run, run_all
from msm4sr_lite.study.config import StudyConfig, TrainingBudget
from msm4sr_lite.study.paired import METRICS, paired
from msm4sr_lite.study.run import transfer_data
from msm4sr_lite.study.specs import ModelSpec, Settings, Spec, StudyData, pretrained


@dataclass(frozen=True, kw_only=True)
class CurveConfig(TrainingBudget):
    """Training budget and shares of a learning curve; the same for all starting points.

    Attributes
    ----------
    steps
        Approximate maximum number of fine-tuning steps.
    shares
        Shares of the target's users. A share of fewer users than ``fewest`` is skipped.
    large
        Smallest share that counts as large.
    rates, rates_large
        Learning rates of fine-tuning for small and for large shares. If there are several, the
        validation interactions choose.
    """

    batch_size: int = 64  # 256 in pre-training on the sources
    pretrain_epochs: int = 60
    finetune_epochs: int = 60
    patience: int = 10
    steps: int = 800
    fewest: int = 10
    shares: tuple[float, ...] = (0.01, 0.05, 0.2, 1.0)
    large: float = 0.2
    rates: tuple[float, ...] = (3e-4, 1e-3)
    rates_large: tuple[float, ...] = (1e-3,)


QUICK = CurveConfig(shares=(0.05, 1.0), finetune_epochs=2, pretrain_epochs=1)


@dataclass(frozen=True)
class TransferSpec(ModelSpec):
    """A model of the learning curve.

    Attributes
    ----------
    start
        ``pretrained`` (on the sources), ``pretrained_on_target`` (on the users drawn) or
        ``scratch``.
    share
        Share of the target's users to fine-tune on.
    rates
        Learning rates of fine-tuning. If there are several, the validation targets of the users
        drawn decide: a low rate that suits a pre-trained model may be too low for one from scratch.
        Empty: the model is not fine-tuned.
    steps
        Approximate maximum number of fine-tuning steps.
    """

    start: str = "scratch"
    share: float = 1.0
    rates: tuple[float, ...] = ()
    steps: int = 0

    def fit(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Pre-train the model if necessary, fine-tune it with each rate, and return the best."""
        config, some = self.config(data, settings), some_users(data, self.share, seed)
        options: dict[str, Any] = {"seed": seed, "device": data.device}
        start = None
        if self.start == "pretrained" and data.source:
            large = with_settings(config, {"pretrain.batch_size": 256})
            start = pretrained(data.source, large, states, **options)
        elif self.start == "pretrained_on_target":
            start = pretrained(some, config, states, **options)
        if not self.rates:
            torch.manual_seed(seed)
            return ModelScorer(start or M2SE(config.model), data.table, data.device)
        tuned, seen = config.finetune, max(1.0, self.share * data.sequences.training_targets())
        epochs = int(min(tuned.epochs, max(2, self.steps * tuned.batch_size // seen)))
        tries = [replace(tuned, epochs=epochs, lr=rate) for rate in self.rates]
        nets = [fine_tuned(start, data, self.share, one, **options) for one in tries]
        held_out = data.table, some.sequences, data.device
        best = max(nets, key=lambda net: training.validation_recall(net, *held_out))
        return ModelScorer(best, data.table, data.device)


def curve_specs(target: StudyData, config: CurveConfig) -> dict[str, Spec]:
    """Return the models to compare: without fine-tuning, and fine-tuned on each share of users."""
    specs: dict[str, Spec] = {
        "untrained": TransferSpec(pretrains=False, finetunes=False),
        "zero shot": TransferSpec(start="pretrained"),
    }
    for share in config.shares:
        count = len(some_users(target, share).sequences.users)
        if share < 1 and count < config.fewest:
            say(f"transfer: share {share:.0%} skipped: too few users, {count}")
            continue
        small = share < config.large
        rates = config.rates if small else config.rates_large
        for start in ("pretrained", "scratch", *(["pretrained_on_target"] if small else [])):
            spec = TransferSpec(start=start, share=share, rates=rates, steps=config.steps)
            specs[f"{start} {share:g}"] = spec
    return specs


def learning_curve(target: StudyData, out: Path, config: StudyConfig) -> dict[str, Any]:
    """Make the missing runs and compare the starting points at each share.

    Parameters
    ----------
    target
        The target, with the sources.
    out
        Folder of finished runs.
    config
        Settings of the study; its budget is that of the curve.
    """
    protocol = config.budget
    if not isinstance(protocol, CurveConfig):
        raise TypeError("the budget of a learning curve is a CurveConfig")
    specs = curve_specs(target, protocol)
    study = Comparison(target, out, config, specs)
    seeds = range(config.n_seeds)
    asked = [(n, seed) for seed in seeds for n in specs if seed == 0 or specs[n].is_trained]
    tasks = [partial(study.run, name, {}, seed, "test") for name, seed in asked]
    found: dict[str, list[Run]] = {name: [] for name in specs}
    for (name, _), run in zip(asked, run_all(config.jobs, tasks), strict=True):
        found[name].append(run)
    models = {
        name: {metric: model["keep_seen"][metric] for metric in METRICS}
        for name, model in study.table(found)["models"].items()
    }
    users, _ = target.sequences.cases("test")
    shares: dict[str, Any] = {}
    for name, spec in specs.items():
        if isinstance(spec, TransferSpec) and spec.rates:
            part = shares.setdefault(f"{spec.share:g}", {})
            part["users"] = len(some_users(target, spec.share).sequences.users)
            part[spec.start] = models[name]
    for share, part in shares.items():
        first, scratch = (
            [np.array(run["keep_seen"]) for run in found[f"{start} {share}"]]
            for start in ("pretrained", "scratch")
        )
        part["gain"] = paired(first, scratch, users)
        reached, base = (part[s]["ndcg@10"]["value"] for s in ("pretrained", "scratch"))
        part["ratio"] = round(reached / base, 3) if base else None
    return {
        "dataset": target.dataset.name,
        "quick": config.quick,
        "source": " and ".join(Path(name).name for name in config.sources),
        "target": config.target or "the whole dataset",
        "users": len(target.sequences.users),
        "items": target.sequences.n_items,
        "protocol": {**as_dict(protocol), "seeds": config.n_seeds},
        "untrained": models["untrained"],
        "zero_shot": models["zero shot"],
        "shares": shares,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the curve, write it to a file and print its table."""
    given = sys.argv[1:] if arguments is None else arguments
    args = build_parser().parse_args(["study", "transfer", *given])
    config, dataset = study_config(args), common.read_dataset(args)
    config = replace(config, budget=QUICK if config.quick else CurveConfig())
    out = args.out or Path("runs", f"transfer-{dataset.name}")
    found = find_or_compute_features(dataset, args.features, out, device=config.device)
    target = transfer_data(dataset, found.table, config)
    result = learning_curve(target, out / "transfer", config)
    write_json(out / "transfer.json", result)
    print(as_markdown("transfer", result))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
