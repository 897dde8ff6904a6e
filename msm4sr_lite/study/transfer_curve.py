"""Learning curve of transfer: what pre-training on other data saves.

A model is pre-trained on the sources, then fine-tuned on growing shares of the target's users.
Models from scratch are trained on the same users with the same settings. On small shares there is
also ``pretrained_on_target``, a model that was first pre-trained on these users alone. Each run is
kept in ``OUT/runs``, so that a stopped study continues.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msm4sr_lite.config import ModelConfig, PretrainConfig, as_dict
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.progress import say
from msm4sr_lite.store.cached_runs import Runs
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.study.config import TransferConfig
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


class TransferCurve:
    """The runs from one or several sources to a target, kept in a folder.

    Parameters
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

    def __init__(
        self,
        sources: Sequence[Domain],
        target: Domain,
        config: TransferConfig,
        out: Path,
        jobs: int = 1,
        device: str = "cpu",
    ) -> None:
        check_alike([*sources, target])
        self.sources, self.target, self.config, self.out = sources, target, config, out
        self.runs, self.jobs, self.device = Runs(out / "runs"), jobs, device
        self.made_from: list[Any] = [as_dict(config.pretraining())]
        for table, sequences in (*sources, target):
            self.made_from += [sequences.fingerprint(), table.manifest["content"]]

    def pretrained(self, seed: int) -> M2SE:
        """Return the model that was pre-trained on the sources with this seed."""
        folder = self.out / "states" / f"{fingerprint(self.made_from)}-{seed}"
        if not (folder / "config.json").is_file():
            model = self._pretrain(self.sources, self.config.pretraining(), seed)
            items = ["", *(item for table, _ in self.sources for item in table.items[1:])]
            save_checkpoint(model, folder, items, {"seed": seed})
            say(f"transfer: pre-trained, seed {seed}")
        return load_checkpoint(folder)[0]

    def _pretrain(self, domains: Sequence[Domain], config: PretrainConfig, seed: int) -> M2SE:
        return pretrained_on(domains, ModelConfig(), config, seed=seed, device=self.device)

    def ranks(
        self, name: str, seed: int, run: Callable[[], np.ndarray], settings: Sequence[Any] = ()
    ) -> np.ndarray:
        """Return the ranks of a run, made now unless it was made with these settings before."""
        made_from = [*self.made_from, *map(as_dict, settings)]
        found = self.runs.get(f"{name}-{seed}", made_from, lambda: {"ranks": run().tolist()})
        return np.array(found["ranks"])

    def results(self) -> dict[str, Any]:
        """Make the missing runs and compare the starting points at each share."""
        torch.manual_seed(0)
        untrained = M2SE(ModelConfig(feature_dim=self.target[0].width))
        random = self.ranks("untrained", 0, partial(self._zero_shot, untrained))
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
            value = {start: result["ndcg@10"]["value"] for start, result in results.items()}
            found["shares"][f"{share:g}"] = {
                "users": count,
                **results,
                "gain": paired(runs["pretrained"], runs["scratch"], users),
                "ratio": round(value["pretrained"] / value["scratch"], 3)
                if value["scratch"]
                else None,
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
        found = {
            "zero shot": self.ranks(
                "zero shot", seed, lambda: self._zero_shot(self.pretrained(seed))
            )
        }
        for share in shares:
            settings = self._finetuning(share)
            for start in self.config.starts(share):
                name, run = f"{start} {share:g}", partial(self._fine_tuned, start, share, seed)
                found[name] = self.ranks(name, seed, run, settings)
        return found

    def _finetuning(self, share: float) -> list[Any]:
        return self.config.finetuning(self.target[1].training_targets(), share)

    def _zero_shot(self, model: M2SE) -> np.ndarray:
        return zero_shot(model, self.target, device=self.device)

    def _fine_tuned(self, start: str, share: float, seed: int) -> np.ndarray:
        model = self.pretrained(seed) if start == "pretrained" else None
        if start == "pretrained_on_target":
            some = self.target[0], some_users(self.target[1], share, seed)
            config = replace(self.config.pretraining(), batch_size=self.config.batch_size)
            model = self._pretrain([some], config, seed)
        settings = self._finetuning(share)
        return fine_tuned_ranks(model, self.target, share, settings, seed=seed, device=self.device)


def _summary(ranks: Sequence[np.ndarray], users: np.ndarray) -> dict[str, Any]:
    """Return NDCG@10 and Recall@20 with intervals over users and seeds."""
    found = with_seeds([metrics(one) for one in ranks], users)
    return {name: found[name] for name in METRICS}
