"""Baselines: what a new model has to beat. Each is a ``Scorer``, fitted on training data only.

>>> import numpy as np
>>> from msm4sr_lite.sequences import Sequences
>>> interactions = np.array([1, 2, 3, 1, 2, 1, 3, 2])  # of two users, who hold out two each
>>> sequences = Sequences(["u", "v"], ["", "a", "b", "c"], interactions, np.array([0, 4, 8]))
>>> fit_baseline("item_knn", BaselineData(sequences)).score([np.array([1])])
tensor([[0., 0., 2., 0.]], dtype=torch.float64)

A new baseline is a class with ``score`` and an entry in ``BASELINES``; then ``fit_baseline`` and
the command line know it. For studies it needs a grid in ``study.models``, too:

>>> class Newest:
...     def __init__(self, sequences):
...         self.row = torch.zeros(sequences.n_items + 1)
...         self.row[[sequence[-1] for sequence in sequences.train()]] = 1
...     def score(self, histories):
...         return self.row.expand(len(histories), -1)
>>> import torch
>>> BASELINES["newest"] = Baseline(lambda data: Newest(data.sequences), "each user's newest item")
>>> fit_baseline("newest", BaselineData(sequences)).score([np.array([1])])
tensor([[0., 1., 1., 0.]])
>>> del BASELINES["newest"]
"""

from msm4sr_lite.baselines.content_knn import ContentKNN, mean_embeddings, tfidf_vectors
from msm4sr_lite.baselines.ensemble import Probabilities, ScoreEnsemble
from msm4sr_lite.baselines.item_knn import ItemKNN
from msm4sr_lite.baselines.popularity import Popularity, count_interactions
from msm4sr_lite.baselines.registry import (
    BASELINES,
    Baseline,
    BaselineData,
    fit_baseline,
    require_baselines,
)
from msm4sr_lite.baselines.sequence_models import SASRec, SummedFeatures, fit_sequence_model
from msm4sr_lite.baselines.sequential_rules import SequentialRules

__all__ = [
    "BASELINES",
    "Baseline",
    "BaselineData",
    "ContentKNN",
    "ItemKNN",
    "Popularity",
    "Probabilities",
    "SASRec",
    "ScoreEnsemble",
    "SequentialRules",
    "SummedFeatures",
    "count_interactions",
    "fit_baseline",
    "fit_sequence_model",
    "mean_embeddings",
    "require_baselines",
    "tfidf_vectors",
]
