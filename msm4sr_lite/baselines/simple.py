"""Baselines without a trained network, which count or compare, and ensembles of scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import Slots
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.similarity import normalize


class Popularity:
    """Scores every item by its number of training interactions, the same for every user."""

    def __init__(self, sequences: Sequences) -> None:
        self.counts = torch.from_numpy(sequences.item_counts().astype(np.float64))

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the counts of all items, once per history."""
        return self.counts.expand(len(histories), -1)


class ItemKNN:
    """Scores an item by how many users interacted with it and with the items of the history.

    Parameters
    ----------
    sequences
        The training interactions to count; repeated interactions of a user count once.
    decay
        Weight of an item of the history relative to the next newer one, 0 to 1.
    cosine
        Whether to divide each co-occurrence count by the square root of the product of both items'
        numbers of users. Pairs of rare items then count as much as pairs of popular ones.
    """

    def __init__(self, sequences: Sequences, decay: float = 0.8, cosine: bool = False) -> None:
        occurs = _weigh_histories(sequences.train(), sequences.n_items + 1, decay=1.0)
        occurs.data[:] = 1  # a repeated interaction counts once
        if cosine:
            n_users = np.asarray(occurs.sum(axis=0)).clip(min=1)
            occurs = (occurs @ sparse.diags_array(n_users**-0.5)).tocsr()
        together = (occurs.T @ occurs).tolil()
        together.setdiag(0)
        self.together, self.decay = together.tocsr(), ARGUMENTS["decay"].check(decay)

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum of co-occurrence counts for every item."""
        weights = _weigh_histories(histories, self.together.shape[0], self.decay)
        return torch.from_numpy((weights @ self.together).toarray())


class SequentialRules:
    """Scores an item by how often it followed the newest item of the history (Markov chain).

    Parameters
    ----------
    sequences
        The training interactions to count.
    decay
        Weight of an item n steps later: ``decay ** (n - 1)``. With 0, only the next item counts.
    steps
        How many steps to look ahead.
    """

    def __init__(self, sequences: Sequences, decay: float = 0.5, steps: int = 10) -> None:
        decay, steps = ARGUMENTS["decay"].check(decay), ARGUMENTS["steps"].check(steps)
        size = sequences.n_items + 1
        self.after = sparse.csr_array((size, size))
        for step in range(1, steps + 1):
            pairs = [np.stack([s[:-step], s[step:]]) for s in sequences.train() if len(s) > step]
            if not pairs or (weight := decay ** (step - 1)) == 0:
                break
            row, column = np.concatenate(pairs, axis=1)
            self.after += sparse.csr_array((np.full(len(row), weight), (row, column)), (size, size))

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted counts of the items that followed each history's newest item."""
        return torch.from_numpy(self.after[[h[-1] for h in histories]].toarray())


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
        self.vectors, self.decay = vectors, ARGUMENTS["decay"].check(decay)

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum of cosines for every item."""
        profiles = _weigh_histories(histories, self.vectors.shape[0], self.decay) @ self.vectors
        found = profiles @ self.vectors.T
        return torch.from_numpy(found.toarray() if sparse.issparse(found) else np.asarray(found))


def tfidf_vectors(texts: Sequence[str]) -> sparse.csr_array:
    """Return a TF-IDF vector of length 1 for each text; all vectors are zero if no text has a word.

    This function needs scikit-learn.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    try:
        return sparse.csr_array(vectorizer.fit_transform(texts))
    except ValueError:  # an empty vocabulary: a dataset without texts
        return sparse.csr_array((len(texts), 1))


def mean_embeddings(slots: Slots) -> np.ndarray:
    """Return each item's mean embedding with length 1, ``(items + 1, D)``; zero without slots."""
    return normalize(slots.means()).numpy()


class ScoreEnsemble:
    """Weighted sum of two scorers, each scaled to a highest score of 1 for every history.

    Parameters
    ----------
    first, second
        Scorers whose best scores are positive.
    weight
        Weight of the second scorer; that of the first is 1.
    """

    def __init__(self, first: Scorer, second: Scorer, weight: float) -> None:
        self.first, self.second = first, second
        self.weight = ARGUMENTS["weight"].check(weight)

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the first scorer's scores plus ``weight`` times the second's."""
        one, two = (
            scores / scores.amax(dim=1, keepdim=True).clamp_min(1e-12)
            for scores in (self.first.score(histories), self.second.score(histories))
        )
        return one + self.weight * two


class Probabilities:
    """Turns a model's scores into probabilities of the next item, for an ensemble.

    The cosines of a model differ little between items. A softmax with the temperature of training
    turns them into the probabilities that the model was trained to predict.
    """

    def __init__(self, scorer: Scorer, temperature: float) -> None:
        self.scorer, self.temperature = scorer, temperature

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the probability of every item, 0 for padding."""
        scores = self.scorer.score(histories) / self.temperature
        scores[:, 0] = -torch.inf
        return scores.double().softmax(dim=1)


def _weigh_histories(histories: Sequence[np.ndarray], items: int, decay: float) -> sparse.csr_array:
    """Return the weight of every item in every history, ``(histories, items)``.

    The newest item has weight 1; each older one has ``decay`` times the weight of the next newer.

    >>> _weigh_histories([np.array([2, 1, 3])], items=4, decay=0.5).toarray()
    array([[0.  , 0.5 , 0.25, 1.  ]])
    """
    rows = np.repeat(np.arange(len(histories)), [len(h) for h in histories])
    weights = np.concatenate([decay ** np.arange(len(h))[::-1] for h in histories])
    return sparse.csr_array((weights, (rows, np.concatenate(histories))), (len(histories), items))
