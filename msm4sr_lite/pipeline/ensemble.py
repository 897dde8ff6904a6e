"""The score ensemble of a trained model: fit its parts, choose their weights, save and load it."""

import math
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from msm4sr_lite.baselines import BaselineData, SASRec, fit_baseline
from msm4sr_lite.baselines.ensemble import MAIN, Probabilities, ScoreEnsemble
from msm4sr_lite.baselines.selection import choose_weights, validation_cases
from msm4sr_lite.baselines.simple import NEIGHBOURS, RULES, WHITENED, PairScorer, TextKNN
from msm4sr_lite.config import Config, UserError, as_dict, with_settings
from msm4sr_lite.encoder import BOTH, M2SE
from msm4sr_lite.fast.processes import is_first
from msm4sr_lite.feature_table import FeatureTable, no_features
from msm4sr_lite.pipeline.stages import Stage, TrainingData, describe_training_data
from msm4sr_lite.presets import UNISREC
from msm4sr_lite.progress import say
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store import checkpoints
from msm4sr_lite.store.checkpoints import REMEDY
from msm4sr_lite.store.checksums import verify_folder
from msm4sr_lite.store.files import whole_folder, write_json
from msm4sr_lite.store.fingerprint import fingerprint, fingerprint_weights
from msm4sr_lite.store.records import is_finished
from msm4sr_lite.store.run_folder import in_run_folder
from msm4sr_lite.store.schemas import EnsembleRecord, read_json

# The candidates beside the neural model. Models that are trained from scratch: name -> class.
NETWORKS: dict[str, type[M2SE]] = {"ids": SASRec, "text": M2SE, "image": M2SE}
# What they have instead of the model's settings. Alone, such a model learns more quickly than one
# with experts (docs/log.md).
ALONE = UNISREC | {"features.whitening": "pca", "model.feature_dropout": 0.0}
# Baselines of ``BASELINES``, with settings, each of which makes a part of its own.
PAIRS = {"item_knn": NEIGHBOURS, "sequential_rules": RULES}  # kept as matrices
TEXTS = {"bert_knn": WHITENED}  # computed from the features
UNFINISHED = ".unfinished"  # mark beside the folder of an ensemble that is being fitted
FEW_CASES = 30  # with fewer validation cases, weights would be chance
Parts = dict[str, dict[str, Any]]  # name of a part -> its entry in ``ensemble.json``


@dataclass(frozen=True)
class Ensemble:
    """The weights of a score ensemble, and what its parts need beside features and item counts.

    Attributes
    ----------
    record
        The content of ``ensemble.json``: of every candidate its kind, settings, weight, and
        NDCG@10 on validation; NDCG@10 of the ensemble; the model that it was made for.
    fitted
        Part name -> network or pairs, for the parts with a weight above 0 that need one.
    """

    record: dict[str, Any]
    fitted: dict[str, M2SE | PairScorer]

    def used(self) -> Parts:
        """Return the entries of the parts beside the neural model with a weight above 0."""
        parts = self.record["parts"].items()
        return {name: part for name, part in parts if part["weight"] and name != MAIN}

    @property
    def fingerprint(self) -> str:
        """A short hash of everything that the ensemble was made from."""
        return fingerprint(self.record)

    def scorer(
        self, model: ModelScorer, table: FeatureTable, seen: np.ndarray, temperature: float
    ) -> ScoreEnsemble:
        """Return the ensemble as a scorer, with the neural model as its main part.

        ``seen`` says which items have training interactions, ``(items + 1,)``.
        """
        parts: dict[str, Any] = {MAIN: Probabilities(model, temperature)}
        for name, part in self.used().items():
            one = self.fitted.get(name)
            if isinstance(one, M2SE):
                parts[name] = Probabilities(ModelScorer(one, table, model.device), temperature)
            elif one:
                parts[name] = one.resized(len(table.items))
            else:
                parts[name] = TextKNN(table.text, seen, **part["settings"])
        weights = {name: self.record["parts"][name]["weight"] for name in parts}
        return ScoreEnsemble(parts, weights, MAIN, seen)

    def save(self, folder: Path, items: list[str]) -> None:
        """Write the folder of the ensemble, whole or not at all."""
        with whole_folder(folder, checksums=True) as draft:
            write_json(draft / "ensemble.json", self.record)
            for name, part in self.fitted.items():
                if isinstance(part, M2SE):
                    checkpoints.save_checkpoint(part, draft / name, items, {})
                else:
                    checkpoints.write_pairs(draft / f"{name}.safetensors", part.pairs, part.decay)

    @classmethod
    def load(cls, folder: Path, items: list[str], model: M2SE) -> Self:
        """Read the folder of an ensemble.

        Parameters
        ----------
        folder
            What ``save`` wrote.
        items, model
            The model that it belongs to, and its item ids.

        Raises
        ------
        UserError
            If a file is missing or damaged, or the ensemble was made for another model.
        """
        path = folder / "ensemble.json"
        record: dict[str, Any] = read_json(path, EnsembleRecord, REMEDY)
        ensemble, weights = cls(record, {}), [p["weight"] for p in record["parts"].values()]
        if MAIN not in record["parts"] or not any(weights):
            raise UserError(f"{path}: lacks {MAIN}, or a weight above 0; {REMEDY}")
        if record["model"] != fingerprint_weights(model):
            raise UserError(f"{folder}: made for another model than that beside it; {REMEDY}")
        used = ensemble.used()
        pairs = [f"{name}.safetensors" for name, p in used.items() if p["kind"] in PAIRS]
        verify_folder(folder, ("ensemble.json", *pairs), REMEDY)
        for name, part in used.items():
            if part["kind"] in NETWORKS:
                ensemble.fitted[name] = _load_net(folder / name, part, items, model)
            elif part["kind"] in PAIRS:
                found = checkpoints.read_pairs(folder / f"{name}.safetensors", len(items))
                ensemble.fitted[name] = PairScorer(*found)
            else:
                _check_settings(path, part["settings"])
        return ensemble


