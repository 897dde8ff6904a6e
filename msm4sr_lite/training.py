"""Pre-train and fine-tune a model, with one loop over epochs and steps."""

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Generator

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import FinetuneConfig, PretrainConfig, TrainConfig, UserError
from msm4sr_lite.device import resolve_device
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.fast import distributed, is_on
from msm4sr_lite.fast.encoder import pool_once
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.objectives import Losses, finetuning_loss, pretraining_loss
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences, training_batches
from msm4sr_lite.training_run import Record, Run, State

Callback = Callable[[Record], object]


def pretrain(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: PretrainConfig,
    *,
    seed: int = 0,
    device: str = "cpu",
    state: State | None = None,
    callback: Callback | None = None,
) -> list[Record]:
    """Pre-train ``model`` in place with NIP and CMCL, and keep its best weights.

    The best weights have the highest Recall@20 on the validation part; a tie counts as an
    improvement. Adam, gradient clipping and early stopping follow the released code. After Ctrl-C
    the model has the weights of its last step and can be used. With ``state``, the training can be
    resumed.

    Parameters
    ----------
    model
        Without ID embeddings (``n_items = 0``), so that it fits any dataset.
    table
        Features, entry i for item number i.
    sequences
        Interactions; only their training and validation parts are used.
    config
        Loss weights, augmentation, optimizer.
    seed
        Fixes the order of batches, sequence drop, mixup and dropout.
    device
        ``cpu`` or ``cuda``.
    state
        Where to save the state of the training. If it already holds a state, training resumes from
        it. On a CPU the result is the same as that of a training that never stopped.
    callback
        Is called with the record of every step and every epoch.

    Returns
    -------
    records
        One per epoch.

    Raises
    ------
    UserError
        If there is no training target, or if loss or gradient are not finite.
    """
    steps = pretrain_steps(model, table, sequences, config, seed=seed, device=device, state=state)
    return _run_to_end(steps, callback)


def finetune(
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: FinetuneConfig,
    *,
    callback: Callback | None = None,
    **options: Any,
) -> list[Record]:
    """Fine-tune ``model`` in place for one dataset; arguments as in ``pretrain``.

    ``options`` are ``seed``, ``device`` and ``state`` of ``pretrain``.
    """
    return _run_to_end(finetune_steps(model, table, sequences, config, **options), callback)


def pretrain_steps(
    model: M2SE, table: FeatureTable, sequences: Sequences, config: PretrainConfig, **options: Any
) -> Iterator[Record]:
    """Pre-train like ``pretrain``, but yield a record after every step and every epoch.

    ``options`` are ``seed``, ``device`` and ``state`` of ``pretrain``.
    """
    return _train(pretraining_loss, model, table, sequences, config, **options)


def finetune_steps(
    model: M2SE, table: FeatureTable, sequences: Sequences, config: FinetuneConfig, **options: Any
) -> Iterator[Record]:
    """Fine-tune like ``finetune``, but yield a record after every step and every epoch."""
    counts = sequences.item_counts() * 1.0
    counts[1:] += config.candidates == "all"  # then every item can be drawn as a negative
    popularity = torch.from_numpy(counts / counts.sum()).float().to(options.get("device", "cpu"))
    loss_of = partial(finetuning_loss, popularity=popularity)
    return _train(loss_of, model, table, sequences, config, **options)


def _run_to_end(steps: Iterator[Record], callback: Callback | None) -> list[Record]:
    epochs = []
    for record in steps:
        if callback:
            callback(record)
        if record.recall is not None:
            epochs.append(record)
    return epochs


def _train(
    loss_of: Callable[..., Losses],
    model: M2SE,
    table: FeatureTable,
    sequences: Sequences,
    config: TrainConfig,
    seed: int = 0,
    device: str = "cpu",
    state: State | None = None,
) -> Iterator[Record]:
    seed, device = ARGUMENTS["seed"].check(seed), resolve_device(device)
    rank, world = distributed.process_rank()
    if world > 1 and not is_on():
        raise UserError("several processes need the fast forms; do not set MSM4SR_FAST=0")
    model, table, generator = model.to(device), table.to(device), Generator()
    table = pool_once(model, table) if is_on() else table
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, config.lr, weight_decay=config.weight_decay, fused=True)
    run = Run(model, optimizer, copy.deepcopy(model.state_dict()))
    if state:
        state.restore(run)
    run.start_clock()
    objective = distributed.Objective(model, partial(loss_of, model, table, config=config))
    joint = distributed.synchronize_gradients(objective)
    rounded = torch.autocast(device, torch.bfloat16, config.precision == "bfloat16")
    options = config.prefix_augmentation, config.targets_per_sequence
    try:
        while run.epoch < config.epochs and run.waited <= config.patience:
            model.train()
            order = Generator().manual_seed(_seed(seed, 0, run.epoch))
            sizes = model.config.max_len, config.batch_size
            batches = training_batches(sequences, *sizes, order, *options)
            for batch in islice(batches, run.done, None):
                if len(batch.items) < world:
                    continue  # a last batch with fewer sequences than processes
                generator.manual_seed(_seed(seed, 1, run.step))
                torch.manual_seed(_seed(seed, 2, run.step, rank))
                optimizer.zero_grad(set_to_none=True)
                with rounded:
                    loss, parts = joint(batch=batch.to(device), generator=generator)
                loss.backward()
                record = run.end_step(loss, parts, int((batch.targets > 0).sum()), config.clip_norm)
                if state:
                    state.keep(run)
                yield record
            recall = validation_recall(model, table, sequences, device, config.valid_users)
            yield run.end_epoch(recall)
        model.load_state_dict(run.best)
    finally:
        model.eval()


def _seed(*numbers: int) -> int:
    """Return one seed made from several numbers; similar numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def validation_recall(
    model: M2SE, table: FeatureTable, sequences: Sequences, device: str = "cpu", users: int = 0
) -> float:
    """Return Recall@20 of ``users`` random validation cases (0: all), with all items ranked.

    The result is NaN if nothing is held out for validation.
    """
    was_training = model.training
    histories, targets = sequences.held_out("valid")
    if not len(targets):
        return math.nan
    if 0 < users < len(targets):
        drawn = np.random.default_rng(0).choice(len(targets), users, replace=False)
        histories, targets = [histories[case] for case in drawn], targets[drawn]
    ranks = target_ranks(ModelScorer(model, table, device), histories, targets)
    model.train(was_training)
    return float(metrics(ranks, [20])["recall@20"].mean())
