"""How much another shop's data saves: the learning curve of transfer, ``msm4sr study transfer``.

Pre-trains on a source, then fine-tunes on growing shares of the customers of a target, and beside
it trains models from scratch on the same customers with the same settings; on small shares also
``own``, a model that was first pre-trained on these very customers. Each run is kept in
``OUT/runs``, so a study that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msm4sr_lite.config import (
    FinetuneConfig,
    ModelConfig,
    PretrainConfig,
    as_dict,
)
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.progress import say
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.store.cached_runs import Runs
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.study.jobs import make_ahead
from msm4sr_lite.study.paired import METRICS, paired, with_seeds
from msm4sr_lite.study.transfer import (
    Domain,
    check_alike,
    fine_tuned_ranks,
    pretrained_on,
    some_users,
    zero_shot,
)


@dataclass(frozen=True)
class Protocol:
    """How often and how long everything is trained; the same for both starts.

    Attributes
    ----------
    seeds
        Of the whole chain: pre-training, which customers, fine-tuning.
    shares, fewest
        Of the target's customers. A share of fewer customers than ``fewest`` is left out.
    large
        Shares from here on are large.
    rates, rates_large
        Learning rates of fine-tuning; if there are several, the validation items choose.
    batch_size
        Targets in one step of fine-tuning, and of ``own``'s pre-training; that on the sources has
        256 always.
    finetune_epochs, steps
        An epoch is a pass over the customers; there are so many of them, fewer if together they had
        more steps than this.
    """

    seeds: int = 3
    shares: tuple[float, ...] = (0.01, 0.05, 0.2, 1.0)
    fewest: int = 10
    large: float = 0.2
    rates: tuple[float, ...] = (3e-4, 1e-3)
    rates_large: tuple[float, ...] = (1e-3,)
    batch_size: int = 64
    finetune_epochs: int = 60
    steps: int = 800
    patience: int = 10
    pretrain_epochs: int = 60

    def finetuning(self, sequences: Sequences, share: float) -> list[FinetuneConfig]:
        """Return the settings to try for a share of the customers."""
        targets = max(1.0, share * sequences.training_targets())
        epochs = int(min(self.finetune_epochs, max(2, self.steps * self.batch_size // targets)))
        common: dict[str, Any] = {"batch_size": self.batch_size, "patience": self.patience}
        rates = self.rates if share < self.large else self.rates_large
        return [FinetuneConfig(lr=rate, epochs=epochs, **common) for rate in rates]

    def starts(self, share: float) -> tuple[str, ...]:
        """Return what is compared at a share of the customers."""
        return ("pretrained", "scratch", "own") if share < self.large else ("pretrained", "scratch")

    def pretraining(self) -> PretrainConfig:
        """Return the settings of pre-training."""
        return PretrainConfig(batch_size=256, epochs=self.pretrain_epochs, patience=self.patience)


QUICK = Protocol(seeds=1, shares=(0.05, 1.0), finetune_epochs=2, pretrain_epochs=1)


class Curve:
    """The runs from one shop or several to another, kept in a folder.

    Parameters
    ----------
    sources, target
        Tables and sequences.
    protocol
        Of all runs.
    out
        Where finished runs are kept.
    jobs
        How many seeds are run at once, each in a process of its own with one thread.
    device
        Where to compute.
    """

    def __init__(
        self,
        sources: Sequence[Domain],
        target: Domain,
        protocol: Protocol,
        out: Path,
        jobs: int = 1,
        device: str = "cpu",
    ) -> None:
        check_alike([*sources, target])
        self.sources, self.target, self.protocol, self.out = sources, target, protocol, out
        self.runs, self.jobs, self.device = Runs(out / "runs"), jobs, device
        self.facts: list[Any] = [as_dict(protocol.pretraining())]
        for table, own in (*sources, target):
            self.facts += [own.fingerprint(), table.manifest["content"]]

    def pretrained(self, seed: int) -> M2SE:
        """Return the model that was pre-trained on the sources with this seed."""
        folder = self.out / "states" / f"{fingerprint(self.facts)}-{seed}"
        if not (folder / "config.json").is_file():
            config = self.protocol.pretraining()
            model = self._pretrain(self.sources, config, seed)
            items = ["", *(item for table, _ in self.sources for item in table.items[1:])]
            save_checkpoint(model, folder, items, {"seed": seed})
            say(f"transfer: pre-trained, seed {seed}")
        return load_checkpoint(folder)[0]

    def _pretrain(self, domains: Sequence[Domain], config: PretrainConfig, seed: int) -> M2SE:
        return pretrained_on(domains, ModelConfig(), config, seed=seed, device=self.device)

    def ranks(
        self, name: str, seed: int, run: Callable[[], np.ndarray], settings: Sequence[Any] = ()
    ) -> np.ndarray:
        """Return the ranks of one run; run it if that is not done yet with these settings."""
        made_from = [*self.facts, *map(as_dict, settings)]
        found = self.runs.get(f"{name}-{seed}", made_from, lambda: {"ranks": run().tolist()})
        return np.array(found["ranks"])

    def results(self) -> dict[str, Any]:
        """Run what is missing and compare the starts at every share."""
        torch.manual_seed(0)
        untrained = M2SE(ModelConfig(feature_dim=self.target[0].width))
        nothing = self.ranks("untrained", 0, partial(self._zero_shot, untrained))
        users, seeds = self._customers(), range(self.protocol.seeds)
        make_ahead(self.jobs, [partial(self._of_seed, seed, list(users)) for seed in seeds])
        each = [self._of_seed(seed, list(users)) for seed in seeds]
        whose, _ = self.target[1].cases("test")
        found: dict[str, Any] = {
            "untrained": _told([nothing], whose),
            "zero_shot": _told([one["zero shot"] for one in each], whose),
            "shares": {},
        }
        for share, count in users.items():
            starts = self.protocol.starts(share)
            runs = {start: [one[f"{start} {share:g}"] for one in each] for start in starts}
            told = {start: _told(ranks, whose) for start, ranks in runs.items()}
            value = {start: figures["ndcg@10"]["value"] for start, figures in told.items()}
            found["shares"][f"{share:g}"] = {
                "users": count,
                **told,
                "gain": paired(runs["pretrained"], runs["scratch"], whose),
                "ratio": round(value["pretrained"] / value["scratch"], 3),
            }
        return found

    def _customers(self) -> dict[float, int]:
        """Return the shares that have enough customers, and how many."""
        found = {}
        for share in self.protocol.shares:
            count = len(some_users(self.target[1], share).users)
            if share < 1 and count < self.protocol.fewest:
                say(f"transfer: {share:.0%} left out: {count} of the customers are too few")
            else:
                found[share] = count
        return found

    def _of_seed(self, seed: int, shares: Sequence[float]) -> dict[str, np.ndarray]:
        """Return the ranks of all runs of a seed."""
        found = {
            "zero shot": self.ranks(
                "zero shot", seed, lambda: self._zero_shot(self.pretrained(seed))
            )
        }
        for share in shares:
            settings = self.protocol.finetuning(self.target[1], share)
            for start in self.protocol.starts(share):
                name, run = f"{start} {share:g}", partial(self._fine_tuned, start, share, seed)
                found[name] = self.ranks(name, seed, run, settings)
        return found

    def _zero_shot(self, model: M2SE) -> np.ndarray:
        return zero_shot(model, self.target, device=self.device)

    def _fine_tuned(self, start: str, share: float, seed: int) -> np.ndarray:
        model = self.pretrained(seed) if start == "pretrained" else None
        if start == "own":
            own = self.target[0], some_users(self.target[1], share, seed)
            small = replace(self.protocol.pretraining(), batch_size=self.protocol.batch_size)
            model = self._pretrain([own], small, seed)
        configs = self.protocol.finetuning(self.target[1], share)
        return fine_tuned_ranks(model, self.target, share, configs, seed=seed, device=self.device)


def _told(ranks: Sequence[np.ndarray], users: np.ndarray) -> dict[str, Any]:
    """Return NDCG@10 and Recall@20 with intervals over customers and seeds."""
    found = with_seeds([metrics(one) for one in ranks], users)
    return {name: found[name] for name in METRICS}
