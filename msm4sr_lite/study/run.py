"""Run the parts of a study: choice of settings, comparison, cold start, ablations, transfer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from msm4sr_lite.config import UserError, as_dict
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.pipeline.evaluating import describe_split
from msm4sr_lite.pipeline.stages import TrainingData, describe_training_data
from msm4sr_lite.pipeline.trained_model import require_text_encoder
from msm4sr_lite.progress import say
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.store.records import read_access_log, require_run_dir
from msm4sr_lite.store.run_folder import in_run_folder
from msm4sr_lite.study import models, specs
from msm4sr_lite.study.ablations import ABLATIONS, CLAIMS, is_main
from msm4sr_lite.study.cold_start import cold_cases, cold_table, with_cold_items
from msm4sr_lite.study.compare import Comparison
from msm4sr_lite.study.config import StudyConfig

Part = Literal["tune", "main", "cold", "ablations", "transfer", "all"]
Result = dict[str, Any]
SCRATCH = "from scratch"
TRANSFER: dict[str, specs.Spec] = {
    "item_knn": models.MODELS["item_knn"],
    SCRATCH: specs.ModelSpec(pretrains=False),
    "pre-trained on the target": specs.ModelSpec(),
    "pre-trained on the source": specs.ModelSpec(on_source=True),
    "zero-shot from the source": specs.ModelSpec(specs.ONE, on_source=True, finetunes=False),
}


@in_run_folder(lambda part, dataset, table, out, *_, **__: require_run_dir(out, dataset.folder))
def run_study(
    part: Part,
    dataset: Dataset,
    table: FeatureTable,
    out: Path,
    config: StudyConfig | None = None,
    *,
    callback: Callable[[str, Result], None] | None = None,
) -> Result:
    """Run one part of a study, or all; finished runs are kept in a folder and not repeated.

    Parameters
    ----------
    part
        ``"tune"`` chooses settings on the validation interactions, ``"main"`` compares all models,
        ``"cold"`` compares them on cold and rare items, ``"ablations"`` changes one component at a
        time, ``"transfer"`` pre-trains on other data. ``"all"`` runs main, cold, the ablations of
        what the paper adds, and transfer if there are sources; in a quick study main alone.
    dataset
        The dataset, or one domain of it.
    table
        Features of the items of the whole dataset.
    out
        Study folder. Each part also writes its result there, as ``PART.json``.
    config
        Settings.
    callback
        Called with the name and the result of each part when it is finished.

    Returns
    -------
    results
        Name of the part -> its result. The part ``"tune"`` gives the chosen settings, named
        ``configs``.

    Raises
    ------
    UserError
        If a setting or the data do not allow the study.
    """
    config = config or StudyConfig()
    parts: list[str] = [part]
    if part == "all":
        parts = ["main"] if config.quick else ["main", "cold", "ablations"]
        parts += ["transfer"] if config.sources or config.target else []
    if "transfer" in parts:
        target = transfer_data(dataset, table, config)
    if part != "transfer":
        data = specs.prepare(dataset, table, config.data, config.device)
        study = Comparison(data, out, config, models.MODELS)
    if part == "tune":
        return {"configs": study.tune(models_of(study))}
    results: Result = {}
    for name in parts:
        if name == "main":
            results[name] = compare(study, models_of(study))
        elif name == "cold":
            results[name] = compare_cold(study)
        elif name == "ablations":
            names = CLAIMS if part == "all" else config.models or ABLATIONS
            results[name] = compare_ablations(study, names)
        else:
            transfer = Comparison(target, out / name, config, TRANSFER, against=SCRATCH)
            results[name] = compare(transfer, list(TRANSFER))
            results[name]["source"] = " and ".join(Path(name).name for name in config.sources)
        write_json(out / f"{name}.json", results[name])
        if callback:
            callback(name, results[name])
    return results


def default_folder(dataset: Dataset, config: StudyConfig) -> Path:
    """Return the folder of a study of this dataset if none is given."""
    parts = ["study", dataset.name, dataset.domain, "quick" if config.quick else ""]
    return Path("runs", "-".join(part for part in parts if part))


def models_of(study: Comparison) -> list[str]:
    """Return the models of a study, without those that cannot run."""
    config = study.config
    return study.runnable(config.models or (models.QUICK_MODELS if config.quick else models.MODELS))


def compare(study: Comparison, names: list[str], chosen: Result | None = None) -> Result:
    """Choose settings, test models, and return their results with a description of the data."""
    chosen = chosen or study.tune(names)
    found = study.test(names, chosen)
    return {
        "configs": {name: chosen[name]["settings"] for name in names},
        **about(study),
        **study.table(found),
        "upper_bound": study.upper_bound.best,
    }


def compare_cold(study: Comparison) -> Result:
    """Compare models on cold and rare items and for users with few interactions."""
    names = models_of(study)
    data, removed = with_cold_items(study.data)
    config = replace(study.config, budget=study.budget)
    # Settings are also chosen without the removed interactions, so that cold items stay unseen.
    reduced = Comparison(data, study.out / "cold" if removed else study.out, config, study.specs)
    chosen = reduced.tune(names)
    found = reduced.test(names, chosen)
    for kind, oracle in reduced.upper_bound.oracles.items():
        found[f"upper bound: {kind}"] = [reduced.measure(oracle, "test")]
    return about(reduced) | {"items_removed": removed, **cold_table(data, found)}


def compare_ablations(study: Comparison, names: Iterable[str]) -> Result:
    """Remove or change one component of M²SE at a time."""
    chosen = study.tune(["msm4sr"])["msm4sr"]
    ablations = Comparison(study.data, study.out, study.config, ABLATIONS)
    names = ablations.runnable(dict.fromkeys(["msm4sr", *names]))
    for name in names[1:]:
        if is_main(ABLATIONS[name], study.data, chosen["settings"]):
            say(f"study: {name} skipped: equal to msm4sr with its chosen settings")
            names.remove(name)
    result = compare(ablations, names, dict.fromkeys(names, chosen))
    return {**result, "configs": {"msm4sr": chosen["settings"]}}


def about(study: Comparison) -> Result:
    """Return a description of a comparison: its data, split, training budget and seeds."""
    data, config = study.data, study.config
    sequences = data.sequences
    users, _ = sequences.cases("test")
    # Sequences without cuts hold out the last interaction, whatever the settings say.
    split = "leave-one-out" if sequences.cuts is None else describe_split(config.data)
    return {
        "dataset": data.dataset.name,
        "domain": data.dataset.domain,
        "users": len(set(users.tolist())),
        "cases": len(users),
        "items": sequences.n_items,
        "interactions": len(sequences.interactions),
        "cold_cases": len(cold_cases(sequences)),
        "split": split,
        "data": as_dict(config.data),
        "budget": asdict(study.budget),
        "seeds": config.seeds,
        "quick": config.quick,
        "access_log": read_access_log(study.out),
    }


def transfer_data(dataset: Dataset, table: FeatureTable, config: StudyConfig) -> specs.StudyData:
    """Return the data of the target domain, with the sources to pre-train on.

    Parameters
    ----------
    dataset, table
        The dataset with these domains, and the features of all its items.
    config
        Settings; ``sources`` and ``target`` must be set.

    Raises
    ------
    UserError
        If sources or target are missing, the features of a source come from another text encoder,
        or a source of the same dataset trains on interactions that the target holds out.
    """
    folders = [Path(name).is_dir() for name in config.sources]
    if not (folders and (config.target or all(folders))):
        raise UserError(
            "a transfer study needs a source and a target: either two domains, such as source home"
            " and target outdoor, or folders of other datasets as sources"
        )
    target = open_domain(config.target, dataset, table, config)
    sources = [open_domain(name, dataset, table, config) for name in config.sources]
    held_out, folder = interactions_of(target.sequences, held_out=True), target.dataset.folder
    for name, source in zip(config.sources, sources, strict=True):
        there = source.dataset.folder
        same = folder is not None and there is not None and there.resolve() == folder.resolve()
        if same and held_out & interactions_of(source.sequences, held_out=False):
            raise UserError(f"{name}: trains on interactions that the target holds out; change it")
        require_text_encoder(target.table, {"settings": describe_training_data(source)}, name)
    return replace(target, source=join(sources))


def interactions_of(sequences: Sequences, held_out: bool) -> set[tuple[str, str]]:
    """Return user and item of each held-out interaction, or of each training interaction."""
    found = set()
    for user, (name, cut) in enumerate(zip(sequences.users, sequences.bounds()[0], strict=True)):
        row = sequences.user_sequence(user)
        found |= {(name, sequences.items[i]) for i in (row[cut:] if held_out else row[:cut])}
    return found


def open_domain(
    name: str, dataset: Dataset, table: FeatureTable, config: StudyConfig
) -> specs.StudyData:
    """Read the domain or dataset folder of this name, and filter and split its interactions."""
    folder, domain = dataset.folder, name
    if folder is None:
        raise UserError("transfer needs a dataset folder, not data frames; use Dataset.from_folder")
    if name and Path(name).is_dir():
        folder, domain = Path(name), ""
        table = load_feature_table(folder / "features")
    found = Dataset.from_folder(
        folder,
        domain=domain,
        unknown_items=config.unknown_items,
        columns=config.columns if folder == dataset.folder else None,
    )
    try:
        return specs.prepare(found, table, config.data, config.device)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def join(domains: Sequence[TrainingData]) -> TrainingData:
    """Join several domains into one, to pre-train on all of them in shared batches.

    A batch then holds users of all domains, and the in-batch negatives come from all of them. Most
    of those from other domains are easy negatives. Items and users are named ``0/...``, ``1/...``
    by the position of their domain, since two domains may share ids.
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
