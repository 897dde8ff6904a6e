"""Fine-tuning with several settings, within a time budget; validation decides."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import replace
from itertools import product

from msm4sr_lite.config import Config, UserError, as_dict, with_settings
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.pipeline.stages import Stage, TrainingData
from msm4sr_lite.progress import say
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.files import whole_folder
from msm4sr_lite.store.fingerprint import fingerprint

GRID = {"finetune.lr": (1e-3, 3e-4, 1e-4), "finetune.use_ids": (True, False)}
CRITERION = "ndcg@10"


def check_budget(seconds: float | None, split: str | None) -> None:
    """Refuse a time budget that is no positive number, or one without a validation part."""
    if seconds is None:
        return
    if type(seconds) not in (int, float) or not 0 < seconds < math.inf:
        raise UserError(f"time_budget must be a positive number of seconds; got {seconds!r}")
    if split is None:
        raise UserError("time_budget needs a validation part; call fit with a split")


def finetune_within(
    seconds: float, stage: Stage, data: TrainingData, pretrained: M2SE, config: Config
) -> tuple[M2SE, Config]:
    """Fine-tune with the settings given, then with others while there is time for one more.

    Parameters
    ----------
    seconds
        Time left. The settings given are tried whatever it is.
    stage, data, pretrained
        As for ``Stage.finetune``.
    config
        Settings; those of ``GRID`` are varied.

    Returns
    -------
    model, config
        The best by NDCG@10 on the validation part, seen items filtered, and its settings.
    """
    if not len(data.sequences.cases("valid")[0]):
        raise UserError("time_budget: the data have no validation part to choose settings on")
    started, longest = time.perf_counter(), 0.0
    points = [dict(zip(GRID, point, strict=True)) for point in product(*GRID.values())]
    candidates = dict.fromkeys([config, *(with_settings(config, point) for point in points)])
    tried: list[tuple[float, M2SE, Config, Stage]] = []
    for candidate in candidates:
        start = time.perf_counter()
        if tried and start - started + longest > seconds:
            break
        run = _run_of(stage, candidate)
        net = run.finetune(data, pretrained, candidate.finetune)
        tried.append((validation_ndcg(net, data, stage.device), net, candidate, run))
        longest = max(longest, time.perf_counter() - start)
    reached, net, config, run = max(tried, key=lambda one: one[0])
    stage.summaries["finetuned"] = run.summaries["finetuned"]
    if stage.run_dir and run.run_dir:
        with whole_folder(stage.run_dir / "finetuned") as draft:
            shutil.copytree(run.run_dir / "finetuned", draft, dirs_exist_ok=True)
    chosen = {name: getattr(config.finetune, name.split(".")[1]) for name in GRID}
    say(f"time budget: {len(tried)} settings tried; validation NDCG@10 {reached:.4f} with {chosen}")
    return net, config


def _run_of(stage: Stage, config: Config) -> Stage:
    """Return the stage with a run folder of its own for these settings."""
    run_dir = stage.run_dir
    if run_dir:
        run_dir = run_dir / "tuning" / fingerprint(as_dict(config.finetune))
        run_dir.mkdir(parents=True, exist_ok=True)
    record = {**(stage.record or {}), "config": as_dict(config)}
    return replace(stage, run_dir=run_dir, record=record, summaries={})


def validation_ndcg(net: M2SE, data: TrainingData, device: str) -> float:
    """Return NDCG@10 on the validation part, seen items filtered."""
    scorer = ModelScorer(net, data.table, device)
    ranks = target_ranks(scorer, *data.sequences.held_out("valid"), filter_seen=True)
    return float(metrics(ranks, [10])[CRITERION].mean())
