"""The stages of a run: keywords, features, pre-training, fine-tuning, evaluation.

Each stage writes one folder in the run folder, whole or not at all, with a record of what it was
made from. A stage whose record still fits is skipped, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.cli.extraction import features, keywords
from msm4sr_lite.cli.flags import from_flags
from msm4sr_lite.cli.opening import (
    device_of,
    features_folder,
    open_features,
    open_sequences,
    require_encoder,
)
from msm4sr_lite.config import PRESETS, DataConfig, as_dict
from msm4sr_lite.fast.processes import is_first, joined
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.store.records import finished, read_record
from msm4sr_lite.store.training_log import follow
from msm4sr_lite.store.training_state import StateFile

if TYPE_CHECKING:
    from msm4sr_lite.encoder import M2SE
    from msm4sr_lite.sequences import Sequences


def main(args: argparse.Namespace) -> int:
    """Run the stage that was asked for, or all."""
    if args.command == "run":
        with joined(args):
            return _run(args)
    stage = {"keywords": keywords, "features": features, "pretrain": pretrain, "finetune": finetune}
    with joined(args):
        folder = stage[args.command](args)
    if args.json and is_first():
        print(json.dumps({"stage": args.command, "folder": str(folder), **read_record(folder)}))
    return 0


def _run(args: argparse.Namespace) -> int:
    from msm4sr_lite.cli import evaluate

    start = time.perf_counter()
    evaluate.baseline_names(args)  # every setting is checked before the first stage begins
    preset = PRESETS[args.preset]
    for config, prefix in (
        (preset.data, ""),
        (preset.features, ""),
        (preset.model, ""),
        (preset.pretrain, "pretrain_"),
        (preset.finetune, "finetune_"),
    ):
        from_flags(args, config, prefix)
    plain = from_flags(args, preset.features) == preset.features
    if args.features is None and not args.clip and not args.text_encoder and plain:
        ready = args.dataset / "features"
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
    preset = PRESETS[args.preset]
    data = from_flags(args, preset.data)
    config = from_flags(args, preset.pretrain, prefix)
    table = open_features(args)
    model_config = from_flags(args, preset.model, feature_dim=table.width)
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

    from msm4sr_lite import training
    from msm4sr_lite.encoder import M2SE

    torch.manual_seed(args.seed)
    model = M2SE(model_config)
    state = _state(folder, made_from)
    records = training.pretrain_steps(
        model,
        table.for_items(sequences.items),
        sequences,
        config,
        seed=args.seed,
        device=device_of(args),
        state=state,
    )
    summary = follow(records, folder, config, sequences, state)
    return _finish(args, folder, model, sequences, data, made_from, summary)


def finetune(args: argparse.Namespace, prefix: str = "") -> Path:
    """Write ``finetuned/``: the pre-trained model, fine-tuned on this shop."""
    preset = PRESETS[args.preset]
    data = from_flags(args, preset.data)
    config = from_flags(args, preset.finetune, prefix)
    table = open_features(args)
    sequences = open_sequences(args, table, data)
    source: Path = args.out / "pretrained"
    learnt = read_record(source)
    require_encoder(table, learnt, source)
    made_from = {
        "sequences": sequences.fingerprint(),
        "features": table.manifest["content"],
        "text_encoder": table.manifest["text_encoder"],
        "pretrained": learnt.get("made_from"),
        "finetune": as_dict(config),
        "seed": args.seed,
    }
    folder: Path = args.out / "finetuned"
    if finished(folder, made_from):
        return folder

    import torch

    from msm4sr_lite import training
    from msm4sr_lite.encoder import transfer
    from msm4sr_lite.store.checkpoints import load_checkpoint

    pretrained, _ = load_checkpoint(source)
    torch.manual_seed(args.seed)
    model = transfer(pretrained, sequences.n_items if config.use_ids else 0)
    state = _state(folder, made_from)
    records = training.finetune_steps(
        model,
        table.for_items(sequences.items),
        sequences,
        config,
        seed=args.seed,
        device=device_of(args),
        state=state,
    )
    summary = follow(records, folder, config, sequences, state)
    return _finish(args, folder, model, sequences, data, made_from, summary)


def _state(folder: Path, made_from: dict[str, Any]) -> StateFile:
    """Return where an unfinished training keeps its state; each kind of training has its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return StateFile(folder.with_name(f"{folder.name}.{fingerprint(made_from)}.state"))


def _finish(
    args: argparse.Namespace,
    folder: Path,
    model: M2SE,
    sequences: Sequences,
    data: DataConfig,
    made_from: dict[str, Any],
    summary: dict[str, Any],
) -> Path:
    from msm4sr_lite.store.checkpoints import save_checkpoint

    if not is_first():
        return folder
    record = {
        "made_from": fingerprint(made_from),
        "settings": made_from,
        "domain": args.domain,
        "data": as_dict(data),
        "features": features_folder(args).as_posix(),
        "training": summary,
    }
    save_checkpoint(model, folder, sequences.items, record)
    for state in folder.parent.glob(
        f"{folder.name}.*.state"
    ):  # of this training and of given-up ones
        state.unlink()
    return folder
