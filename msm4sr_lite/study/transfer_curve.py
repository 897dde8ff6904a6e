"""Learning curve of transfer: what pre-training on other data saves.

A model is pre-trained on the sources, then fine-tuned on growing shares of the target's users.
Models from scratch are trained on the same users with the same settings. On small shares there is
also ``pretrained_on_target``, a model that was first pre-trained on these users alone. Each run is
kept in ``OUT/runs``, so that a stopped study continues.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msm4sr_lite.config import FinetuneConfig, ModelConfig, UserError, as_dict
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.progress import say
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.fingerprint import fingerprint, fingerprint_sequences
from msm4sr_lite.store.records import cached_run
from msm4sr_lite.study.config import StudyConfig, TransferConfig
from msm4sr_lite.study.data import prepare
from msm4sr_lite.study.jobs import run_ahead
from msm4sr_lite.study.paired import METRICS, paired, with_seeds
from msm4sr_lite.study.transfer import (
    Domain,
    check_alike,
    fine_tuned_ranks,
    pretrained_on,
    some_users,
    zero_shot,
)


@dataclass
class TransferCurve:
    """The runs from one or several sources to a target, kept in a folder.

    Attributes
    ----------
    sources, target
        Feature tables and sequences.
    config
        Settings of all runs.
    out
        Folder of finished runs.
    jobs
        Seeds at the same time, one process with one thread each.
    device
        Where to compute.
    """

    sources: Sequence[Domain]
    target: Domain
    config: TransferConfig
    out: Path
    jobs: int = 1
    device: str = "cpu"
    made_from: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        check_alike([*self.sources, self.target])
        self.made_from = [as_dict(self.config.pretraining())]
        for table, sequences in (*self.sources, self.target):
            self.made_from += [fingerprint_sequences(sequences), table.manifest["content"]]

    def pretrained(self, seed: int) -> M2SE:
        """Return the model that was pre-trained on the sources with this seed."""
        folder = self.out / "states" / f"{fingerprint(self.made_from)}-{seed}"
        if not (folder / "config.json").is_file():
            options: dict[str, Any] = {"seed": seed, "device": self.device}
            config = self.config.pretraining()
            model = pretrained_on(self.sources, ModelConfig(), config, **options)
            items = ["", *(item for table, _ in self.sources for item in table.items[1:])]
            save_checkpoint(model, folder, items, {"seed": seed})
            say(f"transfer: pre-trained, seed {seed}")
        return load_checkpoint(folder)[0]

    def ranks(
        self, name: str, seed: int, run: Callable[[], np.ndarray], settings: Sequence[Any] = ()
    ) -> np.ndarray:
        """Return the ranks of a run, made now unless it was made with these settings before."""
        made_from = [*self.made_from, *map(as_dict, settings)]
        found = cached_run(
            self.out / "runs", f"{name}-{seed}", made_from, lambda: {"ranks": run().tolist()}
        )
        return np.array(found["ranks"])

    def results(self) -> dict[str, Any]:
        """Make the missing runs and compare the starting points at each share."""
        torch.manual_seed(0)
        untrained = M2SE(ModelConfig(feature_dim=self.target[0].width))
        random = self.ranks("untrained", 0, lambda: self._zero_shot(untrained))
        counts, seeds = self._user_counts(), range(self.config.seeds)
        run_ahead(self.jobs, [partial(self._runs_of_seed, seed, list(counts)) for seed in seeds])
        each = [self._runs_of_seed(seed, list(counts)) for seed in seeds]
        users, _ = self.target[1].cases("test")
        found: dict[str, Any] = {
            "untrained": _summary([random], users),
            "zero_shot": _summary([one["zero shot"] for one in each], users),
            "shares": {},
        }
        for share, count in counts.items():
            starts = self.config.starts(share)
            runs = {start: [one[f"{start} {share:g}"] for one in each] for start in starts}
            results = {start: _summary(ranks, users) for start, ranks in runs.items()}
            first, scratch = (results[s]["ndcg@10"]["value"] for s in ("pretrained", "scratch"))
            found["shares"][f"{share:g}"] = {
                "users": count,
                **results,
                "gain": paired(runs["pretrained"], runs["scratch"], users),
                "ratio": round(first / scratch, 3) if scratch else None,
            }
        return found

    def _user_counts(self) -> dict[float, int]:
        """Return the number of users of each share, without shares of too few users."""
        found = {}
        for share in self.config.shares:
            count = len(some_users(self.target[1], share).users)
            if share < 1 and count < self.config.fewest:
                say(f"transfer: share {share:.0%} skipped: {count} users are too few")
            else:
                found[share] = count
        return found

    def _runs_of_seed(self, seed: int, shares: Sequence[float]) -> dict[str, np.ndarray]:
        """Return the ranks of all runs of a seed."""
        shot = self.ranks("zero shot", seed, lambda: self._zero_shot(self.pretrained(seed)))
        found = {"zero shot": shot}
        for share in shares:
            settings = self.config.finetuning(self.target[1].training_targets(), share)
            for start in self.config.starts(share):
                name = f"{start} {share:g}"
                run = partial(self._fine_tuned, start, share, settings, seed)
                found[name] = self.ranks(name, seed, run, settings)
        return found

    def _zero_shot(self, model: M2SE) -> np.ndarray:
        return zero_shot(model, self.target, device=self.device)

    def _fine_tuned(
        self, start: str, share: float, settings: list[FinetuneConfig], seed: int
    ) -> np.ndarray:
        options: dict[str, Any] = {"seed": seed, "device": self.device}
        model = self.pretrained(seed) if start == "pretrained" else None
        if start == "pretrained_on_target":
            some = self.target[0], some_users(self.target[1], share, seed)
            config = replace(self.config.pretraining(), batch_size=self.config.batch_size)
            model = pretrained_on([some], ModelConfig(), config, **options)
        return fine_tuned_ranks(model, self.target, share, settings, **options)


def _summary(ranks: Sequence[np.ndarray], users: np.ndarray) -> dict[str, Any]:
    """Return NDCG@10 and Recall@20 with intervals over users and seeds."""
    found = with_seeds([metrics(one) for one in ranks], users)
    return {name: found[name] for name in METRICS}


def transfer_ends(config: StudyConfig) -> None:
    """Raise a ``UserError`` unless sources and target are given."""
    folders = [Path(name).is_dir() for name in config.sources]
    if not (folders and (config.target or all(folders))):
        raise UserError(
            "a transfer study needs both ends: two domains, as in --source home --target outdoor;"
            " or folders of other datasets, as in --source their/folder,another/folder"
        )


def run_transfer(
    dataset: Dataset, table: FeatureTable, out: Path, config: StudyConfig
) -> dict[str, Any]:
    """Pre-train on the sources and use the model in the target, with a share of its users.

    Parameters
    ----------
    dataset, table
        The dataset whose domains are named, and the features of all its items.
    out
        Study folder.
    config
        Settings; ``sources`` and ``target`` must be set.
    """
    sources = []
    for name in config.sources:
        if (folder := Path(name)).is_dir():
            sources.append(open_domain(folder, load_feature_table(folder / "features"), config))
        else:
            sources.append(open_domain(dataset.folder, table, config, domain=name))
    names = [Path(name).name if Path(name).is_dir() else name for name in config.sources]
    target = open_domain(dataset.folder, table, config, domain=config.target)
    transfer = replace(config.transfer, seeds=config.n_seeds)
    curve = TransferCurve(sources, target, transfer, out / "transfer", config.jobs, config.device)
    return {
        "dataset": dataset.name,
        "quick": config.quick,
        "source": " and ".join(names),
        "target": config.target or "the whole dataset",
        "users": len(target[1].users),
        "items": target[1].n_items,
        "protocol": as_dict(transfer),
        **curve.results(),
    }


def open_domain(
    folder: Path | None, table: FeatureTable, config: StudyConfig, domain: str = ""
) -> Domain:
    """Read a dataset folder or one domain of it, and filter and split it as the study asks."""
    if folder is None:
        raise UserError("transfer between domains needs a dataset folder, not data frames")
    dataset = Dataset.from_folder(folder, domain=domain, unknown_items=config.unknown_items)
    try:
        data = prepare(dataset, table, config.data)
    except UserError as error:
        raise UserError(f"{domain or folder}: {error}") from None
    return data.table, data.sequences
