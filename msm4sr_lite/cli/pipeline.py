"""The stages of a run: keywords, features, pre-training, fine-tuning, evaluation.

Each stage writes one folder in the run folder, whole or not at all, with a record of what it was
made from. A stage whose record still fits is skipped, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from msm4sr_lite.cli.extraction import features, keywords
from msm4sr_lite.cli.flags import from_flags
from msm4sr_lite.cli.opening import device_of, features_folder, open_features, open_sequences
from msm4sr_lite.cli.progress import follow, say
from msm4sr_lite.cli.records import fingerprint, finished, read_record
from msm4sr_lite.config import (
    DataConfig,
    FeatureConfig,
    FinetuneConfig,
    ModelConfig,
    PretrainConfig,
    as_dict,
    write_json,
)


def main(args: argparse.Namespace) -> int:
    """Run the stage that was asked for, or all."""
    if args.command == "run":
        return _run(args)
    stage = {"keywords": keywords, "features": features, "pretrain": pretrain, "finetune": finetune}
    folder = stage[args.command](args)
    if args.json:
        print(json.dumps({"stage": args.command, "folder": str(folder), **read_record(folder)}))
    return 0


def _run(args: argparse.Namespace) -> int:
    from msm4sr_lite.cli import evaluate

    start = time.perf_counter()
    evaluate.baseline_names(args)  # every setting is checked before the first stage begins
    for config, prefix in (
        (DataConfig, ""),
        (FeatureConfig, ""),
        (ModelConfig, ""),
        (PretrainConfig, "pretrain_"),
        (FinetuneConfig, "finetune_"),
    ):
        from_flags(args, config, prefix)
    if args.features is None and not args.clip and not args.text_encoder:
        ready = args.shop / "features"
        if (ready / "manifest.json").is_file():
            say(f"features: the shop brings its own ({ready})")
            args.features = ready
    if args.features is None:
        keywords(args)
        args.features = features(args)
    pretrain(args, prefix="pretrain_")
    args.model = finetune(args, prefix="finetune_")

    result = evaluate.measure(args)
    write_json(args.out / "results.json", result)
    print(json.dumps(result) if args.json else evaluate.table(result))
    say(f"done in {time.perf_counter() - start:.0f} s; results in {args.out / 'results.json'}")
    return 0


def pretrain(args: argparse.Namespace, prefix: str = "") -> Path:
    """Write ``pretrained/``: the model after contrastive pre-training."""
    from msm4sr_lite import training
    from msm4sr_lite.encoder import M2SE

    data = from_flags(args, DataConfig)
    config = from_flags(args, PretrainConfig, prefix)
    table = open_features(args)
    model_config = from_flags(args, ModelConfig, feature_dim=table.width)
    sequences = open_sequences(args, table, data)
    made_from = {
        "sequences": sequences.fingerprint(),
        "features": table.manifest["content"],
        "text_encoder": table.manifest["text_encoder"],
        "model": as_dict(model_config),
        "pretrain": as_dict(config),
        "seed": args.seed,
    }
    folder: Path = args.out / "pretrained"
    if finished(folder, made_from):
        return folder

    import torch

    torch.manual_seed(args.seed)
    model = M2SE(model_config)
    records = training.pretrain(
        model,
        table.for_items(sequences.items),
        sequences,
        config,
        seed=args.seed,
        device=device_of(args),
    )
    summary = follow(records, "pretrain", args.out / "pretrain_log.jsonl", config.epochs)
    record = _training_record(args, data, made_from, summary)
    training.save_checkpoint(model, folder, sequences.items, record)
    return folder


def finetune(args: argparse.Namespace, prefix: str = "") -> Path:
    """Write ``finetuned/``: the pre-trained model, fine-tuned on this shop."""
    from msm4sr_lite import training

    data = from_flags(args, DataConfig)
    config = from_flags(args, FinetuneConfig, prefix)
    table = open_features(args)
    sequences = open_sequences(args, table, data)
    source: Path = args.out / "pretrained"
    made_from = {
        "sequences": sequences.fingerprint(),
        "pretrained": read_record(source).get("made_from"),
        "finetune": as_dict(config),
        "seed": args.seed,
    }
    folder: Path = args.out / "finetuned"
    if finished(folder, made_from):
        return folder

    import torch

    pretrained, _ = training.load_checkpoint(source)
    torch.manual_seed(args.seed)
    model = training.transfer(pretrained, sequences.n_items if config.use_ids else 0)
    records = training.finetune(
        model,
        table.for_items(sequences.items),
        sequences,
        config,
        seed=args.seed,
        device=device_of(args),
    )
    summary = follow(records, "finetune", args.out / "finetune_log.jsonl", config.epochs)
    record = _training_record(args, data, made_from, summary)
    training.save_checkpoint(model, folder, sequences.items, record)
    return folder


def _training_record(
    args: argparse.Namespace, data: DataConfig, made_from: dict[str, Any], summary: dict[str, Any]
) -> dict[str, Any]:
    return {
        "made_from": fingerprint(made_from),
        "settings": made_from,
        "department": args.department,
        "data": as_dict(data),
        "features": str(features_folder(args)),
        "training": summary,
    }
