"""Compare models: choose settings on validation, freeze them, then test with other seeds.

::

    tune     every model's grid, seed 0, NDCG@10 on the validation interactions
    freeze   configs.json: the chosen settings; from here on they do not change
    test     seeds 1, 2, ... with these settings; access_log.json lists each use of the test set

Items of the history are filtered from the ranking when settings are chosen. Test results are given
with this filter and without.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from msm4sr_lite import __version__
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import Scorer, metrics, target_ranks
from msm4sr_lite.progress import say
from msm4sr_lite.sequences import Part
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.store.records import cached_run, log_access
from msm4sr_lite.study.beyond_accuracy import coverage, popularity_bias, top_lists
from msm4sr_lite.study.cold_start import cold_cases, cold_items
from msm4sr_lite.study.config import TrainingBudget
from msm4sr_lite.study.data import StudyData
from msm4sr_lite.study.jobs import run_ahead
from msm4sr_lite.study.models import MODELS, ModelSpec
from msm4sr_lite.study.paired import METRICS, holm, paired, with_seeds
from msm4sr_lite.study.trainers import Settings
from msm4sr_lite.study.upper_bound import UpperBound

TUNING_SEED = 0  # never one of those that test
CHOICE = "ndcg@10"
PROTOCOLS = {"filter_seen": True, "keep_seen": False}
Run = dict[str, Any]


class Comparison:
    """One dataset, one split, one training budget; all runs are kept in a folder.

    Parameters
    ----------
    data
        What all models are given.
    out
        Study folder.
    budget
        Training budget of all models.
    specs
        Name -> model; ``MODELS``, or variants of one model.
    jobs
        Runs at the same time, one process with one thread each.
    """

    def __init__(
        self,
        data: StudyData,
        out: Path,
        budget: TrainingBudget | None = None,
        specs: dict[str, ModelSpec] | None = None,
        jobs: int = 1,
    ) -> None:
        self.data, self.out = data, out
        budget = budget or TrainingBudget()
        self.budget = budget.for_targets(data.sequences.training_targets())
        self.specs = MODELS if specs is None else specs
        self.jobs = jobs

    @cached_property
    def upper_bound(self) -> UpperBound:
        """The oracle upper bound; computed when first used, since tuning needs none."""
        return UpperBound.of(self.data)

    def run(self, name: str, settings: Settings, seed: int, part: Part) -> Run:
        """Return the results of one model with one seed on ``valid`` or ``test``."""
        spec = self.specs[name]
        seed = seed if spec.is_trained else 0
        if spec.is_trained:
            settings = {**self.budget.settings(), **settings}
        made_from = [part, repr(spec.fit), settings, seed, *self.data.fingerprints]
        if "whole" in spec.needs and self.data.whole:
            made_from += self.data.whole.fingerprints

        def make() -> Run:
            scorer = spec.fit(self.data, settings, seed, self.out / "states")
            return self.evaluate_scorer(scorer, part)

        return cached_run(self.out / "runs", f"{name}-{seed}-{part}", made_from, make)

    def evaluate_scorer(self, scorer: Scorer, part: Part) -> Run:
        """Return the ranks of all targets of ``part`` and properties of the top-10 lists."""
        histories, targets = self.data.sequences.held_out(part)
        result: Run = {
            name: target_ranks(scorer, histories, targets, filter_seen=filter_seen).tolist()
            for name, filter_seen in PROTOCOLS.items()
        }
        if part == "test":
            # Cold targets are ranked among the cold items, too.
            rows, cold = cold_cases(self.data.sequences), cold_items(self.data.sequences)
            asked = [histories[row] for row in rows]
            ranks = target_ranks(scorer, asked, targets[rows], filter_seen=True, candidates=cold)
            result["among_cold"] = ranks.tolist()
            lists, counts = top_lists(scorer, histories), self.data.interaction_counts
            result["coverage@10"] = coverage(lists, self.data.sequences.n_items)
            result["popularity_bias@10"] = popularity_bias(lists, targets, counts)
            result["expected_ndcg@10"] = self.upper_bound.expected(scorer)
        return result

    # ------------------------------------------------------------------ tuning

    def tune(self, names: Sequence[str]) -> dict[str, Any]:
        """Choose each model's settings on validation and freeze them in ``configs.json``.

        Settings that were chosen before stay as they are. A grid of one point needs no training.
        """
        path = self.out / "configs.json"
        configs = read_configs(path) if path.is_file() else {}
        missing = [name for name in names if name not in configs]
        if tries := [point for name in missing for point in self._points(name)]:
            say(f"study: choosing settings, {len(tries)} runs")
        # All settings of a model in one process: they start from the same pre-training.
        run_ahead(self.jobs, [partial(self._try, name) for name in missing])
        for name in missing:
            tried = self._try(name)
            only = {"settings": self.specs[name].grid[0]}
            best = max(tried, key=lambda one: one[CHOICE], default=only)
            configs[name] = {"settings": best["settings"], "tried": tried}
            write_json(path, configs)
        return configs

    def _points(self, name: str) -> list[Settings]:
        """Return the points of a grid; none if there is nothing to choose."""
        grid = self.specs[name].grid
        return grid if len(grid) > 1 else []

    def _try(self, name: str) -> list[dict[str, Any]]:
        """Return the validation result of each point."""
        tried = []
        for point in self._points(name):
            ranks = np.array(self.run(name, point, TUNING_SEED, "valid")["filter_seen"])
            value = round(float(metrics(ranks, [10])[CHOICE].mean()), 6)
            tried.append({"settings": point, CHOICE: value})
        return tried

    # ------------------------------------------------------------------ testing

    def test(
        self, names: Sequence[str], configs: dict[str, Any], seeds: Sequence[int]
    ) -> dict[str, list[Run]]:
        """Log the access to the test set and return the runs of each model, one for each seed."""
        if missing := [name for name in names if name not in configs]:
            raise UserError(
                f"no chosen settings for {', '.join(missing)};"
                f" run `msm4sr study tune` on this dataset first"
            )
        if TUNING_SEED in seeds:
            raise UserError(f"seed {TUNING_SEED} chose the settings; test with other seeds")
        access = {
            "configs": fingerprint({name: configs[name]["settings"] for name in names}),
            "data": self.data.fingerprints,
            "budget": asdict(self.budget),
            "models": list(names),
            "seeds": list(seeds),
            "version": __version__,
        }
        log_access(self.out, access)
        asked: list[tuple[str, Settings, int, Part]] = [
            (name, configs[name]["settings"], seed, "test")
            for place, seed in enumerate(seeds)
            for name in names  # one seed of all models first: half a study is of use
            if place == 0 or self.specs[name].is_trained
        ]
        say(f"study: testing, {len(asked)} runs")
        _ = self.upper_bound  # computed once, before it is copied to the processes
        run_ahead(self.jobs, [partial(self.run, *one) for one in asked])
        found: dict[str, list[Run]] = {name: [] for name in names}
        for one in asked:
            found[one[0]].append(self.run(*one))
        return found

    def upper_bound_runs(self) -> dict[str, list[Run]]:
        """Return the results of the oracles, as runs; none if the upper bound is not known."""
        found = {}
        for kind, oracle in self.upper_bound.oracles.items():
            made_from = [kind, *self.data.fingerprints]
            run = partial(self.evaluate_scorer, oracle, "test")
            name = f"upper-bound-{kind}"
            found[f"upper bound: {kind}"] = [cached_run(self.out / "runs", name, made_from, run)]
        return found

    def table(self, found: dict[str, list[Run]], against: str = "msm4sr") -> dict[str, Any]:
        """Return each model's metrics and its difference to ``against`` with interval and p.

        If ``against`` takes no part, all are compared with the best model.
        """
        users, _ = self.data.sequences.cases("test")
        ranks = {
            protocol: {n: [np.array(run[protocol]) for run in runs] for n, runs in found.items()}
            for protocol in PROTOCOLS
        }
        if against not in found:
            each = ranks["filter_seen"].items()
            reached = {name: np.mean([metrics(r)[CHOICE] for r in rows]) for name, rows in each}
            against = max(found, key=lambda name: reached[name])
        models = {}
        for name, runs in found.items():
            model: dict[str, Any] = {
                protocol: with_seeds([metrics(r) for r in of[name]], users)
                for protocol, of in ranks.items()
            }
            for key, digits in (("coverage@10", 4), ("popularity_bias@10", 4), ("seconds", 1)):
                model[key] = round(float(np.mean([run[key] for run in runs])), digits)
            models[name] = model | self.upper_bound.shares(runs)
        others = [name for name in found if name != against]
        change = {
            name: {protocol: paired(of[name], of[against], users) for protocol, of in ranks.items()}
            for name in others
        }
        for protocol in ranks:
            for metric in METRICS:
                corrected = holm([change[name][protocol][metric]["p"] for name in others])
                for name, p in zip(others, corrected, strict=True):
                    change[name][protocol][metric]["p_holm"] = p
        return {"against": against, "models": models, "change": change}


def read_configs(path: Path) -> dict[str, Any]:
    """Read chosen settings: ``name -> {"settings": ...}``."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not all("settings" in config for config in found.values()):
            raise ValueError("a model without settings")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: no chosen settings in it ({error}); make them with `msm4sr study tune`"
        ) from None
    return dict(found)
