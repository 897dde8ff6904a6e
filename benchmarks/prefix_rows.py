"""The same model trained with one row per target, to compare with: two ways of doing it.

``careful``: only the batch's items are pooled and adapted, each once, both views in one call of
the encoder, rows trimmed to the longest. ``plain``: the work that the released code does in a
step, as its description has it: the whole catalogue is pooled, every position of every row is
adapted by itself, the whole catalogue is adapted to pick the targets, the views are encoded one
after the other, and all rows are 50 long.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msm4sr_lite.config import FinetuneConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE, match_scores
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.losses import ranking_loss
from msm4sr_lite.mixup import complementary_mixup, draw_probability, draw_swaps
from msm4sr_lite.objectives import contrastive_losses
from msm4sr_lite.sequences import Batch, pad


def pretraining(
    model: M2SE, table: FeatureTable, batch: Batch, config: PretrainConfig, careful: bool
) -> Tensor:
    """Return the loss of rows with one target each; no item is dropped, which is less work."""
    generator = torch.Generator().manual_seed(0)
    rows, last = batch.targets.nonzero(as_tuple=True)
    target, items = batch.targets[rows, last], batch.items if careful else _full(batch.items, model)
    if careful:
        unique, place = torch.cat([items.flatten(), target]).unique(return_inverse=True)
        vectors = model.item_embeddings(table, unique)
        sequence = {view: z[place[: items.numel()]].view(*items.shape, -1) for view, z in vectors.items()}  # fmt: skip  # noqa: E501
        goal = {view: z[place[items.numel() :]] for view, z in vectors.items()}
    else:
        pooled = _pooled(model, table)
        sequence = {view: model.adapt[view](e[items.flatten()]).view(*items.shape, -1) for view, e in pooled.items()}  # fmt: skip  # noqa: E501
        goal = {view: model.adapt[view](e)[target] for view, e in pooled.items()}
    p = draw_probability(config.mixup_max, len(items), generator)
    mixed = complementary_mixup(*sequence.values(), draw_swaps(items, p, generator))
    hidden = _last(model, dict(zip(sequence, mixed, strict=True)), rows, last, careful)
    return contrastive_losses(model, hidden, goal, target, batch.users[rows], config)[0]


def finetuning(
    model: M2SE, table: FeatureTable, batch: Batch, config: FinetuneConfig, careful: bool
) -> Tensor:
    """Return the cross-entropy over the catalogue of rows with one target each."""
    rows, last = batch.targets.nonzero(as_tuple=True)
    target, items = batch.targets[rows, last], batch.items if careful else _full(batch.items, model)
    everything = torch.arange(len(table.items))
    if careful:
        vectors = model.with_ids(model.item_embeddings(table, everything), everything)
        sequence = {view: z[items] for view, z in vectors.items()}
    else:
        assert model.ids is not None
        pooled = _pooled(model, table)
        vectors = model.with_ids({v: model.adapt[v](e) for v, e in pooled.items()}, everything)
        sequence = {v: model.adapt[v](e[items.flatten()]).view(*items.shape, -1) + model.ids(items) for v, e in pooled.items()}  # fmt: skip  # noqa: E501
    scores = match_scores(_last(model, sequence, rows, last, careful), vectors)
    return ranking_loss(scores[:, 1:], target - 1, temperature=config.temperature)


def ranks(
    model: M2SE, table: FeatureTable, histories: list[np.ndarray], targets: np.ndarray
) -> np.ndarray:
    """Rank as the released code does: the catalogue's vectors are made again for every batch."""

    class Recomputing:
        @torch.inference_mode()
        def score(self, batch: list[np.ndarray]) -> Tensor:
            everything = torch.arange(len(table.items))
            pooled = _pooled(model, table)
            vectors = model.with_ids({v: model.adapt[v](e) for v, e in pooled.items()}, everything)
            items = _full(pad(batch, model.config.max_len), model)
            sequence = {view: z[items] for view, z in vectors.items()}
            last = torch.tensor([min(len(h), items.shape[1]) - 1 for h in batch])
            hidden = _last(model, sequence, torch.arange(len(batch)), last, careful=False)
            return match_scores(hidden, vectors)

    return target_ranks(Recomputing(), histories, targets)


def _pooled(model: M2SE, table: FeatureTable) -> dict[str, Tensor]:
    """Pool all items, which the released code does in each step, without gradients."""
    everything = torch.arange(len(table.items))
    with torch.no_grad():
        return {
            view: model.pool[view](*getattr(table, view).gather(everything))[0]
            for view in model.modalities
        }


def _full(items: Tensor, model: M2SE) -> Tensor:
    return F.pad(items, (0, model.config.max_len - items.shape[1]))


def _last(
    model: M2SE, sequence: dict[str, Tensor], rows: Tensor, last: Tensor, careful: bool
) -> dict[str, Tensor]:
    if careful:
        states = model.encode(sequence)
    else:
        states = {view: model.transformer(x) for view, x in sequence.items()}
    return {view: h[rows, last] for view, h in states.items()}
