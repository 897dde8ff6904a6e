"""Run the parts of a study: choice of settings, comparison, cold start, ablations, transfer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msm4sr_lite.config import UserError, as_dict
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.pipeline.evaluating import describe_split
from msm4sr_lite.progress import say
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.records import read_access_log
from msm4sr_lite.study.ablations import ablations, is_main
from msm4sr_lite.study.cold_start import cold_cases, cold_table, with_cold_items
from msm4sr_lite.study.compare import Comparison, read_configs
from msm4sr_lite.study.config import StudyConfig, TrainingBudget
from msm4sr_lite.study.data import StudyData, prepare
from msm4sr_lite.study.forest import draw
from msm4sr_lite.study.models import MODELS, QUICK_MODELS, ModelSpec, missing_needs
from msm4sr_lite.study.transfer_curve import run_transfer, transfer_ends
from msm4sr_lite.study.whole_dataset import add_whole

Part = Literal["tune", "main", "cold", "ablations", "transfer", "all"]
Keywords: TypeAlias = dict[str, list[list[str]]]


def run_study(
    part: Part,
    dataset: Dataset,
    table: FeatureTable,
    out: Path,
    config: StudyConfig | None = None,
    *,
    keywords: Keywords | None = None,
    callback: Callable[[str, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
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
    keywords
        ``item_id ->`` keywords of each image, for the ablations with fewer of them.
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
        transfer_ends(config)
    study = _Study(dataset, table, out, config, keywords or {}, claims_only=part == "all")
    if part == "tune":
        return {"configs": study.configs(study.with_whole_dataset())}
    results = {}
    for name in parts:
        results[name] = getattr(study, name)()
        write_json(out / f"{name}.json", results[name])
        if name == "ablations":
            try:
                draw(results[name], out / f"{name}.png")
            except ImportError:
                needs = "needs matplotlib (pip install 'msm4sr_lite[course]')"
                say(f"study: {name}.png skipped: {needs}")
        if callback:
            callback(name, results[name])
    return results


def default_folder(dataset: Dataset, config: StudyConfig) -> Path:
    """Return where a study of this dataset is kept if no folder is given."""
    parts = ["study", dataset.name, dataset.domain, "quick" if config.quick else ""]
    return Path("runs", "-".join(part for part in parts if part))


@dataclass
class _Study:
    """The parts of a study, each a method of its name."""

    dataset: Dataset
    table: FeatureTable
    out: Path
    config: StudyConfig
    keywords: Keywords
    claims_only: bool

    @cached_property
    def data(self) -> StudyData:
        """The dataset filtered and split, with its features."""
        return prepare(self.dataset, self.table, self.config.data, self.config.device)

    @cached_property
    def budget(self) -> TrainingBudget:
        """The training budget with its batch size."""
        return self.config.budget.for_targets(self.data.sequences.training_targets())

    def main(self) -> dict[str, Any]:
        """Compare M²SE with all baselines."""
        data = self.with_whole_dataset()
        chosen, names = self.configs(data), self._names(data)
        result = self._compare(self._comparison(data), names, chosen)
        return {"configs": {name: chosen[name]["settings"] for name in names}, **result}

    def cold(self) -> dict[str, Any]:
        """Compare models on cold and rare items and for users with few interactions."""
        data = self.with_whole_dataset()
        chosen = self.configs(data)
        reduced, removed = with_cold_items(data)
        study = self._comparison(reduced)
        found = study.test(self._names(reduced), chosen, self.config.seeds)
        found |= study.upper_bound_runs()
        return {
            **about(reduced, self.config, self.budget),
            "items_removed": removed,
            **cold_table(reduced, found),
            "access_log": read_access_log(self.out),
        }

    def ablations(self) -> dict[str, Any]:
        """Remove or change one component of M²SE at a time."""
        data = replace(self.data, keywords=self.keywords)
        chosen = self.configs(data, ["msm4sr"])["msm4sr"]
        variants = ablations(self.config.clip, claims_only=self.claims_only)
        asked = [] if self.claims_only else _known(self.config.models, variants)
        names = []
        for name in dict.fromkeys(["msm4sr", *asked]) if asked else variants:
            spec = variants[name]
            if name != "msm4sr" and is_main(spec, data, chosen["settings"]):
                say(f"study: {name} skipped: equal to msm4sr with its chosen settings")
            elif _can_run(name, spec, data):
                names.append(name)
        study = Comparison(data, self.out, self.budget, variants, self.config.jobs)
        used = {"msm4sr": chosen["settings"]}
        return {"configs": used, **self._compare(study, names, dict.fromkeys(variants, chosen))}

    def transfer(self) -> dict[str, Any]:
        """Pre-train on other data and use the model in the target."""
        return run_transfer(self.dataset, self.table, self.out, self.config)

    def configs(self, data: StudyData, names: list[str] | None = None) -> dict[str, Any]:
        """Return each model's settings: from a file, as chosen before, or chosen now."""
        if self.config.configs:  # a model with one setting has nothing to choose
            only = {n: {"settings": s.grid[0]} for n, s in MODELS.items() if len(s.grid) == 1}
            return only | read_configs(self.config.configs)
        if self.config.quick:
            return {name: {"settings": spec.grid[0]} for name, spec in MODELS.items()}
        return self._comparison(data).tune(names or self._names(data))

    def _compare(
        self, study: Comparison, names: list[str], configs: dict[str, Any]
    ) -> dict[str, Any]:
        """Test models and return their table with what was compared on."""
        found = study.test(names, configs, self.config.seeds)
        return {
            **about(study.data, self.config, self.budget),
            **study.table(found),
            "upper_bound": study.upper_bound.best,
            "access_log": read_access_log(self.out),
        }

    def _comparison(self, data: StudyData) -> Comparison:
        return Comparison(data, self.out, self.budget, jobs=self.config.jobs)

    def _names(self, data: StudyData) -> list[str]:
        """Return the models that take part: known ones that can run."""
        default = QUICK_MODELS if self.config.quick else tuple(MODELS)
        asked = _known(self.config.models, MODELS) or default
        return [name for name in asked if _can_run(name, MODELS[name], data)]

    def with_whole_dataset(self) -> StudyData:
        """Return the data with all that can be pre-trained on; no model of a quick study does."""
        return self.data if self.config.quick else add_whole(self.data, self.table, self.config)


def about(data: StudyData, config: StudyConfig, budget: TrainingBudget) -> dict[str, Any]:
    """Return what was compared on."""
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
        "budget": asdict(budget),
        "seeds": config.seeds,
        "quick": config.quick,
    }


def _known(names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    known = list(known)
    for name in names:
        if name not in known:
            raise UserError(f"models: no {name!r}; choose from {', '.join(known)}")
    return tuple(names)


def _can_run(name: str, spec: ModelSpec, data: StudyData) -> bool:
    if missing := missing_needs(spec, data):
        say(f"study: {name} skipped: {' and '.join(missing)}")
    return not missing
