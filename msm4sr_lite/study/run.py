"""Run the parts of a study: choice of settings, comparison, cold start, ablations, transfer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from msm4sr_lite.config import as_dict
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.pipeline.evaluating import describe_split
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.records import read_access_log
from msm4sr_lite.study.ablations import ABLATIONS, CLAIMS, is_main
from msm4sr_lite.study.cold_start import cold_cases, cold_table, with_cold_items
from msm4sr_lite.study.compare import Comparison
from msm4sr_lite.study.config import StudyConfig
from msm4sr_lite.study.models import MODELS, QUICK_MODELS, prepare
from msm4sr_lite.study.transfer import SCRATCH, TRANSFER, require_ends, transfer_data

Part = Literal["tune", "main", "cold", "ablations", "transfer", "all"]
Result = dict[str, Any]


def run_study(
    part: Part,
    dataset: Dataset,
    table: FeatureTable,
    out: Path,
    config: StudyConfig | None = None,
    *,
    callback: Callable[[str, Result], None] | None = None,
) -> Result:
    """Run one part of a study, or all; finished runs are kept in a folder and not made again.

    Parameters
    ----------
    part
        ``"tune"`` chooses settings on the validation interactions, ``"main"`` compares all models,
        ``"cold"`` looks at cold and rare items, ``"ablations"`` changes one thing at a time,
        ``"transfer"`` pre-trains on other data. ``"all"``: main, cold, the ablations of what the
        paper adds, and transfer if there are sources; in a quick study main alone.
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
        Name of the part -> its result; of ``"tune"`` the chosen settings, named ``configs``.

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
        require_ends(config)
    if part != "transfer":
        data = prepare(dataset, table, config.data, config.device)
        study = Comparison(data, out, config, MODELS)
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
            data = transfer_data(dataset, table, config)
            transfer = Comparison(data, out / name, config, TRANSFER, against=SCRATCH)
            results[name] = compare(transfer, list(TRANSFER))
            results[name]["source"] = " and ".join(Path(name).name for name in config.sources)
        write_json(out / f"{name}.json", results[name])
        if callback:
            callback(name, results[name])
    return results


def default_folder(dataset: Dataset, config: StudyConfig) -> Path:
    """Return where a study of this dataset is kept if no folder is given."""
    parts = ["study", dataset.name, dataset.domain, "quick" if config.quick else ""]
    return Path("runs", "-".join(part for part in parts if part))


def models_of(study: Comparison) -> list[str]:
    """Return the models that take part, without those that cannot run."""
    config = study.config
    return study.runnable(config.models or (QUICK_MODELS if config.quick else MODELS))


def compare(study: Comparison, names: list[str], chosen: Result | None = None) -> Result:
    """Choose settings, test models and return their table with what was compared on."""
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
    chosen = study.tune(names)
    data, removed = with_cold_items(study.data)
    config = replace(study.config, budget=study.budget)
    reduced = Comparison(data, study.out, config, study.specs)
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
    """Return what was compared on."""
    data, config = study.data, study.config
    sequences = data.sequences
    users, _ = sequences.cases("test")
    # Sequences without cuts are tested by their last interaction, whatever was asked for.
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
