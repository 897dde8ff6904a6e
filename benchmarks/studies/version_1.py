"""Train with version 1 and with this checkout: the same seeds must give the same numbers.

::

    python -m benchmarks.studies.version_1                       # a minute or two
    python -m benchmarks.studies.version_1 --epochs 20 --out build/version_1.json

Both versions pre-train and fine-tune on the domain *home* of ``data_samples/corner_shop`` with the
settings below, each in its own process with one thread. The script compares, to the last bit, the
record of every step (losses, targets) and of every epoch (validation recall), all weights after
each stage, the rank of every held-out item, and all metrics with their intervals.
``benchmarks.versions`` lists the names of the settings in both versions. The exit code is 1 if
anything differs.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.versions import NAMES, ROOT, Settings, Version, unpack_version_1

SEED = 3

# Every setting of the method, with the values of the preset `paper`; the batches are smaller, so
# that an epoch has some 25 steps. Epochs come from the command line.
TRAIN = {
    "batch_size": 256,
    "prefix_augmentation": False,
    "patience": 20,
    "clip_norm": 5.0,
    "temperature": 0.07,
    "targets_per_sequence": 0,
    "valid_users": 0,
    "precision": "float32",
}
PAPER: Settings = {
    "data": {
        "min_user_interactions": 5,
        "min_item_interactions": 0,
        "deduplicate": True,
        "split": "leave_one_out",
        "n_test": 1,
        "test_share": 0.1,
    },
    "model": {
        "dim": 64,
        "layers": 2,
        "heads": 2,
        "ffn_dim": 256,
        "max_len": 50,
        "experts": 8,
        "item_pooling": "attention",
        "pooling_dim": 64,
        "train_pooling": True,
        "mask_padding": True,
        "modalities": "both",
        "projections": False,
        "hidden_dropout": 0.2,
        "attention_dropout": 0.2,
        "adaptor_dropout": 0.2,
        "feature_dropout": 0.0,
    },
    "pretrain": {
        **TRAIN,
        "lr": 1e-3,
        "weight_decay": 0.0,
        "nip_weight": 1.0,
        "cmcl_weight": 0.01,
        "mixup_max": 0.5,
        "mixup_draw": "uniform",
        "mixup_per": "batch",
        "drop_max": 0.2,
        "drop_per": "batch",
        "drop_keeps": "first",
        "same_target": "exclude",
        "nip_same_user": "keep",
        "cmcl_same_user": "exclude",
        "cmcl_form": "symmetric",
    },
    "finetune": {
        **TRAIN,
        "lr": 1e-4,
        "weight_decay": 1e-3,
        "use_ids": True,
        "pad_class": False,
        "candidates": "all",
        "n_negatives": 0,
    },
}
# Settings of the other presets, and of one for this comparison, that differ from these.
CHANGES: dict[str, Settings] = {
    "paper": {},
    "tuned": {
        "model": {"experts": 1, "adaptor_dropout": 0.0, "feature_dropout": 0.5},
        "pretrain": {"lr": 2e-3},
        "finetune": {"lr": 1e-3, "candidates": "seen"},
    },
    "authors": {
        "model": {"train_pooling": False, "mask_padding": False},
        "pretrain": {
            "prefix_augmentation": True,
            "drop_keeps": "last",
            "same_target": "zero_logit",
            "cmcl_same_user": "keep",
            "cmcl_form": "rowwise",
        },
        "finetune": {"prefix_augmentation": True, "pad_class": True},
    },
    "sampled": {
        "model": {"layers": 1, "item_pooling": "mean", "projections": True},
        "pretrain": {
            "targets_per_sequence": 3,
            "mixup_draw": "fixed",
            "mixup_per": "sequence",
            "drop_per": "sequence",
            "nip_same_user": "exclude",
        },
        "finetune": {"n_negatives": 100, "valid_users": 200},
    },
}
STAGES = ("pretrain", "finetune")


def settings_of(preset: str, epochs: int) -> Settings:
    """Return all settings of a preset, under the names of this checkout."""
    settings = copy.deepcopy(PAPER)
    for section, values in CHANGES[preset].items():
        settings[section].update(values)
    for stage in STAGES:
        settings[stage]["epochs"] = epochs
    return settings


def flatten(numbers: Any) -> list[Any]:
    """Return the numbers in nested lists and dictionaries in order, without the keys."""
    if isinstance(numbers, dict):
        numbers = list(numbers.values())
    if isinstance(numbers, list):
        return [number for part in numbers for number in flatten(part)]
    return [numbers]


def compare(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    """Count equal numbers; return one row per stage or evaluation and kind of number.

    Numbers are compared in order and by their exact value; names of weights may have changed.
    """
    rows = []
    for what, kinds in first.items():
        for kind, numbers in kinds.items():
            old, new = flatten(numbers), flatten(second[what][kind])
            equal = sum(a == b or (a != a and b != b) for a, b in zip(old, new, strict=False))
            same = equal == len(old) == len(new)
            row = {"what": what, "numbers": kind, NAMES[0]: len(old), NAMES[1]: len(new)}
            rows.append({**row, "equal": equal, "same": same})
    return rows


def main() -> int:
    """Compare and print one line for each kind of number; 1 if any differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=2, help="of each stage (default: 2)")
    parser.add_argument("--presets", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--out", type=Path, help="write settings, numbers and rows as JSON")
    args = parser.parse_args()
    record: dict[str, Any] = {"seed": SEED, "presets": {}}
    with tempfile.TemporaryDirectory() as scratch:
        folders = unpack_version_1(Path(scratch)), ROOT
        versions = [Version(*pair) for pair in zip(NAMES, folders, strict=True)]
        for preset in args.presets:
            settings = settings_of(preset, args.epochs)
            found, seconds = [], []
            for version, folder in zip(versions, folders, strict=True):
                start = time.perf_counter()
                numbers = version.ask(
                    "train",
                    folder=str(folder / "data_samples" / "corner_shop"),
                    domain="home",
                    settings=version.settings(settings),
                    seed=SEED,
                )
                found.append(numbers)
                seconds.append(time.perf_counter() - start)
            rows = compare(*found)
            for row in rows:
                result = "same" if row["same"] else "DIFFERENT"
                counts = f"{row['equal']:5} of {row[NAMES[0]]:5} equal"
                print(f"{preset:8} {row['what']:24} {row['numbers']:8} {counts}  {result}")
            ndcg = found[1]["test, filter_seen=False"]["metrics"]["ndcg@10"]["value"]
            print(f"{preset:8} NDCG@10 {ndcg}, {seconds[0]:.0f} and {seconds[1]:.0f} s", flush=True)
            numbers_by_name = dict(zip(NAMES, found, strict=True))
            record["presets"][preset] = {"settings": settings, "rows": rows, **numbers_by_name}
        for version in versions:
            version.close()
    same = all(row["same"] for one in record["presets"].values() for row in one["rows"])
    print("All numbers are the same." if same else "Some numbers differ.")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"same": same, "epochs": args.epochs, **record}, indent=1)
        args.out.write_text(text + "\n", encoding="utf-8")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
