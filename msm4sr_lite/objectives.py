"""Compute the loss that one training step minimizes from a batch.

Pre-training: drop items -> mixup -> encode -> NIP and CMCL. Fine-tuning: encode -> cross-entropy
over the catalogue. One pass over a sequence trains all of its prefixes. The encoder is causal, so
its state at position k represents the first k items, and each position predicts the next item.
"""

from typing import Any

import torch
from torch import Generator, Tensor

from msm4sr_lite import losses
from msm4sr_lite.config import FinetuneConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE, Modalities, gather_rows, match_scores
from msm4sr_lite.fast import has_fast_form
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.mixup import augment, complementary_mixup
from msm4sr_lite.sequences import Batch

Losses = tuple[Tensor, dict[str, Tensor]]  # the total, and its unweighted parts by name


@has_fast_form
def pretraining_loss(
    model: M2SE, table: FeatureTable, batch: Batch, config: PretrainConfig, generator: Generator
) -> Losses:
    """Return the weighted sum of NIP_t, NIP_v and CMCL for one batch, and these parts, in nats.

    Items are dropped from the inputs only. Every item except a sequence's first remains a target
    and is predicted from the last kept item before it. A model with one modality uses neither mixup
    nor CMCL. Source: abstract and released code; the loss over all positions is ours.

    Parameters
    ----------
    model, table
        The encoder, and the features of all items.
    batch
        Sequences with the target of each position.
    config
        Augmentation, loss weights, temperature.
    generator
        Random numbers for dropping and mixup.
    """
    rows, position = batch.targets.nonzero(as_tuple=True)  # one prediction per target
    target = batch.targets[rows, position]
    items, last_kept, swaps = augment(batch.items, config, generator)

    z = gather_rows(*embed(model, table, items))
    if len(z) == 2:
        z["text"], z["image"] = complementary_mixup(z["text"], z["image"], swaps)
    h = model.encode(z)  # (batch, time, d) per modality
    h = {modality: states[rows, last_kept[rows, position]] for modality, states in h.items()}
    z = gather_rows(*embed(model, table, target))
    return contrastive_losses(model, h, z, target, batch.users[rows], config)


def embed(model: M2SE, table: FeatureTable, items: Tensor) -> tuple[Modalities, Tensor]:
    """Embed each distinct item once; return the embeddings and the row of each of ``items``."""
    unique, row = items.unique(return_inverse=True)
    return model.item_embeddings(table, unique), row


def contrastive_losses(
    model: M2SE, h: Modalities, z: Modalities, target: Tensor, users: Tensor, config: PretrainConfig
) -> Losses:
    """Return nip_weight (NIP_t + NIP_v) + cmcl_weight CMCL, and the parts, in nats.

    The projections P_t and P_v (released code, off by default) each map both h_t and h_v. NIP then
    has two positives per row, and CMCL is the sum of one term per projection.

    Parameters
    ----------
    model
        The model whose projections are used, if it has any.
    h, z
        Sequence representation and target embedding of every row: ``(rows, d)`` per modality.
    target, users
        Item number of the target and user index of every row.
    config
        Loss weights, temperature and treatment of false negatives.
    """
    logit = losses.EXCLUDED if config.same_target == "exclude" else 0.0
    options: dict[str, Any] = {"temperature": config.temperature, "masked_logit": logit}
    masked = losses.false_negatives(target, users, same_user=config.nip_same_user == "exclude")
    if model.project:
        both = torch.stack(list(h.values()))
        h = {modality: project(both) for modality, project in model.project.items()}
    nip = {m: losses.next_item_loss(h[m], z[m], masked, **options) for m in model.modalities}
    parts = {f"nip_{modality}": loss for modality, loss in nip.items()}
    total = config.nip_weight * torch.stack(list(nip.values())).sum()
    if len(model.modalities) == 2:
        masked = losses.false_negatives(target, users, same_user=config.cmcl_same_user == "exclude")
        pairs = h.values() if model.project else [h.values()]
        options["form"] = config.cmcl_form
        cmcl = [losses.cross_modal_loss(t, v, masked, **options) for t, v in pairs]
        parts["cmcl"] = torch.stack(cmcl).sum()
        total = total + config.cmcl_weight * parts["cmcl"]
    return total, parts


@has_fast_form
def finetuning_loss(
    model: M2SE,
    table: FeatureTable,
    batch: Batch,
    config: FinetuneConfig,
    generator: Generator,
    popularity: Tensor | None = None,
) -> Losses:
    """Return the cross-entropy of the next item among all items, in nats.

    Source: released code; ``candidates``, ``n_negatives`` and the exclusion of padding are ours.

    Parameters
    ----------
    model, table, batch
        As in ``pretraining_loss``.
    config
        ``candidates="seen"`` leaves items without training interactions out of the softmax. With
        ``n_negatives`` above 0, that many items, drawn by popularity, replace all items (logQ
        correction: Bengio and Senecal, 2008).
    generator
        Random numbers for the sampled negatives.
    popularity
        Share of each item in the training interactions, ``(items + 1,)``. With
        ``candidates="all"``, one interaction is added to every item. None: equal shares.
    """
    config = config.for_catalogue(len(table.items) - 1)
    rows, position = batch.targets.nonzero(as_tuple=True)
    target = batch.targets[rows, position]
    items = torch.arange(len(table.items), device=target.device)
    popularity = items.sign() / (len(items) - 1) if popularity is None else popularity

    z = model.with_ids(model.item_embeddings(table, items), items)
    h = model.encode(gather_rows(z, batch.items))
    scores = match_scores({modality: states[rows, position] for modality, states in h.items()}, z)
    tau = config.temperature
    if config.n_negatives:
        drawn, log_count = draw_negatives(popularity, config.n_negatives, generator)
        loss = losses.sampled_ranking_loss(scores, target, drawn, log_count, temperature=tau)
    else:
        is_class = popularity > 0 if config.candidates == "seen" else items > 0
        is_class[0] = config.pad_class
        scores = scores.masked_fill(~is_class, losses.EXCLUDED)
        loss = losses.ranking_loss(scores, target, temperature=tau)
    return loss, {"ranking": loss}


def draw_negatives(popularity: Tensor, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Draw items by popularity, with replacement; return them and log(count * popularity)."""
    drawn = popularity.cpu().multinomial(count, True, generator=generator).to(popularity.device)
    return drawn, (count * popularity[drawn]).log()
