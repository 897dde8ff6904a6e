"""Check a run, study, model or feature folder: read everything in it as its users would."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.features.embedding_cache import check_cache
from msm4sr_lite.features.table_files import (
    load_feature_table,
    read_keyword_folder,
    read_keywords,
)
from msm4sr_lite.pipeline.ensemble import NETWORKS, Ensemble
from msm4sr_lite.pipeline.trained_model import TrainedModel, trained_features
from msm4sr_lite.store.checkpoints import load_checkpoint
from msm4sr_lite.store.records import read_access_log, read_record, read_run
from msm4sr_lite.store.schemas import FeatureManifest, read_json
from msm4sr_lite.store.training_files import read_log, read_state

# Runs inside a run folder: see ``MSM4SR.fit`` and ``run_study``.
INNER = ("selection", "tuning/*", "parts/*", "cold", "transfer")
KNOWN = {"config.json", "manifest.json", "keywords", "features", "pretrained", "finetuned", "cache"}
KNOWN |= {"runs", "states", "access_log.json", "configs.json", "selection"}


def is_run(folder: Path) -> bool:
    """Return whether a folder looks like a run, study, model or feature folder."""
    return any((folder / name).exists() for name in KNOWN)


def check_run(folder: Path) -> dict[str, str]:
    """Read everything in a folder that the library wrote.

    Parameters
    ----------
    folder
        A run folder, a study folder, a model folder or a feature folder.

    Returns
    -------
    found
        Name of each part -> what is wrong with it; empty if nothing is.

    Raises
    ------
    UserError
        If there is nothing in the folder that the library wrote.
    """
    found = {}
    for name, check in _parts(folder):
        try:
            check()
            found[name] = ""
        except UserError as error:
            found[name] = str(error)
    if not found:
        raise UserError(f"{folder}: neither a dataset nor a run folder; give one of them")
    return found


def _parts(folder: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the name of each part of a folder and a function that reads it."""
    if (folder / "config.json").exists():
        yield "model", partial(TrainedModel.load, folder)
    elif (folder / "manifest.json").exists():
        yield "features", partial(_check_features, folder)
    if (folder / "keywords").exists():
        yield "keywords", partial(read_keyword_folder, folder / "keywords")
    if (folder / "features").exists():
        yield "features", partial(_check_features, folder / "features")
    for stage in ("pretrained", "finetuned"):
        if (folder / stage).exists():
            yield stage, partial(_check_model, folder / stage, folder / "features")
        if (log := folder / f"{stage}_log.jsonl").exists():
            yield log.name, partial(_check_log, log, folder / stage)
    if (folder / "ensemble").exists() and not (folder / "config.json").exists():
        yield "ensemble", partial(_check_ensemble, folder)
    for state in sorted(folder.glob("*.state")):
        yield state.name, partial(read_state, state)
    for cache in sorted(folder.glob("cache/*.sqlite")):
        yield f"cache/{cache.name}", partial(check_cache, cache)
    for name in ("results.json", "configs.json"):
        if (folder / name).exists():
            yield name, partial(read_json, folder / name, dict[str, Any])
    if (folder / "access_log.json").exists():
        yield "access_log.json", partial(read_access_log, folder)
    for run in sorted(folder.glob("runs/*.json")):
        yield f"runs/{run.name}", partial(read_run, run)
    for state in sorted(folder.glob("states/*/config.json")):
        yield f"states/{state.parent.name}", partial(load_checkpoint, state.parent)
    for pattern in INNER:
        for inner in sorted(folder.glob(pattern)):
            for name, check in _parts(inner):
                yield f"{inner.relative_to(folder).as_posix()}/{name}", check


def _check_features(folder: Path) -> None:
    load_feature_table(folder)
    read_keywords(folder)


def _check_model(model: Path, features: Path) -> None:
    """Read a model, and compare the features beside it with those that it was trained on."""
    load_checkpoint(model, NETWORKS.get(model.parent.name, M2SE))
    if (features / "manifest.json").exists():
        read = read_json(features / "manifest.json", FeatureManifest)
        trained_on = trained_features(read_record(model))
        if trained_on not in (None, "", read.get("content", "")):
            raise UserError(f"{model}: was trained on other features than those in {features}")


def _check_ensemble(run: Path) -> None:
    """Read the ensemble of a run folder, and compare it with the model that it was made for."""
    net, items = load_checkpoint(run / "finetuned")
    Ensemble.load(run / "ensemble", items, net)


def _check_log(log: Path, model: Path) -> None:
    """Compare a log with what the record of its model says about the training."""
    epochs = read_log(log)
    training = read_record(model).get("training") if model.exists() else None
    if training and (training.get("epochs") != len(epochs) or training.get("best") not in epochs):
        raise UserError(f"{log}: not the log of the training that made {model}")