def _load_net(folder: Path, part: dict[str, Any], items: list[str], model: M2SE) -> M2SE:
    """Read a network, and refuse that of another ensemble."""
    net, listed = checkpoints.load_checkpoint(folder, NETWORKS[part["kind"]])
    same = listed == items and net.config.feature_dim == model.config.feature_dim
    if not same or fingerprint_weights(net) != part["settings"].get("weights"):
        raise UserError(f"{folder}: does not fit ensemble.json and the model beside it; {REMEDY}")
    return net


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    """Refuse settings with which text neighbours cannot be made."""
    try:
        TextKNN(no_features([""]).text, np.zeros(1, bool), **settings)
    except (UserError, TypeError) as error:
        raise UserError(f"{path}: {error}; {REMEDY}") from None


def can_choose(data: TrainingData, is_required: bool) -> bool:
    """Return whether there are validation cases to choose weights on; refuse if it must be so."""
    seen = data.sequences.item_counts() > 0
    cases = int(seen[data.sequences.held_out("valid")[1]].sum())
    if cases >= (needed := 1 if is_required else FEW_CASES):
        return True
    why = f"needs validation cases whose target has training interactions, {needed}; got {cases}"
    if is_required:
        raise UserError(f'ensemble="auto" {why}; hold more out, or set ensemble="none"')
    say(f"note: no score ensemble: it {why}")
    return False


@in_run_folder(lambda stage, *_, **__: stage.run_dir)
def fit_ensemble(
    stage: Stage,
    data: TrainingData,
    net: M2SE,
    config: Config,
    chosen: Ensemble | None = None,
    *,
    until: float = math.inf,
) -> Ensemble:
    """Fit the parts of an ensemble, and choose their weights on validation cases.

    The trained parts are kept in ``run_dir/parts``, the ensemble in ``run_dir/ensemble``.

    Parameters
    ----------
    stage, data
        As for the fine-tuning of ``net``.
    net, config
        The fine-tuned neural model and its settings, which are also those of the trained parts.
    chosen
        An ensemble whose parts, numbers of epochs and weights are used again.
    until
        Time of ``time.perf_counter`` after which no further part is trained.
    """
    config = replace(config, model=net.config)
    made_from = {
        **describe_training_data(data),
        "config": as_dict(config),
        "model": fingerprint_weights(net),
        "candidates": [*NETWORKS, ALONE, PAIRS, TEXTS],
        "chosen": chosen and chosen.record,
        "seed": stage.seed,
    }
    folder = stage.run_dir / "ensemble" if stage.run_dir else None
    if folder and is_finished(folder, made_from):
        return Ensemble.load(folder, data.sequences.items, net)
    remove_ensemble(stage.run_dir)
    if folder and is_first():
        folder.with_suffix(UNFINISHED).touch()
    parts = {**chosen.record["parts"]} if chosen else _candidates(data, config)
    fitted: dict[str, Any] = {MAIN: net}
    inputs = BaselineData(data.sequences, data.table)
    for name, part in [*(chosen.used() if chosen else parts).items()]:
        if part["kind"] in PAIRS | TEXTS:
            fitted[name] = fit_baseline(part["kind"], inputs, **part["settings"])
        elif name != MAIN and time.perf_counter() < until:
            fitted[name], parts[name] = _train_part(stage, data, config, part)
        elif name != MAIN:
            say(f"ensemble: no time left to train the part {name}")
            del parts[name]
            made_from["dropped"] = True  # so that a run with more time is not done already
    if chosen:
        value = chosen.record["validation_ndcg_10"]
    else:
        value = _weigh(parts, fitted, data, config.finetune.temperature, stage.device)
    record = {"format": 1, "made_from": fingerprint(made_from), "model": made_from["model"]}
    found = Ensemble(record | {"validation_ndcg_10": value, "parts": parts}, {})
    kept = {name: fitted[name] for name in found.used()}
    found.fitted.update({n: one for n, one in kept.items() if not isinstance(one, TextKNN)})
    if folder and is_first():
        found.save(folder, data.sequences.items)
        folder.with_suffix(UNFINISHED).unlink()
    return found


