"""Fine-tuning on a share of a domain's users, and what a model knows of simulated users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from msm4sr_lite import training
from msm4sr_lite.config import FinetuneConfig, ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.initialize import transfer
from msm4sr_lite.pipeline.stages import TrainingData
from msm4sr_lite.recommend.top_items import top_items
from msm4sr_lite.sequences import Sequences

if TYPE_CHECKING:
    from data_samples.make.simulation import World


def some_users(data: TrainingData, share: float, seed: int = 0) -> TrainingData:
    """Return the interactions of a random share of the users, at least of one.

    Items and held-out interactions stay as they are. With the same seed, the users of a smaller
    share are among those of a larger one.
    """
    sequences = data.sequences
    count = max(1, round(share * len(sequences.users)))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(sequences.users))[:count])
    rows = [sequences.user_sequence(user) for user in chosen]
    some = Sequences(
        [sequences.users[user] for user in chosen],
        sequences.items,
        np.concatenate(rows),
        np.concatenate([[0], np.cumsum([len(row) for row in rows])]),
        sequences.bounds()[:2, chosen].T,
    )
    return TrainingData(some, data.table)


def fine_tuned(
    start: M2SE | None,
    target: TrainingData,
    share: float,
    config: FinetuneConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> M2SE:
    """Fine-tune on a share of the target's users, from a pre-trained model or from scratch.

    Parameters
    ----------
    start
        A model without item ids, which is not changed; None: random weights (*from scratch*).
    target
        The domain to fine-tune for.
    share
        Share of its users, above 0 and at most 1. Their validation targets decide when to stop.
    config
        Settings; the same for both starts, so that both have the same training budget.
    seed
        Decides which users are drawn, their order, dropout, and new initial weights.
    device
        Where to train.
    """
    torch.manual_seed(seed)
    if start is None:
        start = M2SE(ModelConfig(feature_dim=target.table.width))
    net = transfer(start, target.sequences.n_items if config.use_ids else 0)
    some = some_users(target, share, seed)
    training.finetune(net, some.table, some.sequences, config, seed=seed, device=device)
    return net


def share_fitting(
    scorer: Scorer, sequences: Sequences, world: World, k: int = 10
) -> tuple[float, float]:
    """Return which share of the first ``k`` items fits the hidden state of the sample's users.

    Parameters
    ----------
    scorer
        A model or a baseline.
    sequences
        Users and items of one domain of the sample.
    world
        What the generator knows of them.
    k
        Length of the lists.

    Returns
    -------
    need, pattern
        Share of the items whose purpose is the likeliest next need of the user; share whose
        pattern is one of the two that the user's taste prefers.
    """
    from data_samples.make.phrases import PURPOSES
    from data_samples.make.simulation import TASTES, TRANSITION

    users = {user.user_id: user for user in world.users}
    items = {item.item_id: item for item in world.items}
    histories, _ = sequences.held_out("test")
    known = np.arange(len(sequences.items)) > 0
    needs, patterns = [], []
    for number, (best, _) in enumerate(top_items(scorer.score, histories, k, known, True)):
        user = users[sequences.users[number]]
        need = PURPOSES[TRANSITION[user.needs[len(histories[number]) - 1]].argmax()]
        liked = TASTES[user.taste].patterns
        offered = [items[sequences.items[item]] for item in best]
        needs.append(np.mean([item.purpose == need for item in offered]))
        patterns.append(np.mean([item.look.pattern in liked for item in offered]))
    return float(np.mean(needs)), float(np.mean(patterns))
