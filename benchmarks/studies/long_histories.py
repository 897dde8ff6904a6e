"""Compare windows and a sliding window for histories longer than L, on simulated users.

This study made the last table of ``docs/differences.md`` (``benchmarks.studies.differences`` runs
it). With the loss over all positions, a history of more than L items is cut into windows. An item
near the beginning of a window is then predicted from few items. With prefix augmentation, as in the
released code, every item is predicted from the L items before it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from data_samples.make.catalogue import make_catalogue
from data_samples.make.simulation import (
    FIRST_NEED,
    TRANSITION,
    need_fit,
    taste_fit,
)
from msm4sr_lite import training
from msm4sr_lite.config import ModelConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE, gather_rows, match_scores
from msm4sr_lite.evaluation import metrics, summarise, target_ranks
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.losses import ranking_loss
from msm4sr_lite.progress import say
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import (
    Sequences,
    pad,
    prefixes,
    windows,
)
from msm4sr_lite.store.files import write_json
from msm4sr_lite.study.paired import METRICS, paired

WAYS: tuple[Literal["all_positions", "prefix"], ...] = ("all_positions", "prefix")
LENGTH = 122  # interactions of each simulated user, two of them held out


def measure(
    table: FeatureTable, domain: str, out: Path, quick: bool = False, seeds: int = 1
) -> dict[str, Any]:
    """Train a model in both ways and compare; also compute the states of one model in both ways.

    Parameters
    ----------
    table
        Features of the sample dataset; entry i belongs to item number i.
    domain
        The domain whose users are simulated.
    out
        Folder of finished runs.
    quick
        One epoch, one seed, few users.

    Returns
    -------
    results
        ``metrics`` for new users after training in either way; ``change``, windows minus sliding
        window; ``states``, the result of ``compare_states`` for a model trained on windows.
    """
    training_users, test_users, epochs, seeds = (4, 20, 1, 1) if quick else (60, 1000, 10, seeds)
    test = long_sequences(table.items, domain, test_users, seed=-1)
    ranks: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    states = None
    for seed in range(seeds):
        path = out / f"{'quick-' * quick}{seed}.json"
        if not path.is_file():
            learn = long_sequences(table.items, domain, training_users, seed)
            done: dict[str, Any] = {}
            for way in WAYS:
                torch.manual_seed(seed)
                model = M2SE(ModelConfig(feature_dim=table.width))
                config = PretrainConfig(
                    prefix_augmentation=way == "prefix", epochs=epochs, batch_size=256
                )
                training.pretrain(model, table, learn, config, seed=seed)
                scorer = ModelScorer(model, table)
                done[way] = target_ranks(scorer, *test.held_out("test")).tolist()
                if way == "all_positions":
                    done["states"] = compare_states(model, table, test, users=test_users // 10)
                say(f"differences: long histories, {way}, seed {seed}: done")
            write_json(path, done)
        found = json.loads(path.read_text(encoding="utf-8"))
        for way in WAYS:
            ranks[way].append(np.array(found[way]))
        states = states or found["states"]
    return {
        "training_users": training_users,
        "test_users": test_users,
        "length": LENGTH,
        "epochs": epochs,
        "seeds": seeds,
        "metrics": {way: means(ranks[way]) for way in WAYS},
        "change": paired(ranks["all_positions"], ranks["prefix"]),
        "states": states,
    }


def long_sequences(items: list[str], domain: str, n_users: int, seed: int) -> Sequences:
    """Simulate users of the sample dataset with ``LENGTH`` interactions each.

    They follow the sample's rule (a need that changes, a taste that stays), but may choose an item
    again after more than 50 other interactions.
    """
    catalogue = make_catalogue(7, domain)
    number = {item: i for i, item in enumerate(items)}
    numbers = np.array([number[item.item_id] for item in catalogue])
    popularity = np.array([item.popularity for item in catalogue])
    weights = popularity * need_fit(catalogue)[:, None] * taste_fit(catalogue)[None]
    rng = np.random.default_rng(seed + 1)
    users = np.arange(n_users)
    taste = rng.integers(weights.shape[1], size=n_users)
    need = rng.choice(len(FIRST_NEED), size=n_users, p=FIRST_NEED / FIRST_NEED.sum())
    chosen = np.empty((n_users, LENGTH), dtype=np.int64)
    since = np.full((n_users, len(catalogue)), 51)  # interactions since the item was chosen last
    for step in range(LENGTH):
        chance = (weights[need, taste] * (since > 50)).cumsum(axis=1)
        draw = rng.random((n_users, 1)) * chance[:, -1:]
        chosen[:, step] = (chance <= draw).sum(axis=1)
        since += 1
        since[users, chosen[:, step]] = 1
        steps = (TRANSITION[need] / TRANSITION[need].sum(axis=1, keepdims=True)).cumsum(axis=1)
        need = np.minimum((steps <= rng.random((n_users, 1))).sum(axis=1), steps.shape[1] - 1)
    return Sequences(
        users=[str(user) for user in users],
        items=items,
        interactions=numbers[chosen].ravel(),
        offsets=np.arange(n_users + 1) * LENGTH,
    )


@torch.no_grad()
def compare_states(
    model: M2SE, table: FeatureTable, sequences: Sequences, users: int
) -> dict[str, Any]:
    """Compare the states of one model for the same targets, in windows and in a sliding window.

    Returns
    -------
    results
        Mean number of items before the target (``context``), mean and smallest cosine between both
        states (text modality), loss over all items in nats, NDCG@10, and the change of NDCG@10 from
        sliding to windows with its interval over users.
    """
    model = model.eval()
    scorer, limit = ModelScorer(model, table), model.config.max_len
    found: dict[str, list[dict[str, Tensor]]] = {"windows": [], "sliding": []}
    for user in range(users):
        history = sequences.user_sequence(user)[:-1]
        for name, cut in (("windows", windows), ("sliding", prefixes)):
            pieces = cut(history, limit)
            inputs = pad([piece[:-1] for piece in pieces], limit)
            states = model.encode(gather_rows(scorer.items, inputs))
            real = inputs > 0
            if name == "sliding":  # only the last position of each predicts
                real &= torch.arange(inputs.shape[1]) == real.sum(dim=1, keepdim=True) - 1
            seen = real.nonzero()[:, 1] + 1
            target = torch.from_numpy(
                np.concatenate([p[-int(n) :] for p, n in _targets(pieces, real)])
            )
            hidden = {modality: h[real] for modality, h in states.items()}
            scores = match_scores(hidden, scorer.items)[:, 1:]
            rank = (scores >= scores.gather(1, target[:, None] - 1)).sum(dim=1)
            found[name].append(
                {
                    "target": target,
                    "context": seen,
                    "state": F.normalize(hidden["text"], dim=1),
                    "loss": ranking_loss(scores, target - 1, temperature=0.07)[None],
                    "ndcg": torch.from_numpy(metrics(rank.numpy(), [10])["ndcg@10"]),
                }
            )
    pairs = list(zip(found["windows"], found["sliding"], strict=True))
    cosine = torch.cat([(one["state"] * two["state"]).sum(dim=1) for one, two in pairs])
    gain = np.array([float((one["ndcg"] - two["ndcg"]).mean()) for one, two in pairs])
    results: dict[str, Any] = {
        "targets": len(cosine),
        "cosine": {"mean": round(float(cosine.mean()), 4), "least": round(float(cosine.min()), 4)},
        "change of ndcg@10": summarise({"ndcg@10": gain})["ndcg@10"],
    }
    for name, parts in found.items():
        results[name] = {
            "context": round(float(torch.cat([p["context"] for p in parts]).float().mean()), 1),
            "loss": round(float(torch.cat([p["loss"] for p in parts]).mean()), 4),
            "ndcg@10": round(float(torch.cat([p["ndcg"] for p in parts]).mean()), 4),
        }
    return results


def _targets(pieces: list[np.ndarray], real: Tensor) -> Any:
    return zip(pieces, real.sum(dim=1).tolist(), strict=True)


def means(ranks: Sequence[np.ndarray]) -> dict[str, float]:
    """Return each metric's mean over test cases and seeds."""
    values = [metrics(one) for one in ranks]
    return {name: round(float(np.mean([v[name] for v in values])), 6) for name in METRICS}
