"""Pre-train in one shop, use the model in another: as it is, and fine-tuned on a few customers.

One function, one run: each returns a model or the rank of every customer's test item, so that a
study can keep the ranks and compare them pair by pair (``paired``). Whatever share of the target's
customers is trained on, validation uses the same customers and no others, and the test items of
*all* customers are ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch

from msm4sr_lite import training
from msm4sr_lite.config import (
    FinetuneConfig,
    ModelConfig,
    PretrainConfig,
    UserError,
)
from msm4sr_lite.encoder import M2SE, transfer
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences

Domain: TypeAlias = tuple[FeatureTable, Sequences]  # entry i of the table is item number i


def join(domains: Sequence[Domain]) -> Domain:
    """Put several shops together into one, to pre-train on all of them in common batches.

    A batch then holds customers of all shops, and an item's negatives come from all of them; most
    of those from other shops are easy ones. Items and customers are named ``0/...``, ``1/...`` by
    the place of their shop, since ids of two shops may be equal.

    Raises
    ------
    UserError
        If there is no shop, a table does not fit its sequences, or the tables were made by
        different text encoders.
    """
    if not domains:
        raise UserError("no shop to pre-train on; give at least one")
    check_alike(domains)
    first = domains[0][0]
    names = [f"{n}/{item}" for n, (_, own) in enumerate(domains) for item in own.items[1:]]
    users = [f"{n}/{user}" for n, (_, own) in enumerate(domains) for user in own.users]
    before = np.cumsum([0, *(own.n_items for _, own in domains)])
    interactions = [
        own.interactions + shift for (_, own), shift in zip(domains, before, strict=False)
    ]
    lengths = np.concatenate([np.diff(own.offsets) for _, own in domains])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    cuts = np.concatenate([own.bounds()[:2].T for _, own in domains])
    text = _join_slots([table.text for table, _ in domains])
    image = _join_slots([table.image for table, _ in domains])
    return (
        FeatureTable(["", *names], text, image, first.manifest),
        Sequences(users, ["", *names], np.concatenate(interactions), offsets, cuts),
    )


def check_alike(domains: Sequence[Domain]) -> None:
    """Raise a ``UserError`` unless one text encoder made all tables, each in its shop's order."""
    first = domains[0][0]
    for n, (table, sequences) in enumerate(domains):
        if table.items[1:] != sequences.items[1:]:
            raise UserError(f"shop {n}: the table is in another order; use table.for_items(...)")
        if (here := _encoder(table)) != (there := _encoder(first)):
            raise UserError(
                f"shop {n}: another text encoder ({here}) than shop 0 ({there}); make both features"
                f" with one encoder"
            )


def _encoder(table: FeatureTable) -> str:
    made = table.manifest.get("text_encoder", {})
    return f"width {table.width}, weights {made.get('weights')}, pooling {made.get('pooling')}"


def _join_slots(parts: Sequence[Slots]) -> Slots:
    """Put slots behind one another; only the first part's padding stays."""
    before = np.cumsum([0, *(len(part.vectors) for part in parts)]).tolist()
    starts = [part.starts[1:] + shift for part, shift in zip(parts, before, strict=False)]
    return Slots(
        torch.cat([part.vectors for part in parts]),
        torch.cat([parts[0].starts[:1], *starts]),
        torch.cat([parts[0].counts[:1], *(part.counts[1:] for part in parts)]),
    )


def some_users(sequences: Sequences, share: float, seed: int = 0) -> Sequences:
    """Return the purchases of a random share of the customers, at least of one.

    Items stay, and so does what is held out. With one seed, the customers of a smaller share are
    among those of a larger one.
    """
    if not 0 < share <= 1:
        raise UserError(f"a share of the customers above 0 and up to 1 was expected; got {share}")
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
    """Pre-train a new model on one shop or on several joined; the best epoch's weights are kept."""
    table, sequences = domains[0] if len(domains) == 1 else join(domains)
    torch.manual_seed(seed)
    net = M2SE(replace(model, feature_dim=table.width, n_items=0))
    training.pretrain(net, table, sequences, config, seed=seed, device=device)
    return net


def zero_shot(model: M2SE, target: Domain, *, device: str = "cpu", **options: Any) -> np.ndarray:
    """Return the ranks of the test items in a shop that the model has not been trained on.

    Parameters
    ----------
    model
        Without ids: those of another shop mean nothing here.
    target
        The other shop.
    device
        Where to compute.
    options
        As in ``evaluation.target_ranks``.

    Raises
    ------
    UserError
        If the model has ids.
    """
    table, sequences = target
    if model.ids is not None:
        raise UserError("a model with item ids knows one shop only; give the pre-trained one")
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
    """Fine-tune on a share of the target's customers, from a pre-trained model or from scratch.

    Parameters
    ----------
    start
        A model without ids, left as it is; None starts from random weights: *from scratch*.
    target
        The shop to fine-tune for.
    share
        Of its customers, above 0 and up to 1; their validation items decide when to stop.
    config
        The same for both starts, so that both have the same budget.
    model
        Sizes of a model from scratch; by default those of ``ModelConfig``.
    seed
        Which customers, their order, dropout, and the first weights of what is new.
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
    filter_seen: bool = False,
    **options: Any,
) -> np.ndarray:
    """Fine-tune with each of some settings, keep the best by validation, rank all test items.

    What suits a pre-trained model (a low learning rate) may starve one from scratch. So both try
    the same settings, and the validation items of the same customers choose.

    Parameters
    ----------
    start, target, share, seed
        As in ``fine_tuned``.
    configs
        Settings to try, at least one.
    mask_history
        As in ``evaluation.target_ranks``.
    options
        Further arguments of ``fine_tuned``.

    Returns
    -------
    ranks
        Of every customer's test item among all items, ``(customers,)``.
    """
    table, sequences = target
    some = some_users(sequences, share, seed)
    best, chosen = -1.0, None
    for config in configs:
        net = fine_tuned(start, target, share, config, seed=seed, **options)
        recall = training.validation_recall(net, table, some, options.get("device", "cpu"))
        if recall > best:
            best, chosen = recall, net
    if chosen is None:
        raise UserError("no settings to fine-tune with; give at least one FinetuneConfig")
    scorer = ModelScorer(chosen, table, options.get("device", "cpu"))
    return target_ranks(scorer, *sequences.held_out("test"), filter_seen=filter_seen)
