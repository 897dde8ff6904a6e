"""Pre-train on other data, then use the model in the target: as it is, and fine-tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.pipeline.stages import TrainingData, describe_training_data
from msm4sr_lite.pipeline.trained_model import require_text_encoder
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.study.config import StudyConfig
from msm4sr_lite.study.models import MODELS, ONE, ModelSpec, Spec, StudyData, prepare

SCRATCH = "from scratch"
TRANSFER: dict[str, Spec] = {
    "item_knn": MODELS["item_knn"],
    SCRATCH: ModelSpec(pretrains=False),
    "pre-trained on the target": ModelSpec(),
    "pre-trained on the source": ModelSpec(on_source=True),
    "zero-shot from the source": ModelSpec(ONE, on_source=True, finetunes=False),
}


def transfer_data(dataset: Dataset, table: FeatureTable, config: StudyConfig) -> StudyData:
    """Return the target, with the sources to pre-train on.

    Parameters
    ----------
    dataset, table
        The dataset whose domains are named, and the features of all its items.
    config
        Settings; ``sources`` and ``target`` must be set.

    Raises
    ------
    UserError
        If an end is missing, or other text encoders made the features of the sources.
    """
    require_ends(config)
    target = open_domain(config.target, dataset, table, config)
    sources = [open_domain(name, dataset, table, config) for name in config.sources]
    for name, source in zip(config.sources, sources, strict=True):
        require_text_encoder(target.table, {"settings": describe_training_data(source)}, name)
    return replace(target, source=join(sources))


def require_ends(config: StudyConfig) -> None:
    """Raise a ``UserError`` unless sources and target are given."""
    folders = [Path(name).is_dir() for name in config.sources]
    if not (folders and (config.target or all(folders))):
        raise UserError(
            "a transfer study needs both ends: two domains, as in --source home --target outdoor;"
            " or folders of other datasets, as in --source their/folder,another/folder"
        )


def open_domain(name: str, dataset: Dataset, table: FeatureTable, config: StudyConfig) -> StudyData:
    """Read the domain or the dataset folder of this name, and filter and split it."""
    folder, domain = dataset.folder, name
    if folder is None:
        raise UserError("transfer needs a dataset folder, not data frames")
    if name and Path(name).is_dir():
        folder, domain = Path(name), ""
        table = load_feature_table(folder / "features")
    found = Dataset.from_folder(folder, domain=domain, unknown_items=config.unknown_items)
    try:
        return prepare(found, table, config.data, config.device)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def join(domains: Sequence[TrainingData]) -> TrainingData:
    """Join several domains into one, to pre-train on all of them in common batches.

    A batch then holds users of all domains, and the in-batch negatives of an item come from all of
    them; most of those from other domains are easy negatives. Items and users are named ``0/...``,
    ``1/...`` by the position of their domain, since two domains may share ids.
    """
    parts = [domain.sequences for domain in domains]
    items = ["", *(f"{n}/{item}" for n, part in enumerate(parts) for item in part.items[1:])]
    users = [f"{n}/{user}" for n, part in enumerate(parts) for user in part.users]
    before = np.cumsum([0, *(part.n_items for part in parts)])
    interactions = [part.interactions + n for part, n in zip(parts, before, strict=False)]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    cuts = np.concatenate([part.bounds()[:2].T for part in parts])
    table = domains[0].table
    for domain in domains[1:]:
        table = table.append(domain.table)
    made_from = fingerprint([domain.table.manifest.get("content") for domain in domains])
    table = replace(table, items=items, manifest={**table.manifest, "content": made_from})
    return TrainingData(Sequences(users, items, np.concatenate(interactions), offsets, cuts), table)
