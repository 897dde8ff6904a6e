"""Coverage and popularity bias of recommendation lists."""

import math

import numpy as np
import pytest

from msm4sr_lite.study.beyond_accuracy import coverage, popularity_bias, top_lists
from tests.tiny_study import ConstantScorer


def test_top_lists_hold_neither_padding_nor_items_of_the_history():
    scorer, histories = ConstantScorer(9.0, 3.0, 5.0, 5.0, 1.0), [np.array([2]), np.array([4, 1])]
    assert top_lists(scorer, histories, 2).tolist() == [[3, 1], [2, 3]]
    assert top_lists(scorer, histories, 2, filter_seen=False).tolist() == [[2, 3], [2, 3]]
    assert top_lists(scorer, [np.array([1, 2, 3])], 3).tolist() == [[4, 0, 0]]
    assert scorer.scores.tolist() == [9, 3, 5, 5, 1]  # not written into


def test_coverage_and_popularity_bias():
    lists = np.array([[1, 2, 0], [2, 3, 0]])
    assert coverage(lists, 4) == 0.75
    bought = np.array([0, 8, 4, 0, 2])
    assert popularity_bias(lists, np.array([2, 4]), bought) == pytest.approx(4 / 3)
    assert popularity_bias(lists, np.array([3]), bought) == math.inf
