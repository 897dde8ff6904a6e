"""Flags and folders with which the commands of ``msm4sr`` take a second."""

import json

from toys import save_table, toy_dataset, toy_table

MODEL = ["--set", "model.dim=8", "--set", "model.ffn_dim=8"]
PRETRAIN = ["--set", "pretrain.epochs=2", "--set", "pretrain.batch_size=64"]
FINETUNE = ["--set", "finetune.epochs=2", "--set", "finetune.batch_size=64"]
QUICK = [*MODEL, *PRETRAIN, *FINETUNE]


def dataset_with_features(folder, items=40, without_image=()):
    """Write a dataset folder with features: a sentence and, mostly, an image for each item."""
    toy_dataset(folder, users=60, items=items)
    names = [f"i{number}" for number in range(items)]
    images = [int(name not in without_image) for name in names]
    table = folder / "items.jsonl"
    records = [json.loads(line) for line in table.read_text().splitlines()]
    for record, count in zip(records, images, strict=True):
        record["images"] = [f"images/{record['item_id']}.png"] * count  # never opened
    table.write_text("".join(json.dumps(record) + "\n" for record in records))
    save_table(toy_table([1] * items, images, items=names), folder / "features")
    return folder


def read_log(run_dir, stage="pretrained"):
    """Return the epochs in a training log; none if there is no log yet."""
    log = run_dir / f"{stage}_log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
