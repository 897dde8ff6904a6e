"""Open what a command works on: shop, features, sequences, model, device."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msm4sr_lite.config import DataConfig, UserError

if TYPE_CHECKING:
    from msm4sr_lite.dataset.dataset import Dataset
    from msm4sr_lite.feature_table import FeatureTable
    from msm4sr_lite.sequences import Sequences


def open_dataset(args: argparse.Namespace) -> Dataset:
    """Read the shop folder once per command and tell what was left out."""
    if not hasattr(args, "opened_dataset"):
        from msm4sr_lite.dataset.dataset import Dataset

        args.opened_dataset = Dataset.from_folder(
            args.dataset,
            domain=args.domain,
            unknown_items="drop" if args.drop_unknown else "error",
        )
        for note in args.opened_dataset.notes:
            print(f"note: {note}", file=sys.stderr)
    dataset: Dataset = args.opened_dataset
    return dataset


def features_folder(args: argparse.Namespace) -> Path:
    """Return the feature folder: as asked, else where the model's record says, else the shop's."""
    if args.features:
        return Path(args.features)
    places = []
    if model := getattr(args, "model", None):
        folder = model_folder(model)
        places += [folder.parent / "features", Path(trained_on(folder)[1]["features"])]
    elif run := getattr(args, "out", None):
        places.append(Path(run) / "features")
    places.append(args.dataset / "features")
    for place in places:
        if (place / "manifest.json").is_file():
            return place
    raise UserError(
        f"no features in {' or '.join(map(str, places))}; make them with `msm4sr features`"
    )


def open_features(args: argparse.Namespace) -> FeatureTable:
    """Load the feature table."""
    from msm4sr_lite.features.table_files import load_feature_table

    return load_feature_table(features_folder(args))


def open_sequences(args: argparse.Namespace, table: FeatureTable, data: DataConfig) -> Sequences:
    """Build the sequences of the items that have features."""
    from msm4sr_lite.dataset.split import build_sequences
    from msm4sr_lite.study.data import described_items

    dataset = open_dataset(args)
    unread = sorted(set(dataset.items) - set(table.items))
    if unread:
        raise UserError(
            f"{len(unread)} items of the shop have no features (the first is {unread[0]!r});"
            f" run `msm4sr features` on this shop"
        )
    items = described_items(dataset, table)
    missing = len(dataset.items) - len(items)
    if missing:
        print(
            f"note: {missing} items have no usable text or picture: left out, with their purchases",
            file=sys.stderr,
        )
    return build_sequences(dataset.interactions, items, data)


def model_folder(path: Path) -> Path:
    """Return the model folder itself, or the best one of a run folder."""
    for place in (path, path / "finetuned", path / "pretrained"):
        if (place / "config.json").is_file():
            return place
    raise UserError(f"{path}: no trained model in this folder; make one with `msm4sr run`")


def trained_on(folder: Path) -> tuple[DataConfig, dict[str, Any]]:
    """Return the purchase filters a model was trained with, and its whole record."""
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        known = {field.name for field in fields(DataConfig)}
        return DataConfig(**{k: v for k, v in record["data"].items() if k in known}), record
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}/record.json: cannot be read ({error})") from None


def require_encoder(table: FeatureTable, record: dict[str, Any], model: Path) -> None:
    """Raise a ``UserError`` if a model was trained on the vectors of another text encoder."""
    from msm4sr_lite.store.fingerprint import first_difference

    known = record.get("settings", {}).get("text_encoder", {})
    found = table.manifest.get("text_encoder", {})
    if key := first_difference(("weights", "pooling"), known, found):
        raise UserError(
            f"{model}: trained on features of a text encoder with other {key} ({known[key]})"
            f" than these ({found[key]}); give the old ones with --features, or train again"
        )


def device_of(args: argparse.Namespace) -> str:
    """Return ``cpu`` or ``cuda``."""
    import torch

    if args.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if args.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "--device cuda: this machine has no GPU that torch can use; try --device cpu"
        )
    return str(args.device)
