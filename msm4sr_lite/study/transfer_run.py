"""Open the sources and the target of a transfer study and run its learning curve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError, as_dict
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.study.config import StudyConfig
from msm4sr_lite.study.data import prepare
from msm4sr_lite.study.transfer import Domain
from msm4sr_lite.study.transfer_curve import TransferCurve


def transfer_ends(config: StudyConfig) -> None:
    """Raise a ``UserError`` unless sources and target are given."""
    folders = [Path(name).is_dir() for name in config.sources]
    if not (folders and (config.target or all(folders))):
        raise UserError(
            "a transfer study needs both ends: two domains, as in --source home --target outdoor;"
            " or folders of other datasets, as in --source their/folder,another/folder"
        )


def run_transfer(
    dataset: Dataset, table: FeatureTable, out: Path, config: StudyConfig
) -> dict[str, Any]:
    """Pre-train on the sources and use the model in the target, with a share of its users.

    Parameters
    ----------
    dataset, table
        The dataset whose domains are named, and the features of all its items.
    out
        Study folder.
    config
        Settings; ``sources`` and ``target`` must be set.
    """
    names, sources = [], []
    for name in config.sources:
        if (folder := Path(name)).is_dir():
            names.append(folder.name)
            sources.append(open_domain(folder, load_feature_table(folder / "features"), config))
        else:
            names.append(name)
            sources.append(open_domain(dataset.folder, table, config, domain=name))
    target = open_domain(dataset.folder, table, config, domain=config.target)
    transfer = replace(config.transfer, seeds=config.n_seeds)
    curve = TransferCurve(sources, target, transfer, out / "transfer", config.jobs, config.device)
    return {
        "dataset": dataset.name,
        "quick": config.quick,
        "source": " and ".join(names),
        "target": config.target or "the whole dataset",
        "users": len(target[1].users),
        "items": target[1].n_items,
        "protocol": as_dict(transfer),
        **curve.results(),
    }


def open_domain(
    folder: Path | None, table: FeatureTable, config: StudyConfig, domain: str = ""
) -> Domain:
    """Read a dataset folder or one domain of it, and filter and split it as the study asks."""
    if folder is None:
        raise UserError("transfer between domains needs a dataset folder, not data frames")
    dataset = Dataset.from_folder(folder, domain=domain, unknown_items=config.unknown_items)
    try:
        data = prepare(dataset, table, config.data)
    except UserError as error:
        raise UserError(f"{domain or folder}: {error}") from None
    return data.table, data.sequences
