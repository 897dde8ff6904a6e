"""Histories longer than the encoder: windows against a sliding window, on made-up shoppers.

With ``rows = all_positions`` a history of more than L items is cut into windows: an item near the
beginning of a window is predicted from few items, though more were bought before. With
``rows = prefix``, as in the released code, every item is predicted from the L items before it.
"""

from __future__ import annotations

import json
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
from msm4sr_lite.study.paired import means, paired

ROWS: tuple[Literal["all_positions", "prefix"], ...] = ("all_positions", "prefix")
LENGTH = 122  # purchases of each made-up shopper, two of them held out


def measure(
    table: FeatureTable, domain: str, out: Path, quick: bool = False, seeds: int = 1
) -> dict[str, Any]:
    """Train both ways and compare; also read one model's states both ways.

    Parameters
    ----------
    table
        Features of the sample shop, entry i for item number i.
    department
        Whose shoppers to imitate.
    out
        Where finished runs are kept.
    quick
        One epoch, one seed, few shoppers.

    Returns
    -------
    figures
        ``metrics`` for new shoppers after training either way, and ``change``, windows minus
        sliding window; ``states``: what ``read_both_ways`` finds in a model trained on windows.
    """
    shoppers, asked, epochs, seeds = (4, 20, 1, 1) if quick else (60, 1000, 10, seeds)
    test = long_sequences(table.items, domain, asked, seed=-1)
    ranks: dict[str, list[np.ndarray]] = {rows: [] for rows in ROWS}
    states = None
    for seed in range(seeds):
        path = out / f"{'quick-' * quick}{seed}.json"
        if not path.is_file():
            learn = long_sequences(table.items, domain, shoppers, seed)
            done: dict[str, Any] = {}
            for rows in ROWS:
                torch.manual_seed(seed)
                model = M2SE(ModelConfig(feature_dim=table.width))
                config = PretrainConfig(
                    prefix_augmentation=rows == "prefix", epochs=epochs, batch_size=256
                )
                training.pretrain(model, table, learn, config, seed=seed)
                scorer = ModelScorer(model, table)
                done[rows] = target_ranks(scorer, *test.held_out("test")).tolist()
                if rows == "all_positions":
                    done["states"] = read_both_ways(model, table, test, users=asked // 10)
                say(f"differences: long histories, {rows}, seed {seed}: done")
            write_json(path, done)
        found = json.loads(path.read_text(encoding="utf-8"))
        for rows in ROWS:
            ranks[rows].append(np.array(found[rows]))
        states = states or found["states"]
    return {
        "shoppers": shoppers,
        "asked": asked,
        "purchases": LENGTH,
        "epochs": epochs,
        "seeds": seeds,
        "metrics": {rows: means(ranks[rows]) for rows in ROWS},
        "change": paired(ranks["all_positions"], ranks["prefix"]),
        "states": states,
    }


def long_sequences(items: list[str], domain: str, shoppers: int, seed: int) -> Sequences:
    """Simulate shoppers of the sample shop who buy ``LENGTH`` things each.

    They follow the sample's rule (a need that moves on, a taste that stays), but may buy again
    what they bought more than 50 purchases ago.
    """
    shelf = make_catalogue(7, domain)
    number = {item: i for i, item in enumerate(items)}
    numbers = np.array([number[item.item_id] for item in shelf])
    popularity = np.array([item.popularity for item in shelf])
    weights = popularity * need_fit(shelf)[:, None] * taste_fit(shelf)[None]
    rng = np.random.default_rng(seed + 1)
    who = np.arange(shoppers)
    taste = rng.integers(weights.shape[1], size=shoppers)
    need = rng.choice(len(FIRST_NEED), size=shoppers, p=FIRST_NEED / FIRST_NEED.sum())
    bought = np.empty((shoppers, LENGTH), dtype=np.int64)
    since = np.full((shoppers, len(shelf)), 51)  # purchases since it was bought last
    for step in range(LENGTH):
        chance = (weights[need, taste] * (since > 50)).cumsum(axis=1)
        draw = rng.random((shoppers, 1)) * chance[:, -1:]
        bought[:, step] = (chance <= draw).sum(axis=1)
        since += 1
        since[who, bought[:, step]] = 1
        steps = (TRANSITION[need] / TRANSITION[need].sum(axis=1, keepdims=True)).cumsum(axis=1)
        need = np.minimum((steps <= rng.random((shoppers, 1))).sum(axis=1), steps.shape[1] - 1)
    return Sequences(
        users=[str(user) for user in who],
        items=items,
        interactions=numbers[bought].ravel(),
        offsets=np.arange(shoppers + 1) * LENGTH,
    )


@torch.no_grad()
def read_both_ways(
    model: M2SE, table: FeatureTable, sequences: Sequences, users: int
) -> dict[str, Any]:
    """Compare the states that predict the same purchases, in windows and sliding, of one model.

    Returns
    -------
    figures
        Items seen on average (``context``), mean and smallest cosine between both states (of the
        text view), loss over the catalogue in nats, NDCG@10, and the change of NDCG@10 from
        sliding to windows with its interval over customers.
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
            hidden = {view: h[real] for view, h in states.items()}
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
    figures: dict[str, Any] = {
        "targets": len(cosine),
        "cosine": {"mean": round(float(cosine.mean()), 4), "least": round(float(cosine.min()), 4)},
        "change of ndcg@10": summarise({"ndcg@10": gain})["ndcg@10"],
    }
    for name, parts in found.items():
        figures[name] = {
            "context": round(float(torch.cat([p["context"] for p in parts]).float().mean()), 1),
            "loss": round(float(torch.cat([p["loss"] for p in parts]).mean()), 4),
            "ndcg@10": round(float(torch.cat([p["ndcg"] for p in parts]).mean()), 4),
        }
    return figures


def _targets(pieces: list[np.ndarray], real: Tensor) -> Any:
    return zip(pieces, real.sum(dim=1).tolist(), strict=True)
