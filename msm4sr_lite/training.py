"""Pre-training and fine-tuning.

One pass over a sequence trains all of its prefixes: the encoder is causal, so its state at
position k is the representation of the first k items, and each position predicts the item that
follows it.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.config import (
    FinetuneConfig,
    PretrainConfig,
    TrainConfig,
    UserError,
    whole_folder,
    write_json,
)
from msm4sr_lite.encoder import M2SE, match_scores
from msm4sr_lite.evaluation import ModelScorer, metrics, target_ranks
from msm4sr_lite.features import FeatureTable
from msm4sr_lite.losses import blocked_pairs, cross_modal_loss, next_item_loss, ranking_loss
from msm4sr_lite.mixup import complementary_mixup, draw_survivors, draw_swaps, drop_items
from msm4sr_lite.sequences import Batch, Sequences, training_batches


@dataclass(frozen=True)
class Record:
    """What happened in one step, or, with ``recall``, at the end of one epoch.

    Attributes
    ----------
    step, epoch
        Counted from 1.
    loss
        Total loss in nats.
    parts
        Its unweighted parts.
    targets
        Training targets in this step (in the epoch, for an epoch's record).
    seconds
        Since training began.
    recall
        Validation Recall@20; None inside an epoch.
    best
        Whether this epoch is the best so far.
    """

    step: int
    epoch: int
    loss: float
    parts: dict[str, float] = field(default_factory=dict)
    targets: int = 0
    seconds: float = 0.0
    recall: float | None = None
    best: bool = False


Losses = tuple[Tensor, dict[str, Tensor]]


def pretraining_loss(
    model: M2SE,
    table: FeatureTable,
    batch: Batch,
    config: PretrainConfig,
    generator: torch.Generator,
) -> Losses:
    """Return NIP_t + NIP_v, weighted, plus lambda CMCL for one batch, and the three parts.

    Items are dropped from the inputs only: every item but a sequence's first stays a target,
    predicted from the last survivor before it.
    """
    drop = float(torch.rand((), generator=generator)) * config.drop_max
    shortened, state = drop_items(batch.items, draw_survivors(batch.items, drop, generator))
    p = float(torch.rand((), generator=generator)) * config.mixup_max
    swaps = draw_swaps(shortened, p, generator)

    rows, position = batch.targets.nonzero(as_tuple=True)
    target = batch.targets[rows, position]
    # Only the items of this batch are pooled and adapted, each of them once.
    unique, place = torch.cat([shortened.flatten(), target]).unique(return_inverse=True)
    vectors = model.item_vectors(table, unique)
    in_sequence = place[: shortened.numel()].view_as(shortened)
    text, image = complementary_mixup(*vectors[in_sequence], swaps)
    hidden_text, hidden_image = model.encode(text, image)

    at = state[rows, position]
    h_text, h_image = hidden_text[rows, at], hidden_image[rows, at]
    g_text, g_image = vectors[place[shortened.numel() :]]
    users, tau = batch.users[rows], config.temperature
    nip = blocked_pairs(target, users, same_user=config.nip_same_user == "exclude")
    cmcl = blocked_pairs(target, users, same_user=config.cmcl_same_user == "exclude")
    parts = {
        "nip_text": next_item_loss(h_text, g_text, nip, temperature=tau),
        "nip_image": next_item_loss(h_image, g_image, nip, temperature=tau),
        "cmcl": cross_modal_loss(h_text, h_image, cmcl, temperature=tau),
    }
    total = config.nip_weight * (parts["nip_text"] + parts["nip_image"])
    return total + config.cmcl_weight * parts["cmcl"], parts


def finetuning_loss(
    model: M2SE, table: FeatureTable, batch: Batch, config: FinetuneConfig
) -> Losses:
    """Return the cross-entropy of the next item among all items of the catalogue."""
    everything = torch.arange(len(table.items), device=batch.items.device)
    vectors = model.with_ids(model.item_vectors(table, everything), everything)
    hidden_text, hidden_image = model.encode(*vectors[batch.items])
    rows, position = batch.targets.nonzero(as_tuple=True)
    scores = match_scores(hidden_text[rows, position], hidden_image[rows, position], vectors)
    # Column 0 is padding, which is no class; so item i is class i - 1.
    loss = ranking_loss(
        scores[:, 1:], batch.targets[rows, position] - 1, temperature=config.temperature
    )
    return loss, {"ranking": loss}


def pretrain(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: PretrainConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> Iterator[Record]:
    """Pre-train ``model`` in place; yield one record per step and per epoch; keep the best weights.

    Parameters
    ----------
    model
        Without ids (``n_items = 0``).
    table
        Features, entry i for item number i of ``sequences``.
    sequences
        The shop's sequences; the last two items of each are never trained on.
    config
        Loss weights, augmentation, optimiser.
    seed
        Fixes order, drop, mixup and dropout.
    """
    table = table.to(device)
    generator = torch.Generator().manual_seed(seed)
    return _train(
        model,
        lambda batch: pretraining_loss(model, table, batch, config, generator),
        table,
        sequences,
        config,
        seed,
        device,
    )


def finetune(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: FinetuneConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> Iterator[Record]:
    """Fine-tune ``model`` in place for one shop; arguments as in ``pretrain``."""
    table = table.to(device)
    return _train(
        model,
        lambda batch: finetuning_loss(model, table, batch, config),
        table,
        sequences,
        config,
        seed,
        device,
    )


def _train(
    model: M2SE,
    loss_of: Callable[[Batch], Losses],
    table: FeatureTable,
    sequences: Sequences,
    config: TrainConfig,
    seed: int,
    device: str,
) -> Iterator[Record]:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    best, best_recall, waited = copy.deepcopy(model.state_dict()), -1.0, 0
    step, start = 0, time.perf_counter()

    for epoch in range(1, config.epochs + 1):
        model.train()
        total, seen = 0.0, 0
        for batch in training_batches(sequences, model.config.max_len, config.batch_size, rng):
            step += 1
            loss, parts = loss_of(batch.to(device))
            values = {name: float(part.detach()) for name, part in parts.items()}
            if not np.isfinite(list(values.values())).all():
                raise UserError(
                    f"training stopped at step {step}: the loss is not finite ({values}) with"
                    f" learning rate {config.lr}; lower the learning rate or raise the temperature"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
            optimizer.step()
            targets = int((batch.targets > 0).sum())
            total, seen = total + float(loss.detach()) * targets, seen + targets
            yield Record(
                step, epoch, float(loss.detach()), values, targets, time.perf_counter() - start
            )

        recall = validation_recall(model, table, sequences, device)
        improved = recall >= best_recall  # a tie counts as an improvement
        waited = 0 if improved else waited + 1
        if improved:
            best, best_recall = copy.deepcopy(model.state_dict()), recall
        yield Record(
            step, epoch, total / seen, {}, seen, time.perf_counter() - start, recall, improved
        )
        if waited > config.patience:
            break
    model.load_state_dict(best)
    model.eval()


def validation_recall(
    model: M2SE, table: FeatureTable, sequences: Sequences, device: str = "cpu"
) -> float:
    """Return Recall@20 on the validation items, all items ranked."""
    was_training = model.training
    histories, targets = sequences.held_out("valid")
    ranks = target_ranks(ModelScorer(model, table, device), histories, targets)
    model.train(was_training)
    return float(metrics(ranks, [20])["recall@20"].mean())


def transfer(pretrained: M2SE, n_items: int) -> M2SE:
    """Return a model with fresh ids for ``n_items`` items and the weights of ``pretrained``."""
    model = M2SE(dataclasses.replace(pretrained.config, n_items=n_items))
    model.load_state_dict(pretrained.state_dict(), strict=False)
    return model


# ------------------------------------------------------------------ checkpoints


def save_checkpoint(model: M2SE, folder: Path, items: list[str], record: dict[str, Any]) -> None:
    """Write a model folder, whole or not at all: config, weights, item order, record."""
    with whole_folder(folder) as draft:
        model.save_pretrained(draft)
        (draft / "README.md").unlink(missing_ok=True)  # the hub mixin's empty model card
        (draft / "items.json").write_text(json.dumps(items[1:]), encoding="utf-8", newline="\n")
        write_json(draft / "record.json", record)


def load_checkpoint(folder: str | Path) -> tuple[M2SE, list[str]]:
    """Return the model of a folder and the items it was trained on, ``items[0]`` being padding."""
    folder = Path(folder)
    try:
        items = ["", *json.loads((folder / "items.json").read_text(encoding="utf-8"))]
        with redirect_stdout(None):  # the hub mixin prints a line that would spoil --json
            model = M2SE.from_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{folder}: not a model folder ({str(error).splitlines()[0]});"
            f" make one with `msm4sr pretrain` or `msm4sr finetune`"
        ) from None
    return model.eval(), items
