"""Measure differences to the released code that need no training.

This study made the tables on pooling, on rows with the same target and on sums of exponentials in
``docs/differences.md``. ``benchmarks.studies.differences`` runs it.
"""

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
    """Return all results; ``model`` is pre-trained, for losses of a realistic size."""
    torch.manual_seed(0)
    untrained = M2SE(model.config)
    return {
        "pooling": {modality: pooling(table, modality) for modality in ("text", "image")},
        "same_target": same_target(model, untrained, table, sequences),
        "cmcl": [subtracting(rows) for rows in (2, 4, 8, 32, 256, 1024)],
    }


@torch.no_grad()
def pooling(table: FeatureTable, modality: str, seed: int = 0) -> dict[str, Any]:
    """Measure the effects of untrained attention pooling and of unmasked padding.

    Returns
    -------
    results
        ``cosine_to_mean``: smallest cosine over all items between the embedding of untrained
        attention pooling and the mean of the slots. ``slots``: S, the largest number of slots.
        ``weight_of_real``: without a mask, the share of the weight on real slots, by their number
        k. ``alike``: mean cosine between the adapted embeddings of two items, with and without a
        mask. ``ten_more``: change of the pooled embeddings, relative to their length, when ten
        empty slots are added.
    """
    torch.manual_seed(seed)
    model = M2SE(ModelConfig(feature_dim=table.width)).eval()
    attention = model.pool[modality]
    slots, valid = getattr(table, modality).gather(torch.arange(1, len(table.items)))
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
        z = F.normalize(model.adapt[modality](pooled), dim=1)
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
    """Return NIP of the text with same-target pairs masked, and the change by a logit of 0.

    It is computed for two models on batches of the dataset, and for random unit embeddings instead
    of states and items. For random embeddings, a logit of 0 is typical.
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
                    generator = torch.Generator().manual_seed(1)
                    config = PretrainConfig(same_target=form)
                    parts = pretraining_loss(model, table, batch, config, generator)[1]
                    pair.append(float(parts["nip_text"]))
                losses[name].append(pair)
            target = batch.targets[batch.targets > 0]
            generator = torch.Generator().manual_seed(2)
            states, items = (
                torch.randn(count, DIM, generator=generator)
                for count in (len(target), len(table.items))
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
            excluded, zero = np.mean(pairs, axis=0)
            row[name] = {
                "exclude": round(float(excluded), 4),
                "added": round(float(zero - excluded), 5),
            }
        found.append(row)
    return found


def subtracting(rows: int, trials: int = 500) -> dict[str, Any]:
    """Compare the exact CMCL with sums from which the self term is subtracted, in float32.

    There are ``rows`` random unit embeddings of each modality; all rows have different targets.
    ``broken`` is the share of trials in which the subtracted form is not finite, ``error`` its mean
    error in the others; ``library_error`` is that of ``losses.cross_modal_loss``.
    """
    trials = max(20, min(trials, 40_000 // rows))
    generator = torch.Generator().manual_seed(rows)
    masked = torch.eye(rows, dtype=torch.bool)
    broken, errors, library_errors = 0, [], []
    for _ in range(trials):
        modalities = torch.randn(2, rows, DIM, generator=generator)
        exact, rough = (
            float(cross_modal_sums(*F.normalize(each, dim=-1)))
            for each in (modalities.double(), modalities)
        )
        ours = cross_modal_loss(
            modalities[0], modalities[1], masked, temperature=TEMPERATURE, form="rowwise"
        )
        library_errors.append(abs(float(ours) - exact))
        if math.isfinite(rough):
            errors.append(abs(rough - exact))
        else:
            broken += 1
    return {
        "rows": rows,
        "trials": trials,
        "broken": round(broken / trials, 3),
        "error": float(f"{np.mean(errors):.1e}"),
        "library_error": float(f"{np.mean(library_errors):.1e}"),
    }


def cross_modal_sums(text: Tensor, image: Tensor) -> Tensor:
    """Return row-wise CMCL as a sum minus its term e^(1/tau), which loses digits in float32.

    Both inputs are unit embeddings ``(rows, d)``. In float64 the result can serve as a reference.
    """
    across = (text @ image.T / TEMPERATURE).exp()
    loss = torch.zeros((), dtype=text.dtype)
    for modality in (text, image):
        within = (modality @ modality.T / TEMPERATURE).exp()
        everything = across.sum(dim=1) + within.sum(dim=1) - math.exp(1 / TEMPERATURE)
        loss = loss - (across.diagonal() / everything).log().mean() / 2
    return loss
