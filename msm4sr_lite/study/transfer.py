"""Pre-train on one domain, use the model in another: zero-shot, and fine-tuned on some users.

Each function makes one run and returns a model, or the ranks of all test targets, so that a study
can keep the ranks and compare them in pairs (``paired``). If a share of the target's users is
trained on, validation uses these users only, and the test targets of *all* users are ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch

from msm4sr_lite import training
from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig, UserError
from msm4sr_lite.encoder import M2SE, transfer
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences

Domain: TypeAlias = tuple[FeatureTable, Sequences]  # entry i of the table is item number i


def join(domains: Sequence[Domain]) -> Domain:
    """Join several domains into one, to pre-train on all of them in common batches.

    A batch then holds users of all domains, and the in-batch negatives of an item come from all of
    them; most of those from other domains are easy negatives. Items and users are named ``0/...``,
    ``1/...`` by the position of their domain, since two domains may share ids.

    Raises
    ------
    UserError
        If there is no domain, a table does not fit its sequences, or the tables were made by
        different text encoders.
    """
    if not domains:
        raise UserError("no domain to pre-train on; give at least one")
    check_alike(domains)
    parts = [sequences for _, sequences in domains]
    names = [f"{n}/{item}" for n, part in enumerate(parts) for item in part.items[1:]]
    users = [f"{n}/{user}" for n, part in enumerate(parts) for user in part.users]
    before = np.cumsum([0, *(part.n_items for part in parts)])
    interactions = [part.interactions + n for part, n in zip(parts, before, strict=False)]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    cuts = np.concatenate([part.bounds()[:2].T for part in parts])
    text = _join_slots([table.text for table, _ in domains])
    image = _join_slots([table.image for table, _ in domains])
    joined = FeatureTable(["", *names], text, image, domains[0][0].manifest)
    return joined, Sequences(users, ["", *names], np.concatenate(interactions), offsets, cuts)


def check_alike(domains: Sequence[Domain]) -> None:
    """Raise a ``UserError`` unless one text encoder made all tables, each in the right order."""
    first = domains[0][0]
    for n, (table, sequences) in enumerate(domains):
        if table.items[1:] != sequences.items[1:]:
            raise UserError(f"domain {n}: the table is in another order; use table.for_items(...)")
        if (here := _encoder(table)) != (there := _encoder(first)):
            raise UserError(
                f"domain {n}: another text encoder ({here}) than domain 0 ({there}); make both"
                f" features with one encoder"
            )


def _encoder(table: FeatureTable) -> str:
    made = table.manifest.get("text_encoder", {})
    return f"width {table.width}, weights {made.get('weights')}, pooling {made.get('pooling')}"


def _join_slots(parts: Sequence[Slots]) -> Slots:
    """Concatenate slots; only the first part's padding stays."""
    before = np.cumsum([0, *(len(part.vectors) for part in parts)]).tolist()
    starts = [part.starts[1:] + shift for part, shift in zip(parts, before, strict=False)]
    return Slots(
        torch.cat([part.vectors for part in parts]),
        torch.cat([parts[0].starts[:1], *starts]),
        torch.cat([parts[0].counts[:1], *(part.counts[1:] for part in parts)]),
    )


def some_users(sequences: Sequences, share: float, seed: int = 0) -> Sequences:
    """Return the interactions of a random share of the users, at least of one.

    Items and held-out interactions stay as they are. With the same seed, the users of a smaller
    share are among those of a larger one.
    """
    if not 0 < share <= 1:
        raise UserError(f"share must be above 0 and at most 1; got {share}")
    count = max(1, round(share * len(sequences.users)))
    order = np.random.default_rng(seed).permutation(len(sequences.users))
    chosen = np.sort(order[:count])
    rows = [sequences.user_sequence(user) for user in chosen]
    return Sequences(
        [sequences.users[user] for user in chosen],
        sequences.items,
        np.concatenate(rows),
        np.concatenate([[0], np.cumsum([len(row) for row in rows])]),
        sequences.bounds()[:2, chosen].T,
    )


def pretrained_on(
    domains: Sequence[Domain],
    model: ModelConfig,
    config: PretrainConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> M2SE:
    """Pre-train a new model on one domain or several joined ones; the best epoch is kept."""
    table, sequences = domains[0] if len(domains) == 1 else join(domains)
    torch.manual_seed(seed)
    net = M2SE(replace(model, feature_dim=table.width, n_items=0))
    training.pretrain(net, table, sequences, config, seed=seed, device=device)
    return net


def zero_shot(model: M2SE, target: Domain, *, device: str = "cpu", **options: Any) -> np.ndarray:
    """Return the ranks of the test targets in a domain that the model was not trained on.

    Parameters
    ----------
    model
        A model without item ids.
    target
        The domain.
    device
        Where to compute.
    options
        As in ``evaluation.target_ranks``.

    Raises
    ------
    UserError
        If the model has item ids.
    """
    table, sequences = target
    if model.ids is not None:
        raise UserError("a model with item ids fits one dataset only; give the pre-trained one")
    return target_ranks(ModelScorer(model, table, device), *sequences.held_out("test"), **options)


def fine_tuned(
    start: M2SE | None,
    target: Domain,
    share: float,
    config: FinetuneConfig,
    *,
    model: ModelConfig | None = None,
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
    model
        Sizes of a model from scratch; by default those of ``ModelConfig``.
    seed
        Decides which users are drawn, their order, dropout, and new initial weights.
    device
        Where to train.
    """
    table, sequences = target
    torch.manual_seed(seed)
    if start is None:
        start = M2SE(replace(model or ModelConfig(), feature_dim=table.width, n_items=0))
    net = transfer(start, sequences.n_items if config.use_ids else 0)
    some = some_users(sequences, share, seed)
    training.finetune(net, table, some, config, seed=seed, device=device)
    return net


def fine_tuned_ranks(
    start: M2SE | None,
    target: Domain,
    share: float,
    configs: Sequence[FinetuneConfig],
    *,
    seed: int = 0,
    device: str = "cpu",
    **options: Any,
) -> np.ndarray:
    """Fine-tune with each of some settings, choose by validation, rank all test targets.

    A low learning rate that suits a pre-trained model may be too low for one from scratch. So both
    try the same settings, and the validation targets of the same users choose.

    Parameters
    ----------
    start, target, share, seed, device
        As in ``fine_tuned``.
    configs
        Settings to try, at least one.
    options
        Further arguments of ``fine_tuned``.

    Returns
    -------
    ranks
        Rank of each test target among all items, ``(cases,)``.
    """
    if not configs:
        raise UserError("no settings to fine-tune with; give at least one FinetuneConfig")
    table, sequences = target
    some, best = some_users(sequences, share, seed), -1.0
    for config in configs:
        net = fine_tuned(start, target, share, config, seed=seed, device=device, **options)
        recall = training.validation_recall(net, table, some, device)
        if recall > best:
            best, chosen = recall, net
    return target_ranks(ModelScorer(chosen, table, device), *sequences.held_out("test"))
