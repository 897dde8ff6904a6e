"""Evaluate a trained model on the held-out interactions of a dataset, beside baselines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from msm4sr_lite import __version__
from msm4sr_lite.baselines import BaselineData, fit_baseline
from msm4sr_lite.baselines.oracle import load_oracles
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.pipeline.fitted import known_ids
from msm4sr_lite.pipeline.report import Report, evaluate_scorers
from msm4sr_lite.pipeline.serving import Serving
from msm4sr_lite.pipeline.trained_model import TrainedModel
from msm4sr_lite.sequences import Part, Sequences
from msm4sr_lite.store.fingerprint import (
    fingerprint_interactions,
    fingerprint_sequences,
    fingerprint_weights,
)
from msm4sr_lite.store.records import log_access


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
            By default the data of ``fit``.
        part
            ``valid``; or ``test``, which is entered in the access log of the run folder.
        filter_seen
            Whether items of a user's history are taken out of the ranking, as ``recommend`` does.
        baselines
            Names of baselines to fit on the same training part and evaluate beside the model.
        candidates
            Item ids that compete with each target; None for all items.

        Returns
        -------
        report
            Recall, NDCG and MRR with 95 % bootstrap intervals over users.

        Raises
        ------
        UserError
            If the model was trained on every interaction (``split=None``).
        """
        trained = self._fitted()
        if part not in ("valid", "test"):
            raise UserError(f"part must be valid or test; got {part!r}")
        trained_on = trained.record.get("trained_on", [])
        if any(split is None for _, split in trained_on):
            raise UserError(
                "this model was trained on every interaction (split=None), so nothing is held out;"
                " fit with split='leave_one_out' to evaluate"
            )
        data = self._data_or(data)
        sequences = self._sequences if data is self._data else None
        sequences = sequences or _sequences_of(trained, data)
        order = self.recommender.numbers_of(sequences.items[1:])
        scorer = self.recommender.model_scorer("evaluation").select(np.array([0, *order]))
        texts = [data.items.get(item) for item in sequences.items]
        inputs = BaselineData(
            sequences,
            trained.table.for_items(sequences.items),
            [" ".join(item_sentences(item)) if item else "" for item in texts],
        )
        rivals = None
        if candidates is not None:
            number = {item: i for i, item in enumerate(sequences.items) if i}
            wanted = known_ids(candidates, number, "candidates", "the model")
            if not wanted:
                raise UserError("no candidates; give at least one item_id, or None for all items")
            rivals = np.array(sorted(number[item] for item in wanted))
        scorers: dict[str, Scorer] = {"msm4sr": scorer}
        scorers |= {name: fit_baseline(name, inputs) for name in baselines}
        if part == "test" and self.run_dir:
            model, known = fingerprint_weights(trained.net), fingerprint_sequences(sequences)
            log_access(self.run_dir, {"model": model, "data": known, "version": __version__})
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
                "the model was also trained with other interactions than these: some that are held"
                " out here may be among them"
            )
        return report


def _sequences_of(trained: TrainedModel, data: Dataset) -> Sequences:
    known = set(trained.items[1:])
    interacted = set(data.interactions["item_id"])
    if new := [item for item in data.items if item in interacted and item not in known]:
        raise UserError(
            f"{len(new)} items of {data.name} with interactions are not in the model (the first is"
            f" {new[0]!r}); call add_items first, or fine-tune on this dataset"
        )
    items = [item for item in data.items if item in known]
    return build_sequences(data.interactions, items, trained.config.data)


def describe_split(config: DataConfig) -> str:
    """Say in words which interactions are held out."""
    if config.split == "time":
        return f"by time, most recent {config.test_share:.0%}"
    if config.split == "part":
        return "as given"
    return "leave-one-out" if config.n_test == 1 else f"leave-{config.n_test}-out"
