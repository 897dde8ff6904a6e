"""The oracle upper bound of the sample is exact."""

import itertools

import numpy as np
import pytest

from data_samples.make.simulation import make_world
from data_samples.make.upper_bound import (
    HiddenStateModel,
    expected_ndcg,
    hidden_state_model,
    next_item_probabilities,
    oracle_scores,
)
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import metrics


@pytest.fixture(scope="module")
def world():
    return make_world()


def small_model(rng, needs=3, tastes=2, items=5):
    return HiddenStateModel(
        first=rng.dirichlet(np.ones(needs)),
        transition=rng.dirichlet(np.ones(needs), size=needs),
        tastes=rng.dirichlet(np.ones(tastes)),
        weights=rng.integers(1, 9, (needs, tastes, items)).astype(float),
        is_new=np.array([False] * (items - 1) + [True]),
    )


def by_enumeration(model, history, after_launch):
    """Sum over every path of hidden states."""
    needs, tastes, items = model.weights.shape
    total = np.zeros(items)
    for taste in range(tastes):
        for path in itertools.product(range(needs), repeat=len(history) + 1):
            chance = model.tastes[taste] * model.first[path[0]]
            for a, b in itertools.pairwise(path):
                chance *= model.transition[a, b]
            on_sale = ~model.is_new
            for need, item in zip(path, history, strict=False):
                weights = model.weights[need, taste] * on_sale
                chance *= weights[item] / weights.sum()
                on_sale = on_sale & (np.arange(items) != item)
            if after_launch:
                on_sale = on_sale | model.is_new
            weights = model.weights[path[-1], taste] * on_sale
            total += chance * weights / weights.sum()
    return total / total.sum()


@pytest.mark.parametrize("after_launch", [False, True])
def test_the_forward_algorithm_is_exact(after_launch):
    rng = np.random.default_rng(0)
    for _ in range(5):
        model = small_model(rng)
        histories = [np.array([], dtype=int), np.array([2]), np.array([0, 3, 1])]
        fast = next_item_probabilities(model, histories, after_launch)
        for history, row in zip(histories, fast, strict=True):
            np.testing.assert_allclose(
                row, by_enumeration(model, history, after_launch), atol=1e-12
            )


def test_probabilities_sum_to_one_and_items_of_the_history_have_none(world):
    histories = [list(u.items[:-1]) for u in world.users[::200]]
    for kind in ("oracle", "content"):
        scores = oracle_scores(world, histories, kind)
        np.testing.assert_allclose(scores.sum(axis=1), 1)
        column = {item.item_id: i for i, item in enumerate(world.items)}
        for row, history in zip(scores, histories, strict=True):
            assert (row[[column[item] for item in history]] == 0).all()
            here = world.items[column[history[0]]].domain
            other = [i for i, item in enumerate(world.items) if item.domain != here]
            assert (row[other] == 0).all()


def test_no_other_prediction_is_as_likely_as_the_oracles(world):
    histories = [list(u.items[:-1]) for u in world.users]
    targets = [next(i for i, x in enumerate(world.items) if x.item_id == u.items[-1])
              for u in world.users]  # fmt: skip
    likely = {
        kind: np.log(oracle_scores(world, histories, kind)[np.arange(len(targets)), targets]).mean()
        for kind in ("oracle", "content")
    }
    assert likely["content"] < likely["oracle"] < 0
    home = world.domain_items("home")
    model = hidden_state_model(home, "oracle")
    number = {item.item_id: i for i, item in enumerate(home)}
    rows = world.domain_users("home")
    paths = [np.array([number[i] for i in u.items[:-1]]) for u in rows]
    last = [number[u.items[-1]] for u in rows]

    def log_likelihood(model):
        found = next_item_probabilities(model, paths, after_launch=True)
        return np.log(found[np.arange(len(last)), last]).mean()

    true = log_likelihood(model)
    uniform = np.full_like(model.transition, 1 / len(model.transition))
    shuffled = model.weights[::-1]  # needs named in the wrong order
    for wrong in (
        {"transition": uniform},
        {"transition": model.transition.T},
        {"weights": shuffled},
    ):
        assert log_likelihood(HiddenStateModel(**{**model.__dict__, **wrong})) < true


def test_ids_and_items_are_refused_with_a_line(world):
    with pytest.raises(UserError, match="has no item 'x1'"):
        oracle_scores(world, [["x1"]])
    with pytest.raises(UserError, match="items of both domains"):
        oracle_scores(world, [["h0001", "o0001"]])


def test_expected_ndcg_is_the_mean_over_all_outcomes():
    rng = np.random.default_rng(0)
    scores, truth = rng.random((3, 7)), rng.dirichlet(np.ones(7), size=3)
    for k in (1, 3, 10):
        slow = np.zeros(3)
        for row, item in itertools.product(range(3), range(7)):
            rank = 1 + (scores[row] > scores[row, item]).sum()
            slow[row] += truth[row, item] * metrics(np.array([rank]), [k])[f"ndcg@{k}"][0]
        np.testing.assert_allclose(expected_ndcg(scores, truth, k), slow)


def test_equal_scores_share_their_ranks():
    rng = np.random.default_rng(1)
    scores, truth = rng.integers(0, 3, (4, 9)).astype(float), rng.dirichlet(np.ones(9), size=4)
    broken = [expected_ndcg(scores + 1e-3 * rng.random(scores.shape), truth, 5)
              for _ in range(4000)]  # fmt: skip
    np.testing.assert_allclose(np.mean(broken, axis=0), expected_ndcg(scores, truth, 5), atol=0.01)
    flat = expected_ndcg(np.ones((1, 9)), truth[:1], 3)
    assert flat[0] == pytest.approx((1 / np.log2([2, 3, 4])).sum() / 9)


def test_the_ranking_by_truth_is_the_best_expected_one(world):
    histories = [list(u.items[:-1]) for u in world.users[::40]]
    truth = oracle_scores(world, histories)
    best = expected_ndcg(truth, truth)
    rng = np.random.default_rng(0)
    for noise in (0.1, 1.0):
        other = truth * np.exp(noise * rng.standard_normal(truth.shape))
        assert (expected_ndcg(other, truth) <= best + 1e-12).all()


def test_an_empty_history_and_a_repeated_item(world):
    empty, once, twice = oracle_scores(world, [[], ["h0005"], ["h0005", "h0005"]])
    home = np.array([item.domain == "home" for item in world.items])
    assert empty[home].sum() == pytest.approx(0.5)
    assert empty.sum() == pytest.approx(1)
    np.testing.assert_allclose(once, twice)


def test_before_the_launch_nothing_new_is_expected(world):
    new = np.array([item.is_new for item in world.items])
    scores = oracle_scores(world, [["h0005"]], after_launch=False)
    assert scores[:, new].sum() == 0
    assert scores.sum() == pytest.approx(1)
    assert oracle_scores(world, [["h0005"]])[:, new].sum() > 0.1
