"""EASE beside the definition of its paper, and what does not fit into memory."""

import numpy as np
import pytest
from toys import toy_sequences

from msm4sr_lite.baselines import ease
from msm4sr_lite.baselines.ease import EASE
from msm4sr_lite.config import UserError
from tests.tiny_study import sequences_of


def interactions(sequences):
    """X, users by items; column 0 is padding."""
    x = np.zeros((len(sequences.users), sequences.n_items + 1))
    for user, row in enumerate(sequences.train()):
        x[user, row] = 1
    return x


@pytest.mark.parametrize("rows", [4, 5, 1024])
def test_the_weights_are_those_of_the_closed_form(rows, monkeypatch):
    monkeypatch.setattr(ease, "ROWS", rows)
    sequences = toy_sequences([9, 7, 8, 12, 6, 9, 10], n_items=13)
    x, l2 = interactions(sequences), 3.0
    p = np.linalg.inv(x.T @ x + l2 * np.eye(14))
    expected = np.eye(14) - p @ np.diag(1 / np.diag(p))
    found = EASE(sequences, l2)
    assert found.weights == pytest.approx(expected, abs=1e-5)
    assert found.weights.dtype == np.float32
    # Scores of the training users, each item with weight 1: XB.
    rows = sequences.train()
    unique = [np.unique(row) for row in rows]
    assert EASE(sequences, l2, decay=1).score(unique).numpy() == pytest.approx(
        x @ expected, abs=1e-5
    )
    newest = EASE(sequences, l2, decay=0.5).score([np.array([4, 7])])[0]
    assert newest.numpy() == pytest.approx(0.5 * expected[4] + expected[7], abs=1e-5)


def test_each_item_is_the_ridge_regression_on_all_others():
    """The problem that the closed form solves, one item at a time."""
    sequences = toy_sequences([9, 7, 8, 12, 6], n_items=8)
    x, weights = interactions(sequences), EASE(sequences, l2=0.7).weights
    for item in range(9):
        others = np.arange(9) != item
        inputs = x[:, others]
        ridge = np.linalg.solve(inputs.T @ inputs + 0.7 * np.eye(8), inputs.T @ x[:, item])
        assert weights[others, item] == pytest.approx(ridge, abs=1e-4)
        assert weights[item, item] == 0


def test_too_many_items_for_the_memory_are_refused(monkeypatch):
    pages = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 12 * 14**2 / 0.75}
    monkeypatch.setattr(ease.os, "sysconf", pages.get, raising=False)
    EASE(toy_sequences([6, 6], n_items=13))
    with pytest.raises(
        UserError, match=r"'ease' needs 0.0 GB \(items: 14\), more than 3/4 of the mem"
    ):
        EASE(toy_sequences([6, 6], n_items=14))

    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(ease.np, "empty", fail)
    with pytest.raises(UserError, match=r"keep fewer items by data\.min_item"):
        ease.all_pairs(5)


def test_settings_are_checked():
    sequences = toy_sequences([6, 6], n_items=9)
    with pytest.raises(UserError, match=r"l2 must be a number >= 0.01 and"):
        EASE(sequences, l2=0)
    with pytest.raises(UserError, match="decay must be"):
        EASE(sequences, decay=2)


def test_a_penalty_that_float32_cannot_resolve_is_refused():
    rows = [[1, 2, 3, 4, 5, 6, 7, 8, 9]] * 40_000  # items 1 to 7 are equal in the training part
    sequences = sequences_of(rows, n_items=9)
    with pytest.raises(
        UserError, match=r"l2=0\.5 is too small for these data in float32; at least 2\.8"
    ):
        EASE(sequences, l2=0.5)
    x = interactions(sequences)
    p = np.linalg.inv(x.T @ x + 3 * np.eye(10))
    expected = np.eye(10) - p / np.diag(p)
    assert EASE(sequences, l2=3).weights == pytest.approx(expected, abs=2e-3)
