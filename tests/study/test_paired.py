"""Paired differences: intervals, p-values, corrections."""

import math

import numpy as np
import pytest

from msm4sr_lite.study.paired import holm, paired, with_seeds


def test_p_value_and_interval_agree():
    rng = np.random.default_rng(1)
    base = [rng.integers(1, 60, 300) for _ in range(3)]
    nudged = [np.maximum(1, r - rng.integers(0, 3, 300)) for r in base]
    for ranks, clear in ((nudged, True), ([rng.permutation(r) for r in base], False)):
        found = paired(ranks, base)["ndcg@10"]
        assert (found["p"] < 0.05) == (not found["low"] <= 0 <= found["high"]) == clear
    same = paired(base, base)["ndcg@10"]
    assert (same["value"], same["p"], same["detectable"]) == (0, 1, 0)


def test_the_detectable_difference_is_found_with_a_power_of_80_percent():
    """Simulated studies whose true gain is what one of them calls detectable."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(4000)
    error = noise.std() / math.sqrt(4000)
    detectable = error * (1.959964 + 0.841621)
    gains = detectable + rng.normal(0, error, 20_000)
    assert (gains > 1.959964 * error).mean() == pytest.approx(0.8, abs=0.01)
    ranks = [np.where(np.arange(400) % 2, 1, 3)]
    base = [np.where(np.arange(400) % 3, 3, 1)]
    found = paired(ranks, base)["ndcg@10"]
    half = (found["high"] - found["low"]) / 2
    assert found["detectable"] == pytest.approx(half * (1.959964 + 0.841621) / 1.959964, abs=1e-5)


def test_a_model_without_seeds_is_compared_with_every_seed_of_the_other():
    one, many = [np.array([1, 5, 9])], [np.array([1, 1, 2]), np.array([3, 2, 40])]
    assert paired(one, many) == paired(one * 2, many)
    assert len(paired(one, many)["ndcg@10"]["seeds"]) == 2


def test_the_bootstrap_draws_users_with_all_their_cases():
    ranks, base = [np.array([1, 1, 1, 9] * 50)], [np.array([2, 2, 2, 9] * 50)]
    alone = paired(ranks, base)["ndcg@10"]
    four = paired(ranks, base, np.arange(200) // 4)["ndcg@10"]
    assert four["value"] == alone["value"]
    assert four["high"] - four["low"] < alone["high"] - alone["low"]  # all users are alike
    by_place = paired(ranks, base, np.arange(200) % 4)["ndcg@10"]
    assert by_place["high"] - by_place["low"] > 2 * (alone["high"] - alone["low"])


def test_seeds_widen_the_interval():
    each = np.random.default_rng(0).random(500)
    alike = with_seeds([{"x": each}] * 3)["x"]
    apart = with_seeds([{"x": each - 0.2}, {"x": each}, {"x": each + 0.2}])["x"]
    assert alike["value"] == pytest.approx(apart["value"])
    assert apart["high"] - apart["low"] > 3 * (alike["high"] - alike["low"])
    assert len(apart["seeds"]) == 3
    # Student's t with two degrees of freedom, at both ends.
    spread = 4.302653 * 0.2 / math.sqrt(3)
    for end in ("low", "high"):
        users = apart["value"] - alike[end]
        assert abs(apart["value"] - apart[end]) == pytest.approx(
            math.hypot(users, spread), abs=2e-6
        )


def test_p_is_two_sided():
    found = paired([np.array([1, 4, 2, 9, 3] * 20)], [np.array([2, 3, 2, 9, 4] * 20)])["ndcg@10"]
    error = (found["high"] - found["low"]) / 2 / 1.959964
    assert found["p"] == pytest.approx(math.erfc(abs(found["value"]) / error / math.sqrt(2)))


def test_holm_against_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.random(6) ** 3
        found = holm(p.tolist())
        for alpha in (0.01, 0.05, 0.2, 0.5):
            rejected = set()  # step down until one is not small enough
            for step, index in enumerate(np.argsort(p)):
                if p[index] > alpha / (6 - step):
                    break
                rejected.add(int(index))
            assert {i for i in range(6) if found[i] <= alpha} == rejected
    assert holm([]) == []


def test_a_paired_difference_computed_by_hand():
    found = paired([np.array([1, 11]), np.array([1, 30])], [np.array([3, 11]), np.array([11, 1])])
    ndcg, recall = found["ndcg@10"], found["recall@20"]
    assert ndcg["seeds"] == [0.25, 0.0]  # 1 - 1/2 and 0; 1 and -1
    assert ndcg["value"] == 0.125
    assert recall["seeds"] == [0.0, -0.5]
    # Over the seeds: t = 12.706, deviation 0.25 / sqrt(2), two of them. Over the users, whose
    # means are 0.75 and -0.5: two draws of one of them are often alike.
    half = np.hypot(12.7062 * 0.25 / 2, 1.25 / 2)
    assert ndcg["high"] - ndcg["value"] == pytest.approx(half, abs=1e-3)
    assert ndcg["value"] - ndcg["low"] == pytest.approx(half, abs=1e-3)
    one = paired([np.array([1, 11])], [np.array([3, 11])])["ndcg@10"]
    assert (one["low"], one["high"]) == (0.0, 0.5)  # users alone
