"""Differences to the released code that show without training a variant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msm4sr_lite.config import ModelConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.losses import (
    EXCLUDED,
    cross_modal_loss,
    false_negatives,
    next_item_loss,
)
from msm4sr_lite.sequences import Sequences, training_batches
from msm4sr_lite.training import pretraining_loss

TEMPERATURE, DIM = 0.07, 64


def measure(model: M2SE, table: FeatureTable, sequences: Sequences) -> dict[str, Any]:
    """Return all figures; ``model`` is a pre-trained one, for the size of the losses."""
    torch.manual_seed(0)
    untrained = M2SE(model.config)
    return {
        "pooling": {view: pooling(table, view) for view in ("text", "image")},
        "same_target": same_target(model, untrained, table, sequences),
        "cmcl": [subtracting(rows) for rows in (2, 4, 8, 32, 256, 1024)],
    }


@torch.no_grad()
def pooling(table: FeatureTable, view: str, seed: int = 0) -> dict[str, Any]:
    """Return what a frozen attention and unmasked padding do to one modality of the sample.

    Returns
    -------
    figures
        ``cosine_to_mean``: of an untrained slot attention's vector with the plain mean of an
        item's slots, the smallest over all items. ``slots``: S, the most slots of an item.
        ``weight_of_real``: without a mask, the share of the weight that falls on real slots, by
        their number k. ``alike``: mean cosine between the adapted vectors of two items, without
        and with a mask. ``ten_more``: change of the pooled vectors, relative to their length, when
        ten empty slots are added.
    """
    torch.manual_seed(seed)
    model = M2SE(ModelConfig(feature_dim=table.width)).eval()
    attention = model.pool[view]
    slots, valid = getattr(table, view).gather(torch.arange(1, len(table.items)))
    some = valid.any(dim=1)
    slots, valid = slots[some], valid[some]
    counts = valid.sum(dim=1)
    found = {}
    for name, mask in (("masked", True), ("unmasked", False)):
        attention.mask_padding = mask  # type: ignore[assignment]
        found[name] = attention(slots, valid)
    longer = attention(F.pad(slots, (0, 0, 0, 10)), F.pad(valid, (0, 10)))[0]
    mean = slots.sum(dim=1) / counts[:, None]
    unmasked, weights = found["unmasked"]
    alike = {}
    for name, (pooled, _) in found.items():
        z = F.normalize(model.adapt[view](pooled), dim=1)
        alike[name] = round(float((z.sum(0).square().sum() - len(z)) / (len(z) * (len(z) - 1))), 4)
    change = (longer - unmasked).norm(dim=1) / unmasked.norm(dim=1)
    real = (weights * valid).sum(dim=1)
    return {
        "cosine_to_mean": round(float(F.cosine_similarity(found["masked"][0], mean).min()), 4),
        "slots": int(valid.shape[1]),
        "weight_of_real": {
            str(k): round(float(real[counts == k].mean()), 3) for k in counts.unique().tolist()
        },
        "alike": alike,
        "ten_more": round(float(change.mean()), 3),
    }


@torch.no_grad()
def same_target(
    trained: M2SE,
    untrained: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    sizes: Sequence[int] = (32, 256, 1024),
    batches: int = 20,
) -> list[dict[str, Any]]:
    """Return NIP of the text with same-target pairs left out, and what logit 0 adds to it.

    On batches of the shop with two models, and with random unit vectors in place of all states
    and items, where logit 0 counts like any other pair.
    """
    found = []
    for size in sizes:
        losses: dict[str, list[list[float]]] = {"untrained": [], "trained": [], "random": []}
        drawn = training_batches(
            sequences, trained.config.max_len, size, torch.Generator().manual_seed(0)
        )
        for batch in islice(drawn, batches):
            for name, model in (("untrained", untrained.eval()), ("trained", trained.eval())):
                pair = []
                for form in ("exclude", "zero_logit"):
                    dice = torch.Generator().manual_seed(1)
                    config = PretrainConfig(same_target=form)
                    parts = pretraining_loss(model, table, batch, config, dice)[1]
                    pair.append(float(parts["nip_text"]))
                losses[name].append(pair)
            target = batch.targets[batch.targets > 0]
            dice = torch.Generator().manual_seed(2)
            states, items = (
                torch.randn(count, DIM, generator=dice) for count in (len(target), len(table.items))
            )
            masked = false_negatives(target, target, same_user=False)
            pair = []
            for logit in (EXCLUDED, 0.0):
                loss = next_item_loss(
                    states, items[target], masked, temperature=TEMPERATURE, masked_logit=logit
                )
                pair.append(float(loss))
            losses["random"].append(pair)
        row: dict[str, Any] = {"targets": size}
        for name, pairs in losses.items():
            left_out, zero = np.mean(pairs, axis=0)
            row[name] = {
                "exclude": round(float(left_out), 4),
                "added": round(float(zero - left_out), 5),
            }
        found.append(row)
    return found


def subtracting(rows: int, trials: int = 500) -> dict[str, Any]:
    """Compare CMCL as sums with the self term subtracted, float32, with the exact value.

    ``rows`` random unit vectors of either view, no two rows with the same target. ``broken`` is the
    share of trials in which the subtracted form is not finite, ``error`` its mean error in the
    others; ``own_error`` is that of ``losses.cross_modal_loss``.
    """
    trials = max(20, min(trials, 40_000 // rows))
    dice = torch.Generator().manual_seed(rows)
    masked = torch.eye(rows, dtype=torch.bool)
    broken, errors, own = 0, [], []
    for _ in range(trials):
        modalities = torch.randn(2, rows, DIM, generator=dice)
        exact, rough = (
            float(cross_modal_sums(*F.normalize(each, dim=-1)))
            for each in (modalities.double(), modalities)
        )
        ours = cross_modal_loss(
            modalities[0], modalities[1], masked, temperature=TEMPERATURE, form="rowwise"
        )
        own.append(abs(float(ours) - exact))
        if math.isfinite(rough):
            errors.append(abs(rough - exact))
        else:
            broken += 1
    return {
        "rows": rows,
        "trials": trials,
        "broken": round(broken / trials, 3),
        "error": float(f"{np.mean(errors):.1e}"),
        "own_error": float(f"{np.mean(own):.1e}"),
    }


def cross_modal_sums(text: Tensor, image: Tensor) -> Tensor:
    """Return row-wise CMCL the way that loses digits: add up everything, then subtract e^(1/tau).

    Both inputs are unit vectors ``(rows, d)``. In float64 it is exact enough to serve as truth.
    """
    across = (text @ image.T / TEMPERATURE).exp()
    loss = torch.zeros((), dtype=text.dtype)
    for view in (text, image):
        within = (view @ view.T / TEMPERATURE).exp()
        everything = across.sum(dim=1) + within.sum(dim=1) - math.exp(1 / TEMPERATURE)
        loss = loss - (across.diagonal() / everything).log().mean() / 2
    return loss
