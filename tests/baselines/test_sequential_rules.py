import numpy as np
import pytest
from toys import toy_sequences

from msm4sr_lite.baselines.sequential_rules import SequentialRules
from msm4sr_lite.config import UserError


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
    with pytest.raises(UserError, match="steps must be at least 1; got 0"):
        SequentialRules(toy_sequences([6, 6], n_items=9), steps=0)
