import numpy as np
import pytest
import torch

from msm4sr_lite.baselines.ensemble import Probabilities, ScoreEnsemble


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
