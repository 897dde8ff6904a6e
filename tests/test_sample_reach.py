"""What can be reached in the sample shop: expected scores, what each modality is worth."""

import itertools

import numpy as np
import pytest

from data_samples.make.__main__ import main
from data_samples.make.reach import reaches
from data_samples.make.shoppers import TRANSITION, make_world
from data_samples.make.upper_bound import expected_ndcg, oracle_scores
from msm4sr_lite.evaluation import metrics


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def reach(world):
    return {(r.domain, r.knowledge.split(" (")[0]): r for r in reaches(world)}


def test_expected_ndcg_is_the_mean_over_all_outcomes():
    rng = np.random.default_rng(0)
    scores, truth = rng.random((3, 7)), rng.dirichlet(np.ones(7), size=3)
    for k in (1, 3, 10):
        slow = np.zeros(3)
        for row, item in itertools.product(range(3), range(7)):
            rank = 1 + (scores[row] > scores[row, item]).sum()
            slow[row] += truth[row, item] * metrics(np.array([rank]), [k])[f"ndcg@{k}"][0]
        np.testing.assert_allclose(expected_ndcg(scores, truth, k), slow)


def test_equal_scores_share_their_places():
    rng = np.random.default_rng(1)
    scores, truth = rng.integers(0, 3, (4, 9)).astype(float), rng.dirichlet(np.ones(9), size=4)
    broken = [expected_ndcg(scores + 1e-3 * rng.random(scores.shape), truth, 5)
              for _ in range(4000)]  # fmt: skip
    np.testing.assert_allclose(np.mean(broken, axis=0), expected_ndcg(scores, truth, 5), atol=0.01)
    flat = expected_ndcg(np.ones((1, 9)), truth[:1], 3)
    assert flat[0] == pytest.approx((1 / np.log2([2, 3, 4])).sum() / 9)


def test_the_ranking_by_truth_is_the_best_expected_one(world):
    histories = [list(s.items[:-1]) for s in world.shoppers[::40]]
    truth = oracle_scores(world, histories)
    best = expected_ndcg(truth, truth)
    rng = np.random.default_rng(0)
    for noise in (0.1, 1.0):
        other = truth * np.exp(noise * rng.standard_normal(truth.shape))
        assert (expected_ndcg(other, truth) <= best + 1e-12).all()


@pytest.mark.parametrize("domain", ["home", "outdoor"])
def test_each_modality_adds_something(reach, domain):
    value = {knowledge: r for (d, knowledge), r in reach.items() if d == domain}
    expected = {knowledge: r.expected for knowledge, r in value.items()}
    both = expected["text and pictures"]
    assert both > 1.4 * expected["pictures alone"]
    assert both > 1.4 * expected["text alone"]
    assert min(expected["pictures alone"], expected["text alone"]) > 2 * expected["nothing"]
    assert expected["nothing"] < expected["popularity alone"] < both
    assert 0.85 * expected["everything"] < both < expected["everything"]
    assert value["text and pictures"].measured < value["everything"].measured
    assert value["text and pictures"].cold > 0.8 * both  # new items are as predictable as old ones
    for r in value.values():  # 1,200 users: the standard error is below 0.01
        assert r.measured == pytest.approx(r.expected, abs=0.03)


def test_the_needs_move_as_the_transition_says(world):
    moves = np.zeros_like(TRANSITION)
    for shopper in world.shoppers:
        for a, b in itertools.pairwise(shopper.needs):
            moves[a, b] += 1
    share = moves / moves.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(share, TRANSITION / 100, atol=0.04)
    assert (TRANSITION.sum(axis=1) == 100).all()


def test_an_empty_history_and_a_repeated_item(world):
    empty, once, twice = oracle_scores(world, [[], ["h0005"], ["h0005", "h0005"]])
    home = np.array([item.domain == "home" for item in world.items])
    assert empty[home].sum() == pytest.approx(0.5)
    assert empty.sum() == pytest.approx(1)
    np.testing.assert_allclose(once, twice)


def test_before_the_launch_nothing_new_is_expected(world):
    new = np.array([item.is_new for item in world.items])
    scores = oracle_scores(world, [["h0005"]], at_test_time=False)
    assert scores[:, new].sum() == 0
    assert scores.sum() == pytest.approx(1)
    assert oracle_scores(world, [["h0005"]])[:, new].sum() > 0.1


def test_the_command_prints_the_datasheets_table(sample_dataset, tmp_path, capsys):
    assert main([str(sample_dataset)]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed in (sample_dataset / "README.md").read_text(encoding="utf-8")
    assert main([str(tmp_path)]) == 2
    assert "no sample shop" in capsys.readouterr().err
    assert main([]) == 2
