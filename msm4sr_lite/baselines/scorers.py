"""Baselines without training. Each is a ``Scorer``, fitted on the same training sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import Slots
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.study.data import StudyData, interaction_counts


class Popularity:
    """Recommend what was bought most often; the same list for everybody."""

    def __init__(self, sequences: Sequences) -> None:
        self.counts = torch.from_numpy(interaction_counts(sequences).astype(np.float64))

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return every item's number of purchases, once per history."""
        return self.counts.expand(len(histories), -1)


def profiles(histories: Sequence[np.ndarray], items: int, decay: float) -> sparse.csr_array:
    """Return how much each item of a history weighs, ``(histories, items)``.

    The newest item weighs 1, each one before ``decay`` times what the next one weighs.
    """
    rows = np.repeat(np.arange(len(histories)), [len(h) for h in histories])
    weights = np.concatenate([decay ** np.arange(len(h))[::-1] for h in histories])
    return sparse.csr_array((weights, (rows, np.concatenate(histories))), (len(histories), items))


class ItemKNN:
    """Item-to-item counts: how many customers bought both items.

    Parameters
    ----------
    sequences
        To count in.
    decay
        A history's older items weigh less, as ``profiles`` says.
    cosine
        Whether to divide each count by the roots of how many bought the one and the other: then
        two rare items that go together count as much as two popular ones.
    """

    def __init__(self, sequences: Sequences, decay: float = 0.8, cosine: bool = False) -> None:
        train = sequences.train()
        users = np.repeat(np.arange(len(train)), [len(s) for s in train])
        bought = sparse.csr_array(
            (np.ones(len(users)), (users, np.concatenate(train))),
            shape=(len(train), sequences.n_items + 1),
        )
        bought.data[:] = 1  # a repeated purchase counts once
        if cosine:
            buyers = np.asarray(bought.sum(axis=0)).clip(min=1)
            bought = (bought @ sparse.diags_array(buyers**-0.5)).tocsr()
        together = (bought.T @ bought).tolil()
        together.setdiag(0)
        self.together, self.decay = together.tocsr(), decay

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum of counts for every item."""
        weights = profiles(histories, self.together.shape[0], self.decay)
        return torch.from_numpy((weights @ self.together).toarray())


class SequentialRules:
    """What was bought soon after the newest item of a history: a Markov chain that looks further.

    Parameters
    ----------
    sequences
        To count in.
    decay
        A purchase n steps later counts ``decay ** (n - 1)``: with 0 only the very next one.
    steps
        How far to look.
    """

    def __init__(self, sequences: Sequences, decay: float = 0.5, steps: int = 10) -> None:
        size = sequences.n_items + 1
        self.after = sparse.csr_array((size, size))
        for step in range(1, steps + 1):
            pairs = [np.stack([s[:-step], s[step:]]) for s in sequences.train() if len(s) > step]
            if not pairs or (weight := decay ** (step - 1)) == 0:
                break
            row, column = np.concatenate(pairs, axis=1)
            self.after += sparse.csr_array((np.full(len(row), weight), (row, column)), (size, size))

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return what followed each history's newest item, counted."""
        return torch.from_numpy(self.after[[h[-1] for h in histories]].toarray())


class ContentKNN:
    """Nearest neighbours: items whose content is like that of the history's items.

    Parameters
    ----------
    vectors
        One unit vector per item ``(items + 1, width)``, sparse or not; zero where there is nothing.
    decay
        A history's older items weigh less, as ``profiles`` says.
    """

    def __init__(self, vectors: Any, decay: float = 0.8) -> None:
        self.vectors, self.decay = vectors, decay

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the weighted sum of cosines for every item."""
        wanted = profiles(histories, self.vectors.shape[0], self.decay) @ self.vectors
        found = wanted @ self.vectors.T
        return torch.from_numpy(found.toarray() if sparse.issparse(found) else np.asarray(found))


class Sum:
    """Two scorers added, each scaled to a highest score of 1 for every history."""

    def __init__(self, first: Scorer, second: Scorer, weight: float) -> None:
        self.first, self.second, self.weight = first, second, weight

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return the first's scores plus ``weight`` times the second's."""
        one, two = (
            scores / scores.amax(dim=1, keepdim=True).clamp_min(1e-12)
            for scores in (self.first.score(histories), self.second.score(histories))
        )
        return one + self.weight * two


class Probabilities:
    """A model's scores as what it was trained to say: how probable each item is as the next.

    A softmax at the temperature of training, so that a likely item stands out from the others as
    clearly as the model means it; cosines alone hardly differ.
    """

    def __init__(self, scorer: Scorer, temperature: float) -> None:
        self.scorer, self.temperature = scorer, temperature

    def score(self, histories: Sequence[np.ndarray]) -> Tensor:
        """Return a probability for every item, none for padding."""
        scores = self.scorer.score(histories) / self.temperature
        scores[:, 0] = -torch.inf
        return scores.double().softmax(dim=1)


def tfidf_vectors(texts: Sequence[str]) -> sparse.csr_array:
    """Return TF-IDF vectors of texts, of length 1; all zero where no text has a word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    maker = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    try:
        return sparse.csr_array(maker.fit_transform(texts))
    except ValueError:  # an empty vocabulary: a shop without texts
        return sparse.csr_array((len(texts), 1))


def mean_vectors(slots: Slots) -> np.ndarray:
    """Return the mean of each item's slots, of length 1, ``(items + 1, D)``; zero without any."""
    items = torch.arange(len(slots.counts))
    means = [torch.einsum("isf->if", slots.gather(part)[0]) for part in items.split(1024)]
    return torch.nn.functional.normalize(torch.cat(means), dim=1).numpy()


def item_knn_and_tfidf(data: StudyData, decay: float = 0.8, weight: float = 1.0) -> Sum:
    """Return item-to-item counts and TF-IDF neighbours, added."""
    content = ContentKNN(tfidf_vectors(data.texts()), decay)
    return Sum(ItemKNN(data.sequences, decay), content, weight)


BASELINES: dict[str, Callable[..., Scorer]] = {
    "popularity": lambda data: Popularity(data.sequences),
    "item_knn": lambda data, **settings: ItemKNN(data.sequences, **settings),
    "sequential_rules": lambda data, **settings: SequentialRules(data.sequences, **settings),
    "tfidf_knn": lambda data, **settings: ContentKNN(tfidf_vectors(data.texts()), **settings),
    "bert_knn": lambda data, **settings: ContentKNN(mean_vectors(data.table.text), **settings),
    "item_knn+tfidf": item_knn_and_tfidf,
}
