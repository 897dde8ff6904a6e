"""Baselines without a trained network, which count or compare."""

import copy
from collections.abc import Sequence
from itertools import product
from typing import Any, Self, TypeAlias

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import FeatureConfig, UserError
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.similarity import normalize
from msm4sr_lite.whitening import Whitening

Settings: TypeAlias = dict[str, Any]


def grid(**values: list[Any]) -> list[Settings]:
    """Return every combination of the values; ``__`` in a name stands for a full stop.

    >>> grid(finetune__lr=[0.001], decay=[0.5, 0.8])
    [{'finetune.lr': 0.001, 'decay': 0.5}, {'finetune.lr': 0.001, 'decay': 0.8}]
    """
    names = [name.replace("__", ".") for name in values]
    return [dict(zip(names, point, strict=True)) for point in product(*values.values())]


# The settings from which studies and ensembles choose.
NEIGHBOURS = grid(decay=[0.5, 0.9]) + grid(decay=[0.5, 0.9], cosine=[True], shrinkage=[50])
RULES = grid(decay=[0, 0.5, 0.8, 0.95])
WHITENED = grid(decay=[0.5, 0.8], whitening=["none", "pca"])


class Popularity:
    """Scores every item by its number of training interactions, the same for every user."""

    def __init__(self, sequences: Sequences) -> None:
        self.counts = torch.from_numpy(sequences.item_counts().astype(np.float64))

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the counts of all items, once per history."""
        return self.counts.expand(len(histories), -1)


class PairScorer:
    """Scores an item by its pairs with the items of the history.

    Parameters
    ----------
    pairs
        Row i has what item number i of a history adds to the score of every item,
        ``(items + 1, items + 1)``.
    decay
        Weight of an item of the history relative to the next newer one, 0 to 1. With 0, only the
        newest item counts.
    """

    def __init__(self, pairs: sparse.csr_array, decay: float) -> None:
        self.pairs, self.decay = pairs, ARGUMENTS["decay"].check(decay)

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum of the pairs for every item."""
        weights = weigh_histories(histories, self.pairs.shape[0], self.decay)
        return torch.from_numpy((weights @ self.pairs).toarray())

    def resized(self, size: int) -> Self:
        """Return the scorer of a catalogue with ``size - 1`` items; new ones are in no pair."""
        other, old = copy.copy(self), self.pairs
        offsets = np.pad(old.indptr, (0, size - old.shape[0]), mode="edge")
        other.pairs = sparse.csr_array((old.data, old.indices, offsets), (size, size))
        return other

    def append(self, table: FeatureTable) -> None:
        """Add the items of ``table`` at the end of the catalogue."""
        self.pairs = self.resized(self.pairs.shape[0] + len(table.items) - 1).pairs


class ItemKNN(PairScorer):
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
    shrinkage
        Added to that divisor, so that pairs with few users count less.
    """

    def __init__(
        self, sequences: Sequences, decay: float = 0.8, cosine: bool = False, shrinkage: float = 0.0
    ) -> None:
        decay = ARGUMENTS["decay"].check(decay)
        shrinkage = ARGUMENTS["shrinkage"].check(shrinkage)
        if shrinkage and not cosine:
            raise UserError(
                f"shrinkage={shrinkage:g} has no effect with cosine=False; set cosine=True"
            )
        occurs = occurrences(sequences)
        pairs = (occurs.T @ occurs).tocoo()
        counts = pairs.data * (pairs.row != pairs.col)
        if cosine:
            n_users = pairs.diagonal()
            counts = counts / (np.sqrt(n_users[pairs.row] * n_users[pairs.col]) + shrinkage)
        super().__init__(sparse.csr_array((counts, (pairs.row, pairs.col)), pairs.shape), decay)


class SequentialRules(PairScorer):
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
        after = sparse.csr_array((size, size))
        for step in range(1, steps + 1):
            pairs = [np.stack([s[:-step], s[step:]]) for s in sequences.train() if len(s) > step]
            if not pairs or (weight := decay ** (step - 1)) == 0:
                break
            row, column = np.concatenate(pairs, axis=1)
            after += sparse.csr_array((np.full(len(row), weight), (row, column)), (size, size))
        super().__init__(after, 0)


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
        profiles = weigh_histories(histories, self.vectors.shape[0], self.decay) @ self.vectors
        found = profiles @ self.vectors.T
        return torch.from_numpy(found.toarray() if sparse.issparse(found) else np.asarray(found))


class TextKNN(ContentKNN):
    """``ContentKNN`` with the mean sentence embeddings of the items.

    Parameters
    ----------
    slots
        The sentence embeddings of all items.
    seen, **whitening
        As in ``mean_embeddings``.
    decay
        As in ``ContentKNN``.
    """

    def __init__(
        self, slots: Slots, seen: np.ndarray, decay: float = 0.8, **whitening: Any
    ) -> None:
        self.slots, self.seen, self.whitening = slots, seen, whitening
        super().__init__(mean_embeddings(slots, seen, **whitening), decay)

    def append(self, table: FeatureTable) -> None:
        """Add new items; the whitening is still that of the items with interactions."""
        self.slots = self.slots.append(table.text)
        self.seen = np.pad(self.seen, (0, len(table.items) - 1))
        self.vectors = mean_embeddings(self.slots, self.seen, **self.whitening)


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


def mean_embeddings(
    slots: Slots, seen: np.ndarray, whitening: Any = "none", whitening_dim: int = 0
) -> np.ndarray:
    """Return each item's mean embedding, whitened, with length 1; zero without slots.

    Parameters
    ----------
    slots
        The embeddings of all items.
    seen
        Whether each item has training interactions, ``(items + 1,)``; whitening is learned from
        these items.
    whitening, whitening_dim
        As in ``FeatureConfig``.
    """
    config = FeatureConfig(whitening=whitening, whitening_dim=whitening_dim)
    means, known = slots.means(), slots.counts > 0
    if whitened := config.whitened_width(means.shape[1]):
        whiten = Whitening(means.shape[1], whitened)
        whiten.fit(means[known & torch.from_numpy(seen)], config.whitening)
        means = whiten(means)
    return normalize(means).numpy()


def occurrences(sequences: Sequences) -> sparse.csr_array:
    """Return which user interacted with which item in training: 0 or 1, ``(users, items + 1)``."""
    occurs = weigh_histories(sequences.train(), sequences.n_items + 1, decay=1.0)
    occurs.data[:] = 1  # a repeated interaction counts once
    return occurs


def weigh_histories(histories: Sequence[np.ndarray], items: int, decay: float) -> sparse.csr_array:
    """Return the weight of every item in every history, ``(histories, items)``.

    The newest item has weight 1; each older one has ``decay`` times the weight of the next newer.

    >>> weigh_histories([np.array([2, 1, 3])], items=4, decay=0.5).toarray()
    array([[0.  , 0.5 , 0.25, 1.  ]])
    """
    rows = np.repeat(np.arange(len(histories)), [len(h) for h in histories])
    weights = np.concatenate([decay ** np.arange(len(h))[::-1] for h in histories])
    return sparse.csr_array((weights, (rows, np.concatenate(histories))), (len(histories), items))
