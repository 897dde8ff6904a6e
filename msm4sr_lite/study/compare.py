"""Contenders compared: settings chosen on validation, frozen, then tested with other seeds.

::

    tune     every contender's grid, seed 0, judged by NDCG@10 on the validation purchases
    freeze   recipes.json: the chosen settings; from here on they do not change
    test     seeds 1, 2, ... with these settings; each opening of the test split is written down

History is masked in the choice; results are given with it masked and kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from data_samples.make.oracle import oracles
from msm4sr_lite import __version__
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import Scorer, metrics, target_ranks
from msm4sr_lite.progress import say
from msm4sr_lite.sequences import Part
from msm4sr_lite.store.cached_runs import Runs
from msm4sr_lite.store.files import write_json
from msm4sr_lite.store.fingerprint import fingerprint
from msm4sr_lite.study.beyond_accuracy import coverage, popularity_bias, top_lists
from msm4sr_lite.study.budget import Budget
from msm4sr_lite.study.cold_start import cold_items
from msm4sr_lite.study.data import Data
from msm4sr_lite.study.jobs import make_ahead
from msm4sr_lite.study.models import MODELS, ModelSpec, Settings
from msm4sr_lite.study.paired import (
    METRICS,
    holm,
    paired,
    with_seeds,
)
from msm4sr_lite.study.upper_bound import UpperBound

TUNING_SEED = 0  # never one of those that test
CHOICE = "ndcg@10"


class Comparison:
    """One shop, one split, one budget; all runs are kept in a folder.

    Parameters
    ----------
    data
        The shop.
    out
        The folder.
    budget
        Of everything that learns.
    contenders
        Name -> contender, ``CONTENDERS`` or variants of one model.
    jobs
        How many runs are made at once, each in a process of its own with one thread.
    """

    def __init__(
        self,
        data: Data,
        out: Path,
        budget: Budget | None = None,
        specs: dict[str, ModelSpec] | None = None,
        jobs: int = 1,
    ) -> None:
        self.data, self.out = data, out
        self.budget = (budget or Budget()).fitting(data.sequences.training_targets())
        self.specs = MODELS if specs is None else specs
        self.runs, self.jobs = Runs(out / "runs"), jobs

    @cached_property
    def upper_bound(self) -> UpperBound:
        """The best possible; worked out when it is first asked for, since choosing needs none."""
        return UpperBound.of(self.data)

    def run(self, name: str, settings: Settings, seed: int, part: Part) -> dict[str, Any]:
        """Return what one contender reaches with one seed on ``valid`` or ``test``."""
        spec = self.specs[name]
        seed = seed if spec.learns else 0
        if spec.learns:
            settings = {**self.budget.settings(), **settings}
        made_from = [part, repr(spec.make), settings, seed, *self.data.facts]
        if "whole" in spec.needs and self.data.whole:
            made_from += self.data.whole.facts

        def make() -> dict[str, Any]:
            scorer = spec.make(self.data, settings, seed, self.out / "states")
            return self.judge(scorer, part)

        return self.runs.get(f"{name}-{seed}-{part}", made_from, make)

    def judge(self, scorer: Scorer, part: Part) -> dict[str, Any]:
        """Return the ranks of all cases of ``part`` and what the lists are like."""
        histories, targets = self.data.sequences.held_out(part)
        result: dict[str, Any] = {
            name: target_ranks(scorer, histories, targets, filter_seen=mask).tolist()
            for name, mask in (("masked", True), ("kept", False))
        }
        if part == "test":
            cold = cold_items(self.data.sequences)  # ranked among such items
            rows = np.flatnonzero(np.isin(targets, cold))
            asked = [histories[row] for row in rows]
            options: dict[str, Any] = {"filter_seen": True, "candidates": cold}
            result["among_cold"] = target_ranks(scorer, asked, targets[rows], **options).tolist()
            lists = top_lists(scorer, histories)
            result["coverage@10"] = coverage(lists, self.data.sequences.n_items)
            result["popularity_bias@10"] = popularity_bias(lists, targets, self.data.bought)
            result["expected_ndcg@10"] = self.upper_bound.expected(scorer)
        return result

    # ------------------------------------------------------------------ tuning

    def tune(self, names: Sequence[str]) -> dict[str, Any]:
        """Choose each contender's settings on validation and freeze them in ``recipes.json``.

        Recipes that are there already stay as they are. Where a grid has one point only, there is
        nothing to choose and nothing is trained.
        """
        path = self.out / "recipes.json"
        recipes = read_recipes(path) if path.is_file() else {}
        open_still = [name for name in names if name not in recipes]
        if tries := sum(len(self._tries(name)) for name in open_still):
            say(f"study: choosing settings, {tries} runs")
        # All settings of a contender in one process: they begin from the same pre-training.
        make_ahead(self.jobs, [partial(self._tried, name) for name in open_still])
        for name in open_still:
            tried = self._tried(name)
            only = {"settings": self.specs[name].grid[0]}
            best = max(tried, key=lambda one: one[CHOICE], default=only)
            recipes[name] = {"settings": best["settings"], "tried": tried}
            write_json(path, recipes)
        return recipes

    def _tries(self, name: str) -> list[Settings]:
        """Return the points of a grid; none if there is but one."""
        grid = self.specs[name].grid
        return grid if len(grid) > 1 else []

    def _tried(self, name: str) -> list[dict[str, Any]]:
        """Return what every point reaches that is worth a try."""
        tried = []
        for point in self._tries(name):
            ranks = np.array(self.run(name, point, TUNING_SEED, "valid")["masked"])
            reached = round(float(metrics(ranks, [10])[CHOICE].mean()), 6)
            tried.append({"settings": point, CHOICE: reached})
        return tried

    # ------------------------------------------------------------------ testing

    def test(
        self, names: Sequence[str], recipes: dict[str, Any], seeds: Sequence[int]
    ) -> dict[str, list[dict[str, Any]]]:
        """Open the test split, write down that it was opened, and return each contender's runs."""
        missing = [name for name in names if name not in recipes]
        if missing:
            raise UserError(
                f"no recipe for {', '.join(missing)}; run `msm4sr study tune` on this shop first"
            )
        if TUNING_SEED in seeds:
            raise UserError(f"seed {TUNING_SEED} chose the settings; test with other seeds")
        self._note(names, recipes, seeds)
        asked: list[tuple[str, Settings, int, Part]] = [
            (name, recipes[name]["settings"], seed, "test")
            for place, seed in enumerate(seeds)
            for name in names  # one seed of all first: half a study says something
            if place == 0 or self.specs[name].learns
        ]
        say(f"study: testing, {len(asked)} runs")
        _ = self.upper_bound  # worked out before the processes part
        make_ahead(self.jobs, [partial(self.run, *one) for one in asked])
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for one in asked:
            found[one[0]].append(self.run(*one))
        return found

    def upper_bound_runs(self) -> dict[str, list[dict[str, Any]]]:
        """Return what the best possible recommenders reach, as runs; nothing if that is unknown."""
        data = self.data
        known = oracles(data.dataset.image_root, data.sequences) if self.upper_bound.best else {}
        return {
            f"ceiling: {kind}": [
                self.runs.get(
                    f"ceiling-{kind}", [kind, *self.data.facts], partial(self.judge, oracle, "test")
                )
            ]
            for kind, oracle in known.items()
        }

    def _note(self, names: Sequence[str], recipes: dict[str, Any], seeds: Sequence[int]) -> None:
        used = {name: recipes[name]["settings"] for name in names}
        access = {
            "recipes": fingerprint(used),
            "data": self.data.facts,
            "budget": asdict(self.budget),
            "models": list(names),
            "seeds": list(seeds),
            "version": __version__,
        }
        path = self.out / "openings.json"
        known = access_log(self.out)
        if all({k: v for k, v in one.items() if k != "when"} != access for one in known):
            when = datetime.now(UTC).isoformat(timespec="seconds")
            write_json(path, [*known, {"when": when, **access}])

    def table(
        self, found: dict[str, list[dict[str, Any]]], against: str = "msm4sr"
    ) -> dict[str, Any]:
        """Return every contender's figures and how sure its difference to ``against`` is.

        Where ``against`` takes no part, all are compared with the best.
        """
        users, _ = self.data.sequences.cases("test")
        ranks = {
            modality: {
                name: [np.array(run[modality]) for run in runs]
                for name, runs in found.items()
                if runs
            }
            for modality in ("masked", "kept")
        }
        if against not in found:
            reached = {
                name: np.mean([metrics(r)[CHOICE] for r in ranks["masked"][name]]) for name in found
            }
            against = max(found, key=lambda name: reached[name])
        result: dict[str, Any] = {"against": against, "models": {}}
        for name, runs in found.items():
            own: dict[str, Any] = {
                modality: with_seeds([metrics(r) for r in ranks[modality][name]], users)
                for modality in ranks
            }
            for key in ("coverage@10", "popularity_bias@10"):
                own[key] = round(float(np.mean([run[key] for run in runs])), 4)
            own |= self.upper_bound.shares(runs)
            own["seconds"] = round(float(np.mean([run["seconds"] for run in runs])), 1)
            result["models"][name] = own
        others = [name for name in found if name != against]
        change = {
            name: {modality: paired(of[name], of[against], users) for modality, of in ranks.items()}
            for name in others
        }
        for modality in ranks:
            for metric in METRICS:
                corrected = holm([change[name][modality][metric]["p"] for name in others])
                for name, p in zip(others, corrected, strict=True):
                    change[name][modality][metric]["p_holm"] = p
        return {**result, "change": change}


def access_log(out: Path) -> list[dict[str, Any]]:
    """Return when, and for what, the test split was opened in a study folder."""
    path = out / "openings.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def read_recipes(path: Path) -> dict[str, Any]:
    """Read frozen recipes."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not all("settings" in recipe for recipe in found.values()):
            raise ValueError("a recipe without settings")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: no recipes in it ({error}); make them with `msm4sr study tune`"
        ) from None
    return dict(found)
