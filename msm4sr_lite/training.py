"""Pre-training and fine-tuning: the loop, its state, and model folders."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from msm4sr_lite.config import (
    FinetuneConfig,
    PretrainConfig,
    TrainConfig,
    UserError,
)
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.fast.distributed import processes
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.objectives import Losses, finetuning_loss, pretraining_loss
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences, training_batches


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


class State(Protocol):
    """Where a training keeps what it needs to go on, such as ``cli.state.StateFile``."""

    def restore(self, run: Run) -> None:
        """Bring ``run`` to where it was, if anything is kept."""

    def keep(self, run: Run) -> None:
        """Keep ``run`` if the last time is long ago."""


@dataclass
class Run:
    """All that a training needs to go on: weights, optimiser, counters.

    Order and dice depend on the seed and these counters alone.
    """

    model: M2SE
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]
    epoch: int = 0  # epochs that are over
    done: int = 0  # steps since then
    step: int = 0
    waited: int = 0  # epochs without a better recall
    recall: float = -1.0
    seconds: float = 0.0
    total: float = 0.0  # loss of this epoch, summed over targets
    seen: int = 0  # its targets

    def end_epoch(self, recall: float) -> bool:
        """Keep the weights if they are the best so far; a tie counts as an improvement."""
        self.epoch, self.done, self.total, self.seen = self.epoch + 1, 0, 0.0, 0
        improved = recall >= self.recall
        self.waited = 0 if improved else self.waited + 1
        if improved:
            self.recall, self.best = recall, copy.deepcopy(self.model.state_dict())
        return improved


def pretrain(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: PretrainConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
    state: State | None = None,
    callback: Callable[[Record], object] | None = None,
) -> list[Record]:
    """Pre-train ``model`` in place with NIP and CMCL; the best weights are kept.

    Parameters
    ----------
    model
        Without ids (``n_items = 0``).
    table
        Features; entry i belongs to item number i of ``sequences``.
    sequences
        The users' sequences; held-out interactions are never trained on.
    config
        Loss weights, augmentation, optimiser.
    seed
        Fixes the order of batches, sequence drop, mixup and dropout.
    device
        ``cpu`` or ``cuda``.
    state
        Keeps the state of the training; if there is one, training goes on from there, with the
        same numbers as if it had never been stopped (on a CPU).
    callback
        Is called with the record of every step and every epoch.

    Returns
    -------
    records
        One per epoch.
    """
    steps = pretrain_steps(model, table, sequences, config, seed=seed, device=device, state=state)
    return _run_to_end(steps, callback)


def finetune(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: FinetuneConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
    state: State | None = None,
    callback: Callable[[Record], object] | None = None,
) -> list[Record]:
    """Fine-tune ``model`` in place for one dataset; arguments as in ``pretrain``."""
    steps = finetune_steps(model, table, sequences, config, seed=seed, device=device, state=state)
    return _run_to_end(steps, callback)


def pretrain_steps(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: PretrainConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
    state: State | None = None,
) -> Iterator[Record]:
    """Do what ``pretrain`` does step by step: yield one record per step and per epoch."""
    table = table.to(device)
    loss_of = partial(pretraining_loss, model, table, config=config)
    return _train(model.to(device), loss_of, table, sequences, config, seed, state)


def finetune_steps(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: FinetuneConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
    state: State | None = None,
) -> Iterator[Record]:
    """Do what ``finetune`` does step by step: yield one record per step and per epoch."""
    table = table.to(device)
    bought = np.bincount(np.concatenate(sequences.train()), minlength=len(sequences.items)) * 1.0
    bought[1:] += config.candidates == "all"  # then every item may be drawn
    popularity = torch.from_numpy(bought / bought.sum()).float().to(device)

    loss_of = partial(finetuning_loss, model, table, config=config, popularity=popularity)
    return _train(model.to(device), loss_of, table, sequences, config, seed, state)


def _run_to_end(
    steps: Iterator[Record], callback: Callable[[Record], object] | None
) -> list[Record]:
    epochs = []
    for record in steps:
        if callback:
            callback(record)
        if record.recall is not None:
            epochs.append(record)
    return epochs


def _train(
    model: M2SE,
    loss_of: Callable[..., Losses],
    table: FeatureTable,
    sequences: Sequences,
    config: TrainConfig,
    seed: int,
    state: State | None,
) -> Iterator[Record]:
    device = next(model.parameters()).device
    rank, world = processes()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, config.lr, weight_decay=config.weight_decay, fused=True)
    run = Run(model, optimizer, copy.deepcopy(model.state_dict()))
    if state:
        state.restore(run)
    objective: nn.Module = _Objective(model, loss_of)
    if world > 1:
        objective = nn.parallel.DistributedDataParallel(objective)
    start, dice = time.perf_counter() - run.seconds, torch.Generator()
    rounded = torch.autocast(device.type, torch.bfloat16, config.precision == "bfloat16")

    while run.epoch < config.epochs and run.waited <= config.patience:
        model.train()
        order = torch.Generator().manual_seed(_seed(seed, 0, run.epoch))
        shape = model.config.max_len, config.batch_size
        kind = config.prefix_augmentation, config.targets_per_sequence
        batches = training_batches(sequences, *shape, order, *kind)
        for batch in islice(batches, run.done, None):
            if len(batch.items) < world:
                continue  # a last batch with fewer sequences than processes
            dice.manual_seed(_seed(seed, 1, run.step))
            torch.manual_seed(_seed(seed, 2, run.step, rank))
            optimizer.zero_grad(set_to_none=True)
            with rounded:
                loss, parts = objective(batch=batch.to(device), generator=dice)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(weights, config.clip_norm)
            told = torch.stack([loss, *parts.values(), norm]).detach() / world
            if world > 1:
                dist.all_reduce(told)
            total, *each, length = told.tolist()  # one wait for the device
            values = dict(zip(parts, each, strict=True))
            if not np.isfinite([total, *each, length]).all():
                raise UserError(
                    f"training stopped at step {run.step + 1}: the loss is not finite"
                    f" ({values}, gradient {length}) with learning rate {config.lr}; lower the"
                    f" learning rate or raise the temperature"
                )
            optimizer.step()
            targets = int((batch.targets > 0).sum())
            run.step, run.done = run.step + 1, run.done + 1
            run.total, run.seen = run.total + total * targets, run.seen + targets
            run.seconds = time.perf_counter() - start
            if state:
                state.keep(run)
            yield Record(run.step, run.epoch + 1, total, values, targets, run.seconds)

        recall = validation_recall(model, table, sequences, str(device), config.valid_users)
        run.seconds, seen, mean = time.perf_counter() - start, run.seen, run.total / run.seen
        improved = run.end_epoch(recall)
        yield Record(run.step, run.epoch, mean, {}, seen, run.seconds, recall, improved)
    model.load_state_dict(run.best)
    model.eval()


def _seed(*numbers: int) -> int:
    """Return one seed made from several numbers, unlike that of any neighbour."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


class _Objective(nn.Module):
    """The loss as a module's forward pass, which DDP wants in order to average gradients."""

    def __init__(self, model: M2SE, loss_of: Callable[..., Losses]) -> None:
        super().__init__()
        self.model, self.forward = model, loss_of


def validation_recall(
    model: M2SE, table: FeatureTable, sequences: Sequences, device: str = "cpu", users: int = 0
) -> float:
    """Return Recall@20 on the validation items, all items ranked; of some ``users``, or of all."""
    was_training = model.training
    histories, targets = sequences.held_out("valid")
    if 0 < users < len(targets):
        drawn = np.random.default_rng(0).choice(len(targets), users, replace=False)
        histories, targets = [histories[user] for user in drawn], targets[drawn]
    ranks = target_ranks(ModelScorer(model, table, device), histories, targets)
    model.train(was_training)
    return float(metrics(ranks, [20])["recall@20"].mean())


# ------------------------------------------------------------------ checkpoints
