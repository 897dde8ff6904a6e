"""Pre-training and fine-tuning.

One pass over a sequence trains all of its prefixes: the encoder is causal, so its state at
position k is the representation of the first k items, and each position predicts the item that
follows it.
"""

from __future__ import annotations

import copy
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
from msm4sr_lite.encoder import M2SE, Views, match_scores, take
from msm4sr_lite.evaluation import ModelScorer, metrics, target_ranks
from msm4sr_lite.features import FeatureTable
from msm4sr_lite.losses import (
    EXCLUDED,
    blocked_pairs,
    cross_modal_loss,
    next_item_loss,
    ranking_loss,
)
from msm4sr_lite.mixup import (
    complementary_mixup,
    draw_share,
    draw_survivors,
    draw_swaps,
    drop_items,
)
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
STATE_SECONDS = 30.0  # a training's state is written at most this often


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
    share = draw_share(config.drop_max, count, generator, per=config.drop_per)
    survives = draw_survivors(batch.items, share, generator, keep=config.drop_keeps)
    shortened, state = drop_items(batch.items, survives)

    rows, position = batch.targets.nonzero(as_tuple=True)
    target, users = batch.targets[rows, position], batch.users[rows]
    # Only the items of this batch are pooled and adapted, each of them once.
    unique, place = torch.cat([shortened.flatten(), target]).unique(return_inverse=True)
    vectors = model.item_vectors(table, unique)
    sequence = take(vectors, place[: shortened.numel()].view_as(shortened))
    goal = take(vectors, place[shortened.numel() :])
    if model.config.views == "both":
        fixed = config.mixup_draw == "fixed"
        p = draw_share(config.mixup_max, count, generator, per=config.mixup_per, fixed=fixed)
        swaps = draw_swaps(shortened, p, generator)
        mixed = complementary_mixup(sequence["text"], sequence["image"], swaps)
        sequence = dict(zip(("text", "image"), mixed, strict=True))
    states = model.encode(sequence)
    hidden = {view: h[rows, state[rows, position]] for view, h in states.items()}
    return contrastive_losses(model, hidden, goal, target, users, config)


