"""Estimate how long a fit takes on this machine, and choose settings within a time budget."""

import itertools
import math
import shutil
import statistics
import sys
import time
from dataclasses import replace
from typing import Any

import torch

from msm4sr_lite import training
from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import Config, TrainConfig, UserError, as_dict, with_settings
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.initialize import new_model
from msm4sr_lite.pipeline.ensemble import NETWORKS, part_configs
from msm4sr_lite.pipeline.stages import Stage, TrainingData
from msm4sr_lite.printable import counted
from msm4sr_lite.progress import say
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.files import whole_folder
from msm4sr_lite.store.fingerprint import fingerprint

STEPS = 4  # measured steps per stage; the first one, which allocates memory, does not count
LONG = 60.0  # estimates of at least this many seconds are printed
GRID = {"finetune.lr": (1e-3, 3e-4, 1e-4), "finetune.use_ids": (True, False)}


def print_estimate(data: TrainingData, config: Config, stage: Stage, has_ensemble: bool) -> None:
    """Print the maximum time and memory of a training that takes a minute or longer.

    With an ensemble, its trained parts are included. Early stopping usually ends a stage long
    before its last epoch. The measurement does not change the training, since it restores the state
    of the random generator.
    """
    parts, total = [], 0.0
    trainings: list[tuple[str, Config, TrainConfig, type[M2SE]]] = [
        ("pre-training", config, config.pretrain, M2SE),
        ("fine-tuning", config, config.finetune, M2SE),
    ]
    for kind, one in part_configs(data, config).items() if has_ensemble else ():
        trainings.append((f"ensemble part {kind}", one, one.finetune, NETWORKS[kind]))
    for name, its_config, settings, model in trainings:
        if settings.epochs:
            seconds = seconds_per_epoch(data, its_config, settings, stage.device, model)
            total += seconds * settings.epochs
            parts.append(
                f"{name} {seconds:.0f} s per epoch, at most {counted(settings.epochs, 'epoch')}"
            )
    if total >= LONG:
        memory = peak_memory_gib(stage.device)
        say(f"estimate: {'; '.join(parts)}; at most {total / 60:.0f} min, {memory:.1f} GiB")


def seconds_per_epoch(
    data: TrainingData,
    config: Config,
    settings: TrainConfig,
    device: str,
    kind: type[M2SE] = M2SE,
) -> float:
    """Return the approximate seconds that an epoch of a stage takes, validation included."""
    state = torch.random.get_rng_state()
    sequences, ids = data.sequences, 0
    steps: Any = training.pretrain_steps
    if settings is config.finetune:
        steps = training.finetune_steps
        ids = sequences.n_items if config.finetune.use_ids or kind is not M2SE else 0
    model = new_model(config, data.table, sequences, ids, kind)
    records = steps(model, data.table, sequences, settings, device=device)
    seen = list(itertools.islice((r for r in records if r.recall is None), STEPS))
    took = [b.seconds - a.seconds for a, b in itertools.pairwise(seen)] or [seen[0].seconds]
    n_steps = sequences.training_targets(settings.targets_per_sequence) * len(seen)
    n_steps /= sum(record.targets for record in seen)

    cases = len(sequences.cases("valid")[0])
    few = min(64, cases)
    start = time.perf_counter()
    training.validation_recall(model, data.table, sequences, device, few)
    validation = (time.perf_counter() - start) * min(settings.valid_users or cases, cases)
    torch.random.set_rng_state(state)
    return statistics.median(took) * n_steps + validation / max(1, few)


def peak_memory_gib(device: str) -> float:
    """Return the peak memory of this process so far, in GiB."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    try:
        import resource
    except ImportError:  # Windows
        return math.nan
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def check_budget(seconds: float | None, split: str | None) -> None:
    """Refuse a time budget that is not a positive number, or that has no validation part."""
    if seconds is None:
        return
    ARGUMENTS["time_budget"].check(seconds)
    if split is None:
        raise UserError("time_budget needs a validation part; call fit with a split")


def finetune_within(
    seconds: float, stage: Stage, data: TrainingData, pretrained: M2SE, config: Config
) -> tuple[M2SE, Config]:
    """Fine-tune with the settings given, then with others as long as there is time for one more.

    Parameters
    ----------
    seconds
        Time left. The settings given are always tried.
    stage, data, pretrained
        As for ``Stage.finetune``. Each try has its own run folder.
    config
        Settings; those of ``GRID`` are varied.

    Returns
    -------
    model, config
        The model with the best NDCG@10 on the validation part, seen items filtered, and its
        settings.
    """
    histories, targets = data.sequences.held_out("valid")
    if not histories:
        raise UserError("time_budget needs a validation part; leave it out, or change the split")
    started, longest = time.perf_counter(), 0.0
    points = [dict(zip(GRID, point, strict=True)) for point in itertools.product(*GRID.values())]
    tried: list[tuple[float, M2SE, Config, Stage]] = []
    for candidate in dict.fromkeys([config, *(with_settings(config, point) for point in points)]):
        start = time.perf_counter()
        if tried and start - started + longest > seconds:
            break
        run_dir = stage.run_dir and stage.run_dir / "tuning" / fingerprint(
            as_dict(candidate.finetune)
        )
        record = {**stage.record, "config": as_dict(candidate)}
        run = replace(stage, run_dir=run_dir, record=record, summaries={})
        net = run.finetune(data, pretrained, candidate.finetune)
        scorer = ModelScorer(net, data.table, stage.device)
        ranks = target_ranks(scorer, histories, targets, filter_seen=True)
        tried.append((float(metrics(ranks, [10])["ndcg@10"].mean()), net, candidate, run))
        longest = max(longest, time.perf_counter() - start)
    reached, net, config, run = max(tried, key=lambda one: one[0])
    stage.summaries["finetuned"] = run.summaries["finetuned"]
    if stage.run_dir and run.run_dir:
        with whole_folder(stage.run_dir / "finetuned", checksums=True) as draft:
            shutil.copytree(run.run_dir / "finetuned", draft, dirs_exist_ok=True)
    chosen = {name: getattr(config.finetune, name.split(".")[1]) for name in GRID}
    n_tried = counted(len(tried), "setting")
    say(f"time budget: {n_tried} tried; validation NDCG@10 {reached:.4f} with {chosen}")
    return net, config
