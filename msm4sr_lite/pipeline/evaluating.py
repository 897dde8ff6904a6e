"""Evaluate models and baselines on the held-out interactions of a dataset, and report results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from msm4sr_lite import __version__
from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.baselines import BaselineData, fit_baseline, require_baselines
from msm4sr_lite.baselines.ensemble import ScoreEnsemble
from msm4sr_lite.baselines.oracle import load_oracles
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.ids import known_ids
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.evaluation import Scorer, evaluate
from msm4sr_lite.features.sentences import item_texts
from msm4sr_lite.pipeline.serving import Serving
from msm4sr_lite.pipeline.stages import PART_NAMES
from msm4sr_lite.pipeline.trained_model import TrainedModel
from msm4sr_lite.printable import counted, with_first
from msm4sr_lite.sequences import Part, Sequences
from msm4sr_lite.store.fingerprint import (
    fingerprint_interactions,
    fingerprint_sequences,
    fingerprint_weights,
)
from msm4sr_lite.store.records import log_access

METRICS = ("recall@10", "ndcg@10", "recall@20", "ndcg@20", "mrr@10")  # what a table shows
FEW_USERS = 30  # with fewer, a note says that the intervals are too narrow
Metrics = dict[str, dict[str, float]]  # "ndcg@10" -> {"value", "low", "high"}


@dataclass(frozen=True)
class Report:
    """Full-ranking metrics with 95 % bootstrap intervals over users.

    ``print`` shows a table; ``report["ndcg@10"]`` is the first model's value.

    Attributes
    ----------
    dataset
        Name of the dataset.
    protocol
        Part, split, numbers of users and items, candidates, and whether seen items are filtered.
    models
        Model name -> metrics.
    upper_bound
        Metrics of the exact oracles, if the dataset has them; else empty.
    notes
        Further facts that a reader must know.
    """

    dataset: str
    protocol: dict[str, Any]
    models: dict[str, Metrics]
    upper_bound: dict[str, Metrics] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, metric: str) -> float:
        return next(iter(self.models.values()))[metric]["value"]

    def share_of_upper_bound(self) -> dict[str, dict[str, float]]:
        """Return each model's NDCG@10 as a share of every upper bound."""
        return {
            name: {
                kind: round(metrics["ndcg@10"]["value"] / best["ndcg@10"]["value"], 4)
                for kind, best in self.upper_bound.items()
                if best["ndcg@10"]["value"]
            }
            for name, metrics in self.models.items()
            if self.upper_bound
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, ready for JSON."""
        shares = self.share_of_upper_bound()
        return asdict(self) | ({"share_of_upper_bound": shares} if shares else {})

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model and metric: ``model, metric, value, low, high``."""
        return pd.DataFrame(
            {"model": name, "metric": metric, **numbers}
            for name, metrics in self.models.items()
            for metric, numbers in metrics.items()
        )

    def __str__(self) -> str:
        p = self.protocol
        n = p["candidates"]
        ranked = "all items" if n == "all" else counted(n, "listed item")
        seen = "filtered out" if p["filter_seen"] else "kept"
        lines = [
            f"{self.dataset}: {counted(p['users'], 'user')}, {counted(p['items'], 'item')};"
            f" {PART_NAMES[p['part']]} part"
            f" ({p['split']}); {ranked} ranked, seen items {seen}",
            "",
            (" " * 24 + "".join(f"{name:<24}" for name in METRICS)).rstrip(),
        ]
        rows = list(self.models.items())
        rows += [(f"upper bound: {kind}", best) for kind, best in self.upper_bound.items()]
        for name, metrics in rows:
            cells = (metrics[metric] for metric in METRICS)
            numbers = (f"{c['value']:.4f} [{c['low']:.3f}, {c['high']:.3f}]" for c in cells)
            lines.append(f"{name:<24}" + "".join(f"{number:<24}" for number in numbers).rstrip())
        lines.append("")
        for name, shares in self.share_of_upper_bound().items():
            parts = ", ".join(f"{share:.0%} ({kind})" for kind, share in shares.items())
            lines.append(f"{name}: NDCG@10 is {parts} of the upper bound")
        lines.append("[low, high]: 95 % bootstrap interval over users")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    __repr__ = __str__


def evaluate_scorers(
    scorers: Mapping[str, Scorer],
    sequences: Sequences,
    part: Part = "valid",
    *,
    dataset: str = "",
    split: str = "leave-one-out",
    filter_seen: bool = True,
    candidates: np.ndarray | None = None,
    upper_bound: Mapping[str, Scorer] | None = None,
) -> Report:
    """Rank all items for every test case of ``part`` with every scorer.

    Parameters
    ----------
    scorers
        Name -> scorer, the model first.
    sequences
        The users' sequences with their held-out parts.
    part
        ``valid`` or ``test``.
    dataset, split
        Names for the report.
    filter_seen
        Whether items of the history are filtered from the ranking.
    candidates
        Item numbers that compete with each target; None for all items.
    upper_bound
        Exact oracles, if there are any.

    Raises
    ------
    UserError
        If no interaction is held out in ``part``, or a score is not finite.
    """
    users, _ = sequences.cases(part)
    if not len(users):
        raise UserError(f"{dataset or 'the data'}: no held-out interactions in the part {part}")
    cases = (*sequences.held_out(part), users)

    def measure(scorers: Mapping[str, Scorer]) -> dict[str, Metrics]:
        found = {}
        for name, one in scorers.items():
            try:
                found[name] = evaluate(one, *cases, filter_seen=filter_seen, candidates=candidates)
            except UserError as error:
                raise UserError(f"{name}: {error}") from None
        return found

    n_users = len(set(users.tolist()))
    few = f"only {counted(n_users, 'user')}: the intervals are too narrow, since a bootstrap needs"
    few += f" {FEW_USERS}"
    return Report(
        dataset,
        {
            "part": part,
            "split": split,
            "users": n_users,
            "items": sequences.n_items,
            "candidates": "all" if candidates is None else len(candidates),
            "filter_seen": filter_seen,
        },
        measure(scorers),
        measure(upper_bound or {}),
        [few] if n_users < FEW_USERS else [],
    )


class Evaluating(Serving):
    """The part of ``MSM4SR`` that measures how well held-out interactions are predicted."""

    def evaluate(
        self,
        data: Dataset | None = None,
        *,
        part: Part = "valid",
        filter_seen: bool = True,
        baselines: Sequence[str] = (),
        candidates: Sequence[str] | None = None,
    ) -> Report:
        """Rank the whole catalogue for every held-out interaction.

        Parameters
        ----------
        data
            The dataset; by default the data of ``fit``.
        part
            ``valid`` or ``test``. A use of ``test`` is entered in the access log of the run folder.
        filter_seen
            Whether items of a user's history are filtered from the ranking, as in ``recommend``.
        baselines
            Names of baselines to fit on the same training part and evaluate beside the model.
        candidates
            Item ids that compete with each target; None for all items.

        Returns
        -------
        report
            Recall, NDCG and MRR with 95 % bootstrap intervals over users. The row ``msm4sr`` is the
            neural model alone; ``ensemble``, if there is one, is what ``recommend`` uses.

        Raises
        ------
        UserError
            If the model was trained on every interaction (``split=None``), or ``data`` has
            interactions with items that the model does not know (``add_items`` adds them).
        """
        trained = self._fitted()
        ARGUMENTS["part"].check(part)
        filter_seen = ARGUMENTS["filter_seen"].check(filter_seen)
        trained_on = trained.record.get("trained_on", [])
        if any(split is None for _, split in trained_on):
            raise UserError(
                "this model was trained on every interaction (split=None), so nothing is held out;"
                " to evaluate, train with the split leave_one_out"
            )
        data = self._data_or(data)
        self._note_changes(data)
        sequences = self._sequences if data is self._data else None
        sequences = sequences or _sequences_of(trained, data)
        order = self.recommender.numbers_of(sequences.items[1:])
        scorer = self.recommender.model_scorer("evaluation").select(np.array([0, *order]))
        texts = item_texts(data.items, sequences.items)
        inputs = BaselineData(sequences, trained.table.for_items(sequences.items), texts)
        rivals = None
        if candidates is not None:
            number = {item: i for i, item in enumerate(sequences.items) if i}
            wanted = known_ids(candidates, number, "candidates", "the model")
            if not wanted:
                raise UserError("candidates is empty; give at least one item_id, or leave it out")
            rivals = np.array(sorted(number[item] for item in wanted))
        scorers: dict[str, Scorer] = {"msm4sr": scorer}
        if isinstance(whole := self.recommender.scorer, ScoreEnsemble):
            scorers["ensemble"] = whole.select(np.array([0, *order]))
        names = require_baselines(baselines)
        scorers |= {name: fit_baseline(name, inputs) for name in names}
        if part == "test" and self.run_dir:
            model, known = fingerprint_weights(trained.net), fingerprint_sequences(sequences)
            access = {"model": model, "data": known, "version": __version__}
            access |= {"ensemble": trained.ensemble.fingerprint} if trained.ensemble else {}
            log_access(self.run_dir, access)
        report = evaluate_scorers(
            scorers,
            sequences,
            part,
            dataset=data.name,
            split=describe_split(trained.config.data),
            filter_seen=filter_seen,
            candidates=rivals,
            upper_bound=load_oracles(data.folder, sequences) if part == "test" else {},
        )
        if any(fingerprint != fingerprint_interactions(sequences) for fingerprint, _ in trained_on):
            report.notes.append(
                "the model was also trained on other interactions than these; some interactions"
                " that are held out here may be among them"
            )
        if "ensemble" in report.models and part == "valid":
            report.notes.append("the weights of the ensemble were chosen on this part")
        return report


def _sequences_of(trained: TrainedModel, data: Dataset) -> Sequences:
    known = set(trained.items[1:])
    interacted = set(data.interactions["item_id"])
    if new := [item for item in data.items if item in interacted and item not in known]:
        what = f"items of {data.name} with interactions that the model lacks: {with_first(new)}"
        raise UserError(f"{what}; fine-tune the model on this dataset")
    items = [item for item in data.items if item in known]
    return build_sequences(data.interactions, items, trained.config.data)


def describe_split(config: DataConfig) -> str:
    """Describe in words which interactions are held out."""
    if config.split == "time" and (config.valid_from or config.test_from):
        share = f"most recent {config.test_share:.0%}"
        return f"by time: validation {config.valid_from or share}, test {config.test_from or share}"
    if config.split == "time":
        return f"by time, most recent {config.test_share:.0%}"
    if config.split == "part":
        return "as given"
    return "leave-one-out" if config.n_test == 1 else f"leave-{config.n_test}-out"
