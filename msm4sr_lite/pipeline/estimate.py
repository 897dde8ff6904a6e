"""What a fit will take on this machine, from a few steps of each stage."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator

import torch

from msm4sr_lite import training
from msm4sr_lite.config import Config, TrainConfig
from msm4sr_lite.encoder import M2SE, transfer
from msm4sr_lite.pipeline.stages import Stage, TrainingData
from msm4sr_lite.progress import say
from msm4sr_lite.training import Record

STEPS = 4  # measured of each stage; the first, in which memory is allocated, does not count
LONG = 60.0  # seconds from which an estimate is printed


def print_estimate(data: TrainingData, config: Config, stage: Stage) -> None:
    """Print the time and memory that training takes at most, if it is long.

    Early stopping usually ends a stage long before its last epoch. What is measured does not
    touch the training itself: its random numbers are drawn from generators of its own.
    """
    parts, total = [], 0.0
    for name, settings in (("pre-training", config.pretrain), ("fine-tuning", config.finetune)):
        if settings.epochs:
            seconds = seconds_per_epoch(data, config, settings, stage.device)
            total += seconds * settings.epochs
            parts.append(f"{name} {seconds:.0f} s per epoch, at most {settings.epochs} epochs")
    if total >= LONG:
        memory = peak_memory_gib(stage.device)
        say(f"estimate: {'; '.join(parts)}; at most {total / 60:.0f} min, {memory:.1f} GiB")


def seconds_per_epoch(
    data: TrainingData, config: Config, settings: TrainConfig, device: str
) -> float:
    """Return about how long an epoch of a stage takes, its validation included."""
    state = torch.random.get_rng_state()
    model = M2SE(config.model)
    steps: Callable[..., Iterator[Record]] = training.pretrain_steps
    if settings is config.finetune:
        steps = training.finetune_steps
        model = transfer(model, data.sequences.n_items if config.finetune.use_ids else 0)
    records = steps(model, data.table, data.sequences, settings, device=device)
    seen = list(itertools.islice((r for r in records if r.recall is None), STEPS))
    took = [b.seconds - a.seconds for a, b in itertools.pairwise(seen)] or [seen[0].seconds]
    targets = data.sequences.training_targets(settings.targets_per_sequence)
    per_step = sum(record.targets for record in seen) / len(seen)
    validation = _validation_seconds(model, data, device, settings.valid_users)
    torch.random.set_rng_state(state)
    return statistics.median(took) * targets / per_step + validation


def _validation_seconds(model: M2SE, data: TrainingData, device: str, users: int) -> float:
    """Return how long ranking the validation users takes, from a few of them."""
    cases = len(data.sequences.cases("valid")[0])
    some = min(64, cases)
    if not some:
        return 0.0
    start = time.perf_counter()
    training.validation_recall(model, data.table, data.sequences, device, some)
    return (time.perf_counter() - start) * (min(users or cases, cases) / some)


def peak_memory_gib(device: str) -> float:
    """Return the most memory that this process has taken so far, in GiB."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    try:
        import resource
        import sys
    except ImportError:  # Windows
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
