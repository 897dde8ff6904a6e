"""Overlap of two models, counted case by case."""

import numpy as np
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.study.complementarity import complementarity, pairwise


def test_shares_by_hand():
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 30, size=(2, 200))
    for k in (1, 10, 29):
        found = complementarity(a, b, k)
        counts = dict.fromkeys(["both", "only_a", "only_b", "neither", "union"], 0)
        for one, two in zip(a, b, strict=True):
            name = "both" if one <= k else "only_b"
            if two > k:
                name = "only_a" if one <= k else "neither"
            counts[name] += 1
            counts["union"] += min(one, two) <= k
        assert found == {name: pytest.approx(count / 200) for name, count in counts.items()}
        assert found["both"] + found["only_a"] == pytest.approx(
            metrics(a, [k])[f"recall@{k}"].mean()
        )
        assert found["union"] == pytest.approx(1 - found["neither"])


def test_ranks_of_other_cases_are_refused():
    good = np.array([1, 2])
    for bad in (np.array([1]), np.array([[1, 2]]), np.array([0, 1])):
        with pytest.raises(UserError, match="must be ranks from 1 of the same test cases"):
            complementarity(good, bad)
    with pytest.raises(UserError, match="must be ranks from 1 of the same test cases"):
        complementarity(np.array([]), np.array([]))
    with pytest.raises(UserError, match="k must be an integer >= 1"):
        complementarity(good, good, k=0)


def test_pairs_are_averaged_over_seeds():
    rng = np.random.default_rng(1)
    counted, trained = rng.integers(1, 30, size=50), rng.integers(1, 30, size=(3, 50))
    found = pairwise({"a": [counted], "b": list(trained), "c": list(trained)}, k=5)
    assert {a: list(b) for a, b in found.items()} == {"a": ["b", "c"], "b": ["c"]}
    each = [complementarity(counted, one, 5)["only_b"] for one in trained]
    assert found["a"]["b"]["only_b"] == pytest.approx(np.mean(each), abs=1e-6)
    assert found["b"]["c"]["only_a"] == found["b"]["c"]["only_b"] == 0
