"""What one training step minimises: from a batch of purchases to a loss.

One pass over a sequence trains all of its prefixes: the encoder is causal, so its state at
position k is the representation of the first k items, and each position predicts the item that
follows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from msm4sr_lite.config import FinetuneConfig, PretrainConfig
from msm4sr_lite.encoder import (
    M2SE,
    Modalities,
    concat_normalized,
    gather_rows,
)
from msm4sr_lite.fast.distributed import processes, shares
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.losses import (
    EXCLUDED,
    catalogue_loss,
    cross_modal_loss,
    false_negatives,
    next_item_loss,
    sampled_loss,
)
from msm4sr_lite.mixup import (
    complementary_mixup,
    draw_kept,
    draw_probability,
    draw_swaps,
    drop_items,
)
from msm4sr_lite.sequences import Batch

Losses = tuple[Tensor, dict[str, Tensor]]
ROWS_TOGETHER = 32  # sequences in one call of the encoder on a CPU, all of about one length


def pretraining_loss(
    model: M2SE,
    table: FeatureTable,
    batch: Batch,
    config: PretrainConfig,
    generator: torch.Generator,
) -> Losses:
    """Return the weighted sum of NIP_t, NIP_v and CMCL for one batch, and these parts.

    Items are dropped from the inputs only: every item but a sequence's first stays a target,
    predicted from the last survivor before it. A model with one view has no mixup and no CMCL.
    """
    count = len(batch.items)
    share = draw_probability(config.drop_max, count, generator, per=config.drop_per)
    survives = draw_kept(batch.items, share, generator, keep=config.drop_keeps)
    shortened, state = drop_items(batch.items, survives)
    fixed = config.mixup_draw == "fixed"
    p = draw_probability(config.mixup_max, count, generator, per=config.mixup_per, fixed=fixed)
    swaps = draw_swaps(shortened, p, generator)

    rows, position = batch.targets.nonzero(as_tuple=True)
    target, users = batch.targets[rows, position], batch.users[rows]
    # Each process encodes its own rows; all of them know which targets the others have.
    blocks = [(rows >= part.start) & (rows < part.stop) for part in shares(count)]
    mine, own = shares(count)[processes()[0]], blocks[processes()[0]]

    # Only the items of this batch are pooled and adapted, each of them once.
    inputs, swaps = shortened[mine], swaps[mine]
    unique, place = torch.cat([inputs.flatten(), target[own]]).unique(return_inverse=True)
    vectors = model.item_embeddings(table, unique)
    inside, aim = place[: inputs.numel()].view_as(inputs), place[inputs.numel() :]

    def sequence(group: slice, time: int) -> Modalities:
        modalities = gather_rows(vectors, inside[group, :time])
        if model.config.modalities != "both":
            return modalities
        mixed = complementary_mixup(modalities["text"], modalities["image"], swaps[group, :time])
        return dict(zip(("text", "image"), mixed, strict=True))

    wanted = state[rows[own], position[own]]
    hidden = _states(model, sequence, inputs, rows[own] - mine.start, wanted)
    goal = gather_rows(vectors, aim)
    if len(blocks) > 1:
        sizes = [int(block.sum()) for block in blocks]
        hidden = {modality: _Gather.apply(h.float(), sizes) for modality, h in hidden.items()}
        goal = {modality: _Gather.apply(g.float(), sizes) for modality, g in goal.items()}
    return contrastive_losses(model, hidden, goal, target, users, config)


def contrastive_losses(
    model: M2SE,
    hidden: Modalities,
    goal: Modalities,
    target: Tensor,
    users: Tensor,
    config: PretrainConfig,
) -> Losses:
    """Return the weighted sum of the losses and its parts.

    Parameters
    ----------
    model
        For its projections, if it has any.
    hidden
        h_t and h_v of every row.
    goal
        g_t and g_v, the vectors of every row's target item.
    target, users
        Item number and customer number of every row.
    config
        Weights, temperature, negatives.
    """
    nip_masked = false_negatives(target, users, same_user=config.nip_same_user == "exclude")
    cmcl_masked = false_negatives(target, users, same_user=config.cmcl_same_user == "exclude")
    options = {
        "temperature": config.temperature,
        "masked_logit": EXCLUDED if config.same_target == "exclude" else 0.0,
    }
    # With projections P_t and P_v, each maps both states, and each has its own pair of losses.
    states = {modality: torch.stack(list(hidden.values())) for modality in model.project}
    states = {
        modality: model.project[modality](both) for modality, both in states.items()
    } or hidden
    parts = {
        f"nip_{modality}": next_item_loss(states[modality], goal[modality], nip_masked, **options)
        for modality in model.modalities
    }
    total = config.nip_weight * torch.stack(list(parts.values())).sum()
    if model.config.modalities == "both":
        pairs = states.values() if model.config.projections else [tuple(hidden.values())]
        parts["cmcl"] = torch.stack(
            [
                cross_modal_loss(text, image, cmcl_masked, form=config.cmcl_form, **options)
                for text, image in pairs
            ]
        ).sum()
        total = total + config.cmcl_weight * parts["cmcl"]
    return total, parts


def finetuning_loss(
    model: M2SE,
    table: FeatureTable,
    batch: Batch,
    config: FinetuneConfig,
    generator: torch.Generator,
    popularity: Tensor | None = None,
) -> Losses:
    """Return the cross-entropy of the next item among all items of the catalogue.

    ``popularity (items + 1,)`` says how often each item is bought; with ``config.candidates`` at
    ``bought``, items that never are take no part. With ``config.n_negatives`` so many items, drawn
    by popularity, stand for the catalogue, and only they and the items of the batch are pooled
    and adapted.
    """
    total, blocks = (batch.targets > 0).sum(), shares(len(batch.items))
    mine = blocks[processes()[0]]
    inputs, targets = batch.items[mine], batch.targets[mine]
    rows, position = targets.nonzero(as_tuple=True)
    target = targets[rows, position]
    items = torch.arange(len(table.items), device=target.device)
    share = items.sign() / (len(items) - 1) if popularity is None else popularity
    place = items  # from the number of an item to its row
    if config.candidates == "seen":
        items = torch.cat([items[:1], share.nonzero().squeeze(1)])
    if config.n_negatives:
        drawn = share.cpu().multinomial(config.n_negatives, True, generator=generator).to(items)
        items = torch.cat([inputs.flatten(), target, drawn]).unique()
    place = place.scatter(0, items, torch.arange(len(items), device=items.device))
    vectors = model.with_ids(model.item_embeddings(table, items), items)

    def sequence(group: slice, time: int) -> Modalities:
        return gather_rows(vectors, place[inputs[group, :time]])

    h = concat_normalized(_states(model, sequence, inputs, rows, position))
    z, first = (
        concat_normalized(vectors),
        0 if config.pad_class else 1,
    )  # row 0, padding, is no class
    if config.n_negatives:
        items_of = z[place[target]], z[place[drawn]]
        log_count, hit = (config.n_negatives * share[drawn]).log(), drawn == target.unsqueeze(1)
        loss = sampled_loss(h, *items_of, hit, log_count, temperature=config.temperature)
    else:
        loss = catalogue_loss(h, z[first:], place[target] - first, temperature=config.temperature)
    # Gradients are averaged over processes, as if these had the same number of targets.
    loss = loss * (len(target) * len(blocks) / total)
    return loss, {"ranking": loss}


class _Gather(torch.autograd.Function):
    """Rows of all processes, one process after the other.

    Every process then computes the same joint loss, and its own rows' gradient is complete. Since
    gradients of weights are averaged over processes, it counts as many times as there are.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: list[int]) -> Tensor:
        before = sum(sizes[: processes()[0]])
        ctx.own, ctx.world = slice(before, before + len(own)), len(sizes)
        padded = own.new_zeros(max(sizes), *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[ctx.own] * ctx.world, None


def _states(
    model: M2SE,
    sequence: Callable[[slice, int], Modalities],
    items: Tensor,
    rows: Tensor,
    places: Tensor,
) -> Modalities:
    """Return the states of the sequences ``rows``, in ascending order, at their ``places``.

    Neighbouring sequences are encoded together, trimmed to the longest of them. Batches are drawn
    at random and then sorted by length, so this saves padding and changes no negative.
    """
    lengths, counts = (items != 0).sum(dim=1), rows.bincount(minlength=len(items))
    column = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    at = places.new_zeros(len(items), int(counts.max()))  # one column for each state of a row
    at[rows, column] = places
    size = ROWS_TOGETHER if items.device.type == "cpu" else len(items)
    found = []
    for first in range(0, len(items), size):
        group, own = slice(first, first + size), (rows >= first) & (rows < first + size)
        # The last layer works out only the states that somebody asks for.
        wanted = at[group, : int(counts[group].max())]
        states = model.encode(sequence(group, int(lengths[group].max())), wanted)
        found.append(
            {modality: h[rows[own] - first, column[own]] for modality, h in states.items()}
        )
    return {
        modality: torch.cat([part[modality] for part in found]) for modality in model.modalities
    }
