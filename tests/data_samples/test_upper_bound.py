"""The oracle upper bound of the sample is exact."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from data_samples.make.simulation import make_world
from data_samples.make.upper_bound import (
    KINDS,
    HiddenStateModel,
    hidden_state_model,
    next_item_probabilities,
)
from msm4sr_lite.baselines.oracle import expected_ndcg
from msm4sr_lite.config import UserError


@pytest.fixture(scope="module")
def home():
    """Items, histories before the last interaction, and the items that followed."""
    world = make_world()
    items = world.domain_items("home")
    number = {item.item_id: i for i, item in enumerate(items)}
    sequences = [np.array([number[i] for i in user.items]) for user in world.domain_users("home")]
    return items, [s[:-1] for s in sequences], np.array([s[-1] for s in sequences])


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


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_sum_to_one_and_items_of_the_history_have_none(home, kind):
    items, histories, _ = home
    model = hidden_state_model(items, kind)
    found = next_item_probabilities(model, histories[::200], after_launch=True)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    for row, history in zip(found, histories[::200], strict=True):
        assert (row[history] == 0).all()


def test_no_other_prediction_is_as_likely_as_the_oracles(home):
    items, histories, targets = home

    def log_likelihood(model):
        found = next_item_probabilities(model, histories, after_launch=True)
        return np.log(found[np.arange(len(targets)), targets]).mean()

    model = hidden_state_model(items, "oracle")
    true = log_likelihood(model)
    assert true < 0
    assert log_likelihood(hidden_state_model(items, "content")) < true
    for wrong in (
        {"transition": np.full_like(model.transition, 1 / len(model.transition))},
        {"transition": model.transition.T},
        {"weights": model.weights[::-1]},  # needs in the wrong order
    ):
        assert log_likelihood(replace(model, **wrong)) < true


def test_the_ranking_by_truth_is_the_best_expected_one(home):
    items, histories, _ = home
    truth = next_item_probabilities(hidden_state_model(items, "oracle"), histories[::20], True)
    best = expected_ndcg(truth, truth)
    rng = np.random.default_rng(0)
    for noise in (0.1, 1.0):
        other = truth * np.exp(noise * rng.standard_normal(truth.shape))
        assert (expected_ndcg(other, truth) <= best + 1e-12).all()


def test_before_the_launch_nothing_new_is_expected(home):
    items, histories, _ = home
    model = hidden_state_model(items, "oracle")
    before, after = (next_item_probabilities(model, histories[:1], t) for t in (False, True))
    assert before[:, model.is_new].sum() == 0
    assert before.sum() == pytest.approx(1)
    assert after[:, model.is_new].sum() > 0.1


def test_an_unknown_kind_is_refused(home):
    with pytest.raises(UserError, match='must be "oracle" or "content"; got \'both\''):
        hidden_state_model(home[0], "both")
