"""Baselines without a network, computed by hand."""

import numpy as np
import pytest
import torch
from scipy import sparse
from toys import toy_sequences, toy_table

from msm4sr_lite.baselines.simple import (
    ContentKNN,
    ItemKNN,
    Popularity,
    Probabilities,
    ScoreEnsemble,
    SequentialRules,
    mean_embeddings,
    tfidf_vectors,
)
from msm4sr_lite.config import UserError
from msm4sr_lite.sequences import Sequences


def test_popularity_counts_training_interactions():
    sequences = toy_sequences([6, 6, 7], n_items=9)
    counts = np.bincount(np.concatenate(sequences.train()), minlength=10)
    scores = Popularity(sequences).score([np.array([1]), np.array([2, 3])])
    assert scores.tolist() == [counts.tolist()] * 2


def test_co_occurrence_by_hand():
    sequences = toy_sequences([6, 6, 7], n_items=9)
    together = np.zeros((10, 10))
    for row in sequences.train():
        for a in row:
            for b in row:
                together[a, b] += a != b
    expected = 0.5 * together[3] + together[4]
    found = ItemKNN(sequences, decay=0.5).score([np.array([3, 4])])[0]
    assert found.tolist() == expected.tolist()

    n_users = np.bincount(np.concatenate(sequences.train()), minlength=10).clip(min=1)
    cosines = together / np.sqrt(np.outer(n_users, n_users))
    found = ItemKNN(sequences, decay=0.5, cosine=True).score([np.array([3, 4])])[0]
    assert found.tolist() == pytest.approx((0.5 * cosines[3] + cosines[4]).tolist())


def test_a_repeated_interaction_counts_once():
    interactions = np.array([1, 1, 2, 3, 3])  # the last two are held out
    sequences = Sequences(["u"], ["", "a", "b", "c"], interactions, np.array([0, 5]))
    assert sequences.train()[0].tolist() == [1, 1, 2]
    assert ItemKNN(sequences).score([np.array([1])])[0].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_decay_is_from_0_to_1(decay):
    with pytest.raises(UserError, match=f"decay must be a number >= 0 and <= 1; got {decay}"):
        ItemKNN(toy_sequences([6, 6], n_items=9), decay)


def test_sequential_rules_by_hand():
    sequences = toy_sequences([6, 6, 7], n_items=9)
    for decay in (0, 0.5):
        expected = np.zeros((10, 10))
        for row in sequences.train():
            for i, first in enumerate(row):
                for j in range(i + 1, len(row)):
                    expected[first, row[j]] += decay ** (j - i - 1)
        found = SequentialRules(sequences, decay).score([np.array([2, k]) for k in range(1, 10)])
        assert found.tolist() == expected[1:].tolist()


def test_steps_must_be_positive():
    with pytest.raises(UserError, match="steps must be an integer >= 1 and"):
        SequentialRules(toy_sequences([6, 6], n_items=9), steps=0)


def test_content_neighbours_by_hand():
    vectors = np.array([[0, 0], [1, 0], [0, 1], [0.6, 0.8]])
    expected = [0, 0.5 + 0.6, 0.8, 0.5 * 0.6 + 1]
    for kind in (np.asarray, sparse.csr_array):
        found = ContentKNN(kind(vectors), decay=0.5).score([np.array([1, 3])])
        assert found[0].tolist() == pytest.approx(expected)


def test_tfidf_measures_likeness_and_accepts_texts_without_words():
    vectors = tfidf_vectors(["", "red oak clock", "red oak table", "tent"])
    near = (vectors @ vectors.T).toarray()
    assert near[1, 1] == pytest.approx(1)
    assert near[1, 2] > near[1, 3] == 0
    assert not near[0].any()
    assert not tfidf_vectors(["", "", ""]).toarray().any()


def test_mean_embeddings_are_unit_means_of_real_slots():
    table = toy_table([2, 0, 3], [0, 0, 0])
    found = mean_embeddings(table.text)
    first = table.text.vectors[:2].float().mean(dim=0)
    assert found[1] == pytest.approx((first / first.norm()).numpy(), abs=1e-6)
    assert not found[[0, 2]].any()


class Fixed:
    """A scorer that returns the rows that it was given."""

    def __init__(self, rows):
        self.rows = torch.tensor(rows)

    def score(self, histories):
        return self.rows.clone()


def test_both_scorers_are_scaled_to_one():
    one, two = Fixed([[0.0, 2.0, 4.0]]), Fixed([[0.0, 30.0, 0.0]])
    found = ScoreEnsemble(one, two, 0.5).score([np.array([1])])
    assert found.tolist() == [[0.0, 0.5 + 0.5, 1.0]]


def test_probabilities_are_a_softmax_without_padding():
    found = Probabilities(Fixed([[9.0, 0.5, 0.2]]), 0.1).score([np.array([1])])[0]
    assert found[0] == 0
    assert found.sum() == pytest.approx(1)
    assert float(found[1] / found[2]) == pytest.approx(np.exp(3), rel=1e-5)
