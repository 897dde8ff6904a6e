"""Train the same model with prefix augmentation, one row per target, for comparison.

There are two forms with the same result. ``careful`` pools and adapts only the items of the batch,
each of them once. It encodes both modalities in one call, with rows trimmed to the longest. The
other form does the work of a step in the released code. It pools the whole catalogue, adapts every
position of every row separately, adapts the whole catalogue to pick the targets, encodes one
modality after the other, and pads all rows to ``max_len``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msm4sr_lite.config import FinetuneConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE, Modalities, match_scores
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.losses import ranking_loss
from msm4sr_lite.mixup import complementary_mixup, draw_probability, draw_swaps
from msm4sr_lite.objectives import contrastive_losses
from msm4sr_lite.sequences import Batch, pad


def pretraining(
    model: M2SE, table: FeatureTable, batch: Batch, config: PretrainConfig, careful: bool
) -> Tensor:
    """Return the loss of rows with one target each, without sequence drop, which saves work."""
    generator = torch.Generator().manual_seed(0)
    rows, last = batch.targets.nonzero(as_tuple=True)
    target, items = batch.targets[rows, last], batch.items if careful else _full(batch.items, model)
    if careful:
        unique, place = torch.cat([items.flatten(), target]).unique(return_inverse=True)
        embeddings = model.item_embeddings(table, unique)
        in_rows, of_targets = place[: items.numel()], place[items.numel() :]
        sequence = {m: z[in_rows].view(*items.shape, -1) for m, z in embeddings.items()}
        target_embeddings = {m: z[of_targets] for m, z in embeddings.items()}
    else:
        pooled = _pooled(model, table)
        sequence = _adapt_each(model, pooled, items)
        target_embeddings = {m: model.adapt[m](e)[target] for m, e in pooled.items()}
    p = draw_probability(config.mixup_max, len(items), generator)
    text, image = sequence.values()
    mixed = complementary_mixup(text, image, draw_swaps(items, p, generator))
    states = _encode_last(model, dict(zip(sequence, mixed, strict=True)), rows, last, careful)
    losses = contrastive_losses(model, states, target_embeddings, target, batch.users[rows], config)
    return losses[0]


def finetuning(
    model: M2SE, table: FeatureTable, batch: Batch, config: FinetuneConfig, careful: bool
) -> Tensor:
    """Return the cross-entropy over the catalogue, for rows with one target each."""
    rows, last = batch.targets.nonzero(as_tuple=True)
    target, items = batch.targets[rows, last], batch.items if careful else _full(batch.items, model)
    catalogue = torch.arange(len(table.items))
    if careful:
        embeddings = model.with_ids(model.item_embeddings(table, catalogue), catalogue)
        sequence = {m: z[items] for m, z in embeddings.items()}
    else:
        assert model.ids is not None
        pooled = _pooled(model, table)
        embeddings = _adapt_all(model, pooled)
        ids = model.ids(items)
        sequence = {m: z + ids for m, z in _adapt_each(model, pooled, items).items()}
    scores = match_scores(_encode_last(model, sequence, rows, last, careful), embeddings)
    return ranking_loss(scores[:, 1:], target - 1, temperature=config.temperature)


def ranks(
    model: M2SE, table: FeatureTable, histories: list[np.ndarray], targets: np.ndarray
) -> np.ndarray:
    """Rank like the released code, which computes all item embeddings again for every batch."""

    class Recomputing:
        @torch.inference_mode()
        def score(self, histories: Sequence[np.ndarray]) -> Tensor:
            embeddings = _adapt_all(model, _pooled(model, table))
            items = _full(pad(histories, model.config.max_len), model)
            sequence = {m: z[items] for m, z in embeddings.items()}
            last = torch.tensor([min(len(h), items.shape[1]) - 1 for h in histories])
            states = _encode_last(
                model, sequence, torch.arange(len(histories)), last, careful=False
            )
            return match_scores(states, embeddings)

    return target_ranks(Recomputing(), histories, targets)


def _pooled(model: M2SE, table: FeatureTable) -> Modalities:
    """Pool all items without gradients, as the released code does in each step."""
    catalogue = torch.arange(len(table.items))
    with torch.no_grad():
        return {m: model.pool[m](*getattr(table, m).gather(catalogue))[0] for m in model.modalities}


def _adapt_all(model: M2SE, pooled: Modalities) -> Modalities:
    """Return the embeddings of the whole catalogue."""
    catalogue = torch.arange(len(next(iter(pooled.values()))))
    return model.with_ids({m: model.adapt[m](e) for m, e in pooled.items()}, catalogue)


def _adapt_each(model: M2SE, pooled: Modalities, items: Tensor) -> Modalities:
    """Adapt every position separately, padding included: ``(batch, time, d)``."""
    return {m: model.adapt[m](e[items.flatten()]).view(*items.shape, -1) for m, e in pooled.items()}


def _full(items: Tensor, model: M2SE) -> Tensor:
    return F.pad(items, (0, model.config.max_len - items.shape[1]))


def _encode_last(
    model: M2SE, sequence: Modalities, rows: Tensor, last: Tensor, careful: bool
) -> Modalities:
    """Return the states at the places of the targets, ``(rows, d)``."""
    if careful:
        states = model.encode(sequence)
    else:
        states = {m: model.transformer(x) for m, x in sequence.items()}
    return {m: h[rows, last] for m, h in states.items()}