def contrastive_losses(
    model: M2SE, hidden: Views, goal: Views, target: Tensor, users: Tensor, config: PretrainConfig
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
    nip_blocked = blocked_pairs(target, users, same_user=config.nip_same_user == "exclude")
    cmcl_blocked = blocked_pairs(target, users, same_user=config.cmcl_same_user == "exclude")
    options = {
        "temperature": config.temperature,
        "blocked_logit": EXCLUDED if config.same_target == "exclude" else 0.0,
    }
    # With projections P_t and P_v, each maps both states, and each has its own pair of losses.
    states = {view: torch.stack(list(hidden.values())) for view in model.project}
    states = {view: model.project[view](both) for view, both in states.items()} or hidden
    parts = {
        f"nip_{view}": next_item_loss(states[view], goal[view], nip_blocked, **options)
        for view in model.views
    }
    total = config.nip_weight * torch.stack(list(parts.values())).sum()
    if model.config.views == "both":
        pairs = states.values() if model.config.projections else [tuple(hidden.values())]
        parts["cmcl"] = torch.stack(
            [
                cross_modal_loss(text, image, cmcl_blocked, form=config.cmcl_form, **options)
                for text, image in pairs
            ]
        ).sum()
        total = total + config.cmcl_weight * parts["cmcl"]
    return total, parts


def finetuning_loss(
    model: M2SE, table: FeatureTable, batch: Batch, config: FinetuneConfig
) -> Losses:
    """Return the cross-entropy of the next item among all items of the catalogue."""
    everything = torch.arange(len(table.items), device=batch.items.device)
    vectors = model.with_ids(model.item_vectors(table, everything), everything)
    states = model.encode(take(vectors, batch.items))
    rows, position = batch.targets.nonzero(as_tuple=True)
    scores = match_scores({view: h[rows, position] for view, h in states.items()}, vectors)
    target = batch.targets[rows, position]
    if not config.pad_class:
        scores, target = scores[:, 1:], target - 1  # column 0 is padding, which is no class
    loss = ranking_loss(scores, target, temperature=config.temperature)
    return loss, {"ranking": loss}


def pretrain(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: PretrainConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
    state: Path | None = None,
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
    device
        ``cpu`` or ``cuda``.
    state
        File for the state of the training; if it exists, training goes on from there, with the
        same numbers as if it had never been stopped (on a CPU).
    """
    table = table.to(device)
    generator = torch.Generator().manual_seed(seed)

    def loss_of(batch: Batch) -> Losses:
        return pretraining_loss(model, table, batch, config, generator)

    torch.manual_seed(seed)
    return _train(model.to(device), loss_of, table, sequences, config, generator, state)


def finetune(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: FinetuneConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
    state: Path | None = None,
) -> Iterator[Record]:
    """Fine-tune ``model`` in place for one shop; arguments as in ``pretrain``."""
    table = table.to(device)

    def loss_of(batch: Batch) -> Losses:
        return finetuning_loss(model, table, batch, config)

    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    return _train(model.to(device), loss_of, table, sequences, config, generator, state)


def _train(
    model: M2SE,
    loss_of: Callable[[Batch], Losses],
    table: FeatureTable,
    sequences: Sequences,
    config: TrainConfig,
    generator: torch.Generator,
    state: Path | None,
) -> Iterator[Record]:
    device = str(next(model.parameters()).device)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    run = _Run(model, optimizer, generator)
    if state and state.is_file():
        run.load(state)
    start, saved = time.perf_counter() - run.seconds, time.perf_counter()

    while run.epoch < config.epochs and run.waited <= config.patience:
        run.epoch += 1
        model.train()
        total, seen = 0.0, 0
        for batch in training_batches(
            sequences, model.config.max_len, config.batch_size, generator, config.rows
        ):
            run.step += 1
            loss, parts = loss_of(batch.to(device))
            values = {name: float(part.detach()) for name, part in parts.items()}
            if not np.isfinite(list(values.values())).all():
                raise UserError(
                    f"training stopped at step {run.step}: the loss is not finite ({values}) with"
                    f" learning rate {config.lr}; lower the learning rate or raise the temperature"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
            optimizer.step()
            targets = int((batch.targets > 0).sum())
            total, seen = total + float(loss.detach()) * targets, seen + targets
            run.seconds = time.perf_counter() - start
            yield Record(run.step, run.epoch, float(loss.detach()), values, targets, run.seconds)

        recall = validation_recall(model, table, sequences, device)
        improved = run.judge(recall)
        run.seconds = time.perf_counter() - start
        if state and time.perf_counter() - saved >= STATE_SECONDS:
            run.save(state)
            saved = time.perf_counter()
        yield Record(run.step, run.epoch, total / seen, {}, seen, run.seconds, recall, improved)
    model.load_state_dict(run.best)
    model.eval()


class _Run:
    """Everything a training run needs to go on: weights, optimiser, random states, counters."""

    def __init__(
        self, model: M2SE, optimizer: torch.optim.Optimizer, dice: torch.Generator
    ) -> None:
        self.model, self.optimizer, self.dice = model, optimizer, dice
        self.best = copy.deepcopy(model.state_dict())
        self.epoch, self.step, self.waited = 0, 0, 0
        self.recall, self.seconds = -1.0, 0.0

    def judge(self, recall: float) -> bool:
        """Keep the weights if they are the best so far; a tie counts as an improvement."""
        improved = recall >= self.recall
        self.waited = 0 if improved else self.waited + 1
        if improved:
            self.recall, self.best = recall, copy.deepcopy(self.model.state_dict())
        return improved

    def save(self, path: Path) -> None:
        counters = [self.epoch, self.step, self.waited, self.recall, self.seconds]
        dice = [torch.get_rng_state(), self.dice.get_state()]
        weights = [self.model.state_dict(), self.best, self.optimizer.state_dict()]
        draft = path.with_name(path.name + ".draft")
        torch.save({"counters": counters, "dice": dice, "weights": weights}, draft)
        draft.replace(path)

    def load(self, path: Path) -> None:
        found = torch.load(path, weights_only=True, map_location="cpu")
        self.epoch, self.step, self.waited, self.recall, self.seconds = found["counters"]
        torch.set_rng_state(found["dice"][0])
        self.dice.set_state(found["dice"][1])
        weights, self.best, optimizer = found["weights"]
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict(optimizer)


def validation_recall(
    model: M2SE, table: FeatureTable, sequences: Sequences, device: str = "cpu"
) -> float:
    """Return Recall@20 on the validation items, all items ranked."""
    was_training = model.training
    histories, targets = sequences.held_out("valid")
    ranks = target_ranks(ModelScorer(model, table, device), histories, targets)
    model.train(was_training)
    return float(metrics(ranks, [20])["recall@20"].mean())


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
