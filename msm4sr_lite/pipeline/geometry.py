"""Which whitening suits the features: nearest neighbours on validation, without any training."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.baselines.simple import ContentKNN, mean_embeddings, tfidf_vectors
from msm4sr_lite.config import DataConfig
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.sentences import item_texts
from msm4sr_lite.intervals import summarise
from msm4sr_lite.pipeline.stages import prepare_training_data

WIDTHS = (64, 128, 256)  # of whitening=pca, besides the whole width
DECAYS = (0.5, 0.8)
CASES = 2_000  # validation cases, drawn at random, so that large datasets take no longer


def report_neighbours(
    dataset: Dataset, table: FeatureTable, config: DataConfig | None = None
) -> dict[str, Any]:
    """Compare the geometry of raw, centred and whitened features on the validation part.

    Every item is scored by the cosines of its mean embedding with those of the user's history, with
    the weights of ``ContentKNN``; items of the history are filtered. For each map the better of two
    decays counts. ZCA is missing, since its cosines are those of PCA with the whole width.

    Parameters
    ----------
    dataset, table
        A dataset and its features.
    config
        Filters and split.

    Returns
    -------
    report
        For ``text`` and ``image``, if there are any: ``effective_dim``, the participation ratio of
        the covariance, (sum of variances)² / sum of squared variances; ``ndcg@10``, the mean for
        each map, and for TF-IDF vectors of the texts if scikit-learn is installed;
        ``recommended``, the settings of the best map, or ``whitening=none`` if the 95 %
        interval of its difference to the raw features includes 0; ``difference``, this interval.

    Raises
    ------
    UserError
        If no user is left for validation.
    """
    data = prepare_training_data(dataset, table, config or DataConfig())
    histories, targets = data.sequences.held_out("valid")
    if len(targets) > CASES:
        drawn = np.random.default_rng(0).choice(len(targets), CASES, replace=False)
        histories, targets = [histories[case] for case in drawn], targets[drawn]
    seen = data.sequences.item_counts() > 0
    report = {}
    for modality in ("text", "image"):
        slots = getattr(data.table, modality)
        if not slots.counts.any():
            continue
        whole = slots.vectors.shape[1]
        maps = {"none": 0, "centre": 0, **{f"pca {w}": w for w in WIDTHS if w < whole}, "pca": 0}
        found = {
            name: _ndcg(mean_embeddings(slots, seen, name.split()[0], width), histories, targets)
            for name, width in maps.items()
        }
        best = max(found, key=lambda name: found[name].mean())
        difference = summarise({"ndcg@10": found[best] - found["none"]})["ndcg@10"]
        others = {}
        if modality == "text" and find_spec("sklearn"):
            vectors = tfidf_vectors(item_texts(dataset.items, data.sequences.items))
            others["tf-idf"] = _ndcg(vectors, histories, targets)
        kind, _, width = (best if difference["low"] > 0 else "none").partition(" ")
        report[modality] = {
            "effective_dim": _effective_dim(slots.means()[(slots.counts.numpy() > 0) & seen]),
            "ndcg@10": {name: float(values.mean()) for name, values in (found | others).items()},
            "recommended": {"whitening": kind, "whitening_dim": int(width or 0)},
            "difference": difference,
        }
    return report


def _ndcg(units: Any, histories: Sequence[np.ndarray], targets: np.ndarray) -> np.ndarray:
    """Return NDCG@10 of every case with the better decay; ``units`` as in ``ContentKNN``."""
    values = []
    for decay in DECAYS:
        ranks = target_ranks(ContentKNN(units, decay), histories, targets, filter_seen=True)
        values.append(metrics(ranks, [10])["ndcg@10"])
    return max(values, key=np.mean)


def _effective_dim(features: Tensor) -> float:
    """Return the participation ratio of the features' covariance; 0 if all are equal."""
    covariance = torch.cov(features.double().T, correction=0)
    squares = covariance.square().sum()
    return float(covariance.trace().square() / squares) if squares else 0.0
