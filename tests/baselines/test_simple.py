"""Baselines without a network, computed by hand."""

import numpy as np
import pytest
from scipy import sparse
from toys import toy_sequences, toy_table

from msm4sr_lite.baselines.simple import (
    ContentKNN,
    ItemKNN,
    Popularity,
    SequentialRules,
    TextKNN,
    grid,
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

    for shrinkage in (0.5, 20):
        shrunk = together / (np.sqrt(np.outer(n_users, n_users)) + shrinkage)
        found = ItemKNN(sequences, 0.5, True, shrinkage).score([np.array([3, 4])])[0]
        assert found.tolist() == pytest.approx((0.5 * shrunk[3] + shrunk[4]).tolist())


def test_shrinkage_without_cosine_is_refused():
    message = r"shrinkage=3 has no effect with cosine=False; set cosine=True"
    with pytest.raises(UserError, match=message):
        ItemKNN(toy_sequences([6, 6], n_items=9), shrinkage=3)
    with pytest.raises(UserError, match="shrinkage must be a number >= 0"):
        ItemKNN(toy_sequences([6, 6], n_items=9), cosine=True, shrinkage=-1)


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
        found = SequentialRules(sequences, decay).score([np.array([3, 4, k]) for k in range(1, 10)])
        assert expected[3:5].any(axis=1).all()  # only the newest item counts
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


SEEN = np.array([False, True, True, True, True, False, True])


def test_mean_embeddings_are_unit_means_of_real_slots():
    table = toy_table([2, 0, 3], [0, 0, 0])
    found = mean_embeddings(table.text, SEEN[:4])
    first = table.text.vectors[:2].float().mean(dim=0)
    assert found[1] == pytest.approx((first / first.norm()).numpy(), abs=1e-6)
    assert not found[[0, 2]].any()


@pytest.mark.parametrize(
    ("whitening", "width"), [("centre", 0), ("pca", 0), ("pca", 2), ("zca", 0)]
)
def test_whitening_is_learned_from_the_items_with_training_interactions(whitening, width):
    table = toy_table([2, 0, 3, 1, 1, 2], [0] * 6)
    means = table.text.means().double().numpy()
    known = means[[1, 3, 4, 6]]  # item 2 has no text, item 5 no interaction
    mean, covariance = known.mean(axis=0), np.cov(known.T, bias=True)
    variances, directions = np.linalg.eigh(covariance)
    kept = variances > 1e-6 * variances.max()
    scaled = directions[:, kept][:, ::-1] / np.sqrt(variances[kept][::-1])
    expected = (means - mean) @ {
        "centre": np.eye(len(mean)),
        "pca": scaled[:, : width or None],
        "zca": scaled @ directions[:, kept][:, ::-1].T,
    }[whitening]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = mean_embeddings(table.text, SEEN, whitening, width)
    assert not found[[0, 2]].any()  # not the image of a zero embedding
    there = [1, 3, 4, 5, 6]  # an item without interactions is mapped like the others
    assert found[there] @ found[there].T == pytest.approx(
        expected[there] @ expected[there].T, abs=1e-4
    )


def test_wrong_whitening_is_refused():
    slots = toy_table([2, 1, 3], [0, 0, 0]).text
    for settings, message in (
        (("pcaa", 0), "whitening must be one of none, centre, pca, zca; got 'pcaa'"),
        (("zca", 2), "whitening_dim=2 has no effect with whitening=zca"),
        (("pca", -1), "whitening_dim must be an integer >= 0"),
    ):
        with pytest.raises(UserError, match=message):
            mean_embeddings(slots, SEEN[:4], *settings)


@pytest.mark.parametrize("kind", [ItemKNN, SequentialRules])
def test_new_items_are_in_no_pair_and_change_no_other_score(kind):
    sequences = toy_sequences([6, 6, 7], n_items=9)
    scorer, new = kind(sequences), toy_table([1, 1], [0, 0], items=["new1", "new2"])
    before = scorer.score([np.array([3, 4])])
    larger = scorer.resized(12)
    scorer.append(new)
    for one in (scorer, larger):
        found = one.score([np.array([3, 4]), np.array([11])])
        assert found.shape == (2, 12)
        assert found[:1, :10].equal(before)
        assert found[0, 10:].tolist() == [0, 0]
        assert found[1].count_nonzero() == 0


@pytest.mark.parametrize("whitening", ["none", "pca"])
def test_new_texts_are_compared_with_the_whitening_of_the_old_ones(whitening):
    table, seen = toy_table([2] * 20, [0] * 20), np.arange(23) % 3 > 0
    old = table.for_items(table.items[:18])
    scorer = TextKNN(old.text, seen[:18], 0.5, whitening=whitening)
    scorer.append(table.for_items(["", *table.items[18:]]))
    seen[18:] = False
    expected = ContentKNN(mean_embeddings(table.text, seen[:21], whitening), 0.5)
    histories = [np.array([1, 19]), np.array([5])]
    assert scorer.score(histories) == pytest.approx(expected.score(histories), abs=1e-5)
    assert scorer.score(histories)[1, 18:].count_nonzero() == 3


def test_a_grid_has_every_combination():
    found = grid(a__b=[1, 2], c=[3, 4])
    assert [(one["a.b"], one["c"]) for one in found] == [(1, 3), (1, 4), (2, 3), (2, 4)]
