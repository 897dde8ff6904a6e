"""Nearest neighbours in content: items whose text resembles the items of the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from msm4sr_lite.baselines.item_knn import check_decay, weigh_histories
from msm4sr_lite.config import UserError
from msm4sr_lite.feature_table import Slots
from msm4sr_lite.similarity import normalize


class ContentKNN:
    """Scores an item by its cosines with the items of the history.

    Parameters
    ----------
    vectors
        A unit vector per item, ``(items + 1, width)``, dense or sparse; zero for an item without
        content.
    decay
        Weight of an item of the history relative to the next newer one, 0 to 1.
    """

    def __init__(self, vectors: Any, decay: float = 0.8) -> None:
        self.vectors, self.decay = vectors, check_decay(decay)

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum of cosines for every item."""
        profiles = weigh_histories(histories, self.vectors.shape[0], self.decay) @ self.vectors
        found = profiles @ self.vectors.T
        return torch.from_numpy(found.toarray() if sparse.issparse(found) else np.asarray(found))


def tfidf_vectors(texts: Sequence[str]) -> sparse.csr_array:
    """Return a TF-IDF vector of length 1 for each text; all zero if no text has a word.

    Raises
    ------
    UserError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        raise UserError("TF-IDF needs scikit-learn: pip install 'msm4sr_lite[course]'") from None

    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    try:
        return sparse.csr_array(vectorizer.fit_transform(texts))
    except ValueError:  # an empty vocabulary: a dataset without texts
        return sparse.csr_array((len(texts), 1))


def mean_embeddings(slots: Slots) -> np.ndarray:
    """Return the mean of each item's slots with length 1, ``(items + 1, D)``; zero without any."""
    items = torch.arange(len(slots.counts))
    means = [torch.einsum("isf->if", slots.gather(block)[0]) for block in items.split(1024)]
    return normalize(torch.cat(means)).numpy()
