"""Compare models: choose settings on validation, freeze them, then test with other seeds.

::

    tune     every model's grid, seed 0, NDCG@10 on the validation interactions
    freeze   configs.json: the chosen settings; from here on they do not change
    test     seeds 1, 2, ... with these settings; access_log.json lists each use of the test set

When settings are chosen, items of the history are filtered from the ranking. Test results are
reported with and without this filter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from msm4sr_lite import __version__
from msm4sr_lite.baselines.oracle import UpperBound
from msm4sr_lite.config import Config, UserError, with_settings
from msm4sr_lite.evaluation import Scorer, metrics, target_ranks
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.printable import counted
from msm4sr_lite.progress import say
from msm4sr_lite.recommend.top_items import top_items
from msm4sr_lite.sequences import Part
from msm4sr_lite.settings import did_you_mean, fields_by_name
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.store.records import RUN_AGAIN, cached_run, log_access
from msm4sr_lite.store.schemas import ChosenSettings, read_json
from msm4sr_lite.study.cold_start import cold_cases, cold_items
from msm4sr_lite.study.complementarity import pairwise
from msm4sr_lite.study.config import StudyConfig, TrainingBudget
from msm4sr_lite.study.models import missing_needs
from msm4sr_lite.study.paired import METRICS, holm, paired, with_seeds
from msm4sr_lite.study.specs import ModelSpec, Settings, Spec, StudyData

TUNING_SEED = 0  # never a test seed
CHOICE = "ndcg@10"
PROTOCOLS = {"filter_seen": True, "keep_seen": False}
PRODUCT = "ensemble"  # what ``MSM4SR(ensemble="auto")`` recommends with
Run = dict[str, Any]
ByModel = dict[str, list[np.ndarray]]  # model -> the rank of each target, for each seed


@dataclass
class Comparison:
    """A comparison of models on one dataset, with one split and one training budget.

    Attributes
    ----------
    data
        The data of all models.
    out
        Study folder, in which all runs are kept.
    config
        Settings.
    specs
        Name -> model, such as ``MODELS`` or variants of one model.
    against
        The model that all others are compared with; if it is missing, the best model.
    """

    data: StudyData
    out: Path
    config: StudyConfig
    specs: Mapping[str, Spec]
    against: str = "msm4sr"

    @property
    def budget(self) -> TrainingBudget:
        """The training budget, with a batch size that fits the data."""
        return self.config.budget.for_targets(self.data.sequences.training_targets())

    @cached_property
    def upper_bound(self) -> UpperBound:
        """The oracle upper bound, computed when it is first used; tuning does not need it."""
        return UpperBound(self.data.dataset.folder, self.data.sequences)

    def run(self, name: str, settings: Settings, seed: int, part: Part) -> Run:
        """Return the results of one model with one seed on ``valid`` or ``test``."""
        spec = self.specs[name]
        if spec.is_trained:
            settings = {**self.budget.settings(), **settings}
        else:
            seed = 0
        made_from = [part, repr(spec), settings, seed, self.data.made_from]

        def make() -> Run:
            return self.measure(spec.fit(self.data, settings, seed, self.out / "states"), part)

        folder, file_name = self.out / "runs", f"{name}-{seed}-{part}"
        found = cached_run(folder, file_name, made_from, make)
        if part == "test" and self.upper_bound.best and found["expected_ndcg@10"] is None:
            raise UserError(f"{folder}: {file_name} was made without the oracles; {RUN_AGAIN}")
        return found

    def measure(self, scorer: Scorer, part: Part) -> Run:
        """Return the ranks of all targets of ``part`` and properties of the top-10 lists."""
        sequences = self.data.sequences
        histories, targets = sequences.held_out(part)
        found: Run = {
            name: target_ranks(scorer, histories, targets, filter_seen=filter_seen).tolist()
            for name, filter_seen in PROTOCOLS.items()
        }
        if part == "valid":
            return found
        # Cold targets are also ranked among the cold items only.
        rows, cold = cold_cases(sequences), cold_items(sequences)
        asked = [histories[row] for row in rows]
        ranks = target_ranks(scorer, asked, targets[rows], filter_seen=True, candidates=cold)
        best = top_items(scorer.score, histories, 10, np.arange(len(sequences.items)) > 0)
        listed = np.concatenate([items for items, _ in best])
        counts = sequences.item_counts()
        popularity = counts[targets].mean()
        return {
            **found,
            "among_cold": ranks.tolist(),
            "coverage@10": len(set(listed.tolist())) / sequences.n_items,
            # Mean training interactions of the recommended items, relative to those of the targets.
            "popularity_bias@10": counts[listed].mean() / popularity if popularity else np.inf,
            "expected_ndcg@10": self.upper_bound.expected(scorer),
        }

    def runnable(self, names: Iterable[str]) -> list[str]:
        """Return the names of models that can run on the data; print why others cannot.

        Raises
        ------
        UserError
            If a name is unknown.
        """
        found = []
        for name in names:
            if name not in self.specs:
                raise UserError(f"models: no {name!r}; choose from {', '.join(self.specs)}")
            if missing := missing_needs(self.specs[name], self.data):
                say(f"study: {name} skipped: {' and '.join(missing)}")
            else:
                found.append(name)
        return found

    def tune(self, names: Sequence[str]) -> dict[str, Any]:
        """Choose each model's settings on validation and freeze them in ``configs.json``.

        Settings that were chosen before do not change. A grid of one point needs no training. A
        quick study takes the first point of each grid.
        """
        path, quick = self.out / "configs.json", self.config.quick
        known = self.config.configs or (path if path.is_file() and not quick else None)
        chosen = read_configs(known) if known else {}
        for name in [name for name in names if name in chosen]:
            try:
                require_settings(self.specs[name], chosen[name]["settings"])
            except UserError as error:
                raise UserError(f"{known}: {name}: {error}") from None
        if quick:
            return {name: {"settings": self.specs[name].grid[0]} for name in names} | chosen
        missing = [name for name in names if name not in chosen]
        if missing:
            say(f"study: choosing settings of {', '.join(missing)}")
        # One process tries all settings of a model, since they start from the same pre-training.
        results = run_all(self.config.jobs, [partial(self._try, name) for name in missing])
        for name, tried in zip(missing, results, strict=True):
            only = {"settings": self.specs[name].grid[0]}
            best = max(tried, key=lambda one: one[CHOICE], default=only)
            chosen[name] = {"settings": best["settings"], "tried": tried}
        write_json(path, chosen)
        return chosen

    def _try(self, name: str) -> list[Run]:
        """Return the validation result of each point of a grid, if there is a choice."""
        grid = self.specs[name].grid
        tried = []
        for point in grid if len(grid) > 1 else ():
            ranks = np.array(self.run(name, point, TUNING_SEED, "valid")["filter_seen"])
            value = round(float(metrics(ranks, [10])[CHOICE].mean()), 6)
            tried.append({"settings": point, CHOICE: value})
        return tried

    def test(self, names: Sequence[str], chosen: dict[str, Any]) -> dict[str, list[Run]]:
        """Log the access to the test set and return the runs of each model, one for each seed."""
        access = {
            "configs": fingerprint({name: chosen[name]["settings"] for name in names}),
            "data": self.data.made_from,
            "budget": asdict(self.budget),
            "models": list(names),
            "seeds": self.config.seeds,
            "version": __version__,
        }
        log_access(self.out, access)
        asked = [
            (name, seed)
            for place, seed in enumerate(self.config.seeds)
            for name in names  # one seed of all models first, so half a study is already useful
            if place == 0 or self.specs[name].is_trained
        ]
        say(f"study: testing, {counted(len(asked), 'run')}")
        _ = self.upper_bound  # computed once, before it is copied to the processes
        tasks = [partial(self.run, n, chosen[n]["settings"], seed, "test") for n, seed in asked]
        found: dict[str, list[Run]] = {name: [] for name in names}
        for (name, _), run in zip(asked, run_all(self.config.jobs, tasks), strict=True):
            found[name].append(run)
        return found

    def table(self, found: dict[str, list[Run]]) -> dict[str, Any]:
        """Return each model's metrics, and its difference to ``against`` with interval and p.

        If the product is compared, the differences to it are added.
        """
        users, _ = self.data.sequences.cases("test")
        ranks: dict[str, ByModel] = {protocol: {} for protocol in PROTOCOLS}
        for protocol, name in product(PROTOCOLS, found):
            ranks[protocol][name] = [np.array(run[protocol]) for run in found[name]]
        against = self.against
        if against not in found:
            each = ranks["filter_seen"]
            against = max(each, key=lambda n: np.mean([metrics(r)[CHOICE] for r in each[n]]))
        models: dict[str, Any] = {name: {} for name in found}
        for name, runs in found.items():
            for protocol, by_model in ranks.items():
                models[name][protocol] = with_seeds([metrics(r) for r in by_model[name]], users)
            for key, digits in (("coverage@10", 4), ("popularity_bias@10", 4), ("seconds", 1)):
                models[name][key] = round(float(np.mean([run[key] for run in runs])), digits)
            models[name] |= self.upper_bound.shares(runs)
        result = {"against": against, "models": models, "change": changes(ranks, against, users)}
        if PRODUCT in found:
            result["change_to_product"] = changes(ranks, PRODUCT, users)
        return {**result, "overlap@10": pairwise(ranks["filter_seen"])}


def changes(ranks: Mapping[str, ByModel], against: str, users: np.ndarray) -> dict[str, Any]:
    """Return every other model's difference to one, with Holm's correction for all of them."""
    found: dict[str, Any] = {name: {} for name in ranks["filter_seen"] if name != against}
    for protocol, by_model in ranks.items():
        for name, change in found.items():
            change[protocol] = paired(by_model[name], by_model[against], users)
        for metric in METRICS:
            cells = [change[protocol][metric] for change in found.values()]
            for cell, p in zip(cells, holm([cell["p"] for cell in cells]), strict=True):
                cell["p_holm"] = p
    return found


def read_configs(path: Path) -> dict[str, Any]:
    """Read chosen settings: ``name -> {"settings": ...}``."""
    remedy = "run the part tune of the study to choose settings"
    found: dict[str, Any] = read_json(path, dict[str, ChosenSettings], remedy)
    return found


def require_settings(spec: Spec, settings: Settings) -> None:
    """Check settings that were chosen for a model, before anything is trained with them.

    Raises
    ------
    UserError
        If a name is unknown or a value is out of range.
    """
    if not isinstance(spec, ModelSpec):
        return  # ``fit_baseline`` checks the settings of baselines
    known = [*fields_by_name(Config)] if spec.is_trained else []
    if unknown := [name for name in settings if name not in known]:
        hint = did_you_mean(unknown[0], known) or "names are like 'finetune.lr'"
        raise UserError(f"unknown setting {unknown[0]!r}; {hint if known else 'it has none'}")
    with_settings(PRESETS[spec.preset], settings)


def run_all(jobs: int, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all tasks, ``jobs`` at a time, in processes with one thread each; return the results."""
    if jobs == 1:
        return [task() for task in tasks]
    try:
        from joblib import Parallel, delayed, parallel_config
    except ImportError:
        raise UserError('jobs above 1 need joblib: pip install "msm4sr_lite[course]"') from None

    with parallel_config("loky", inner_max_num_threads=1):
        return list(Parallel(n_jobs=jobs)(delayed(task)() for task in tasks))
