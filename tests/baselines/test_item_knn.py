import numpy as np
import pytest
from toys import toy_sequences

from msm4sr_lite.baselines.item_knn import ItemKNN
from msm4sr_lite.config import UserError
from msm4sr_lite.sequences import Sequences


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
    with pytest.raises(UserError, match=f"decay must be from 0 to 1; got {decay}"):
        ItemKNN(toy_sequences([6, 6], n_items=9), decay)