def _weigh(
    parts: Parts, fitted: dict[str, Any], data: TrainingData, temperature: float, device: str
) -> float:
    """Choose weights and enter them into ``parts``; return NDCG@10 of the ensemble."""
    scorers, seen = {**fitted}, data.sequences.item_counts() > 0
    for name, one in fitted.items():
        if isinstance(one, M2SE):
            scorers[name] = Probabilities(ModelScorer(one, data.table, device), temperature)
    say(f"ensemble: choosing the weights of {len(scorers)} parts")
    choice = choose_weights(scorers, *validation_cases(data.sequences), seen)
    for name, value in choice.alone.items():
        parts[name] |= {"weight": choice.weights[name], "validation_ndcg_10": value}
    terms = {name: f"{weight:g} {name}" for name, weight in choice.weights.items() if weight}
    found = f"{' + '.join(terms.values())}; validation NDCG@10 {choice.together:.4f}, of the best"
    found += f" part alone {max(choice.alone.values()):.4f}"
    say(f"ensemble: {f'no part improves on {MAIN}' if [*terms] == [MAIN] else found}")
    return choice.together


def _candidates(data: TrainingData, config: Config) -> Parts:
    """Return the kind and settings of every part that these data allow."""
    there = [modality for modality in BOTH if getattr(data.table, modality).counts.any()]
    found: Parts = {MAIN: {"kind": MAIN, "settings": {}}}
    for kind in NETWORKS if config.finetune.epochs else ():
        if kind not in BOTH or kind in there:
            found[kind] = {"kind": kind, "settings": {"epochs": config.finetune.epochs}}
    for kind, points in (PAIRS | (TEXTS if "text" in there else {})).items():
        for number, point in enumerate(points, 1):
            found[f"{kind}_{number}"] = {"kind": kind, "settings": point}
    return found


def part_configs(data: TrainingData, config: Config) -> dict[str, Config]:
    """Return the settings of each part that is trained, beside a model with these settings."""
    found, kinds = {}, [part["kind"] for part in _candidates(data, config).values()]
    config = with_settings(config, {"pretrain.epochs": 0})  # first: CMCL needs both modalities
    for kind in (one for one in NETWORKS if one in kinds):
        modalities: Any = kind if kind in BOTH else "text"  # SASRec reads none
        model = replace(config.model, n_items=0, modalities=modalities)
        found[kind] = with_settings(replace(config, model=model), ALONE)
    return found


def _train_part(
    stage: Stage, data: TrainingData, config: Config, part: dict[str, Any]
) -> tuple[M2SE, dict[str, Any]]:
    """Train a part from scratch; return it, and its entry with the best number of epochs."""
    kind, epochs = part["kind"], part["settings"]["epochs"]
    config = with_settings(part_configs(data, config)[kind], {"finetune.epochs": epochs})
    run_dir = stage.run_dir / "parts" / kind if stage.run_dir else None
    run = replace(stage, run_dir=run_dir, callback=None, record={}, summaries={})
    say(f"ensemble: the part {kind}")
    trained, best = run.from_scratch(data, config, NETWORKS[kind]), run.best_epochs()
    settings = {"epochs": best["finetune.epochs"], "weights": fingerprint_weights(trained)}
    return trained, {**part, "settings": settings}


def remove_ensemble(run_dir: Path | None) -> None:
    """Remove the ensemble of a run folder, which was made for another model."""
    if run_dir and is_first():
        shutil.rmtree(run_dir / "ensemble", ignore_errors=True)
        (run_dir / "ensemble").with_suffix(UNFINISHED).unlink(missing_ok=True)
