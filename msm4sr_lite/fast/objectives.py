"""Compute training losses with less work: fewer items, positions and padding; several processes."""

from collections.abc import Callable

import torch
from torch import Tensor

from msm4sr_lite.config import FinetuneConfig, PretrainConfig
from msm4sr_lite.encoder import M2SE, Modalities, concat_normalized, gather_rows
from msm4sr_lite.fast.distributed import GatherRows, process_rank, row_ranges
from msm4sr_lite.fast.encoder import encode_at
from msm4sr_lite.fast.losses import catalogue_loss, sampled_loss
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.mixup import augment, complementary_mixup
from msm4sr_lite.objectives import Losses, contrastive_losses, draw_negatives
from msm4sr_lite.sequences import Batch

# Number of sequences in one encoder call on a CPU. They have similar lengths, so there is little
# padding. A GPU encodes a whole batch in one call. Pays from two such groups on.
ROWS_TOGETHER = 32


def pretraining_loss(
    model: M2SE,
    table: FeatureTable,
    batch: Batch,
    config: PretrainConfig,
    generator: torch.Generator,
) -> Losses:
    """Compute ``objectives.pretraining_loss``; each of several processes encodes its own rows."""
    shortened, last_kept, swaps = augment(batch.items, config, generator)
    rows, position = batch.targets.nonzero(as_tuple=True)
    target = batch.targets[rows, position]
    # Each process encodes its local rows, and knows which targets the other processes have.
    ranges = row_ranges(len(batch.items))
    blocks = [(rows >= part.start) & (rows < part.stop) for part in ranges]
    local, is_local = ranges[process_rank()[0]], blocks[process_rank()[0]]

    # Only the items of this batch are pooled and adapted, each of them once.
    inputs, swaps = shortened[local], swaps[local]
    unique, place = torch.cat([inputs.flatten(), target[is_local]]).unique(return_inverse=True)
    embeddings = model.item_embeddings(table, unique)
    input_rows, target_rows = place[: inputs.numel()].view_as(inputs), place[inputs.numel() :]

    def sequence(group: slice, time: int) -> Modalities:
        z = gather_rows(embeddings, input_rows[group, :time])
        if len(z) == 2:
            mixed = complementary_mixup(z["text"], z["image"], swaps[group, :time])
            z = dict(zip(("text", "image"), mixed, strict=True))
        return z

    needed = last_kept[rows[is_local], position[is_local]]
    h = encode_in_groups(model, sequence, inputs, rows[is_local] - local.start, needed)
    z = gather_rows(embeddings, target_rows)
    if len(blocks) > 1:
        sizes = [int(block.sum()) for block in blocks]
        h = {modality: GatherRows.apply(x.float(), sizes) for modality, x in h.items()}
        z = {modality: GatherRows.apply(x.float(), sizes) for modality, x in z.items()}
    return contrastive_losses(model, h, z, target, batch.users[rows], config)


def finetuning_loss(
    model: M2SE,
    table: FeatureTable,
    batch: Batch,
    config: FinetuneConfig,
    generator: torch.Generator,
    popularity: Tensor | None = None,
) -> Losses:
    """Compute ``objectives.finetuning_loss``; only items that are needed are pooled and adapted."""
    config = config.for_catalogue(len(table.items) - 1)
    total, ranges = (batch.targets > 0).sum(), row_ranges(len(batch.items))
    local = ranges[process_rank()[0]]
    inputs, targets = batch.items[local], batch.targets[local]
    rows, position = targets.nonzero(as_tuple=True)
    target = targets[rows, position]
    items = torch.arange(len(table.items), device=target.device)
    popularity = items.sign() / (len(items) - 1) if popularity is None else popularity
    row_of = items  # from the number of an item to its row among the embeddings
    if config.candidates == "seen":
        items = torch.cat([items[:1], popularity.nonzero().squeeze(1)])
    if config.n_negatives:
        drawn, log_count = draw_negatives(popularity, config.n_negatives, generator)
        items = torch.cat([inputs.flatten(), target, drawn]).unique()
    row_of = row_of.scatter(0, items, torch.arange(len(items), device=items.device))
    embeddings = model.with_ids(model.item_embeddings(table, items), items)

    def sequence(group: slice, time: int) -> Modalities:
        return gather_rows(embeddings, row_of[inputs[group, :time]])

    h = concat_normalized(encode_in_groups(model, sequence, inputs, rows, position))
    z = concat_normalized(embeddings)
    if config.n_negatives:
        hit, tau = drawn == target.unsqueeze(1), config.temperature
        loss = sampled_loss(h, z[row_of[target]], z[row_of[drawn]], hit, log_count, temperature=tau)
    else:
        first = 0 if config.pad_class else 1  # row 0 is padding
        column = row_of[target] - first
        loss = catalogue_loss(h, z[first:], column, temperature=config.temperature)
    # Gradients are averaged as if all processes had the same number of targets; correct for that.
    loss = loss * (len(target) * len(ranges) / total)
    return loss, {"ranking": loss}


def encode_in_groups(
    model: M2SE,
    sequence: Callable[[slice, int], Modalities],
    items: Tensor,
    rows: Tensor,
    positions: Tensor,
) -> Modalities:
    """Return the states of the sequences ``rows``, in ascending order, at their ``positions``.

    Neighbouring sequences are encoded together, trimmed to the longest of them. Batches are drawn
    at random and then sorted by length. This saves padding and does not change the negatives.

    Parameters
    ----------
    model
        The encoder.
    sequence
        Function that returns the embeddings of a range of sequences, cut to a number of positions.
    items
        Item numbers of all sequences, ``(batch, time)``.
    rows, positions
        Which states are needed, ``(needed,)``.
    """
    lengths, counts = (items != 0).sum(dim=1), rows.bincount(minlength=len(items))
    column = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    at = positions.new_zeros(len(items), int(counts.max()))  # one column per needed state of a row
    at[rows, column] = positions
    size = ROWS_TOGETHER if items.device.type == "cpu" else len(items)
    found = []
    for first in range(0, len(items), size):
        group, inside = slice(first, first + size), (rows >= first) & (rows < first + size)
        needed = at[group, : int(counts[group].max())]
        states = encode_at(model, sequence(group, int(lengths[group].max())), needed)
        picked = rows[inside] - first, column[inside]
        found.append({modality: h[picked] for modality, h in states.items()})
    return {m: torch.cat([part[m] for part in found]) for m in model.modalities}
