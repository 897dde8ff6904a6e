"""What notebooks 04 and 05 say about the sample's users is what the generator does."""

import numpy as np
import pytest

from data_samples.make.phrases import PURPOSES
from data_samples.make.simulation import make_world
from data_samples.make.upper_bound import hidden_state_model, next_item_probabilities


@pytest.fixture(scope="module")
def world():
    return make_world()


def test_the_last_item_tells_the_present_need_of_most_users(world):
    purposes = {item.item_id: item.purpose for item in world.items}
    told = [purposes[user.items[-1]] == PURPOSES[user.needs[-1]] for user in world.users]
    assert np.mean(told) > 0.8


def test_the_oracle_puts_the_changes_of_a_history_in_the_order_of_notebook_05(world):
    items = world.domain_items("home")
    place = {item.item_id: number for number, item in enumerate(items)}
    oracle = hidden_state_model(items, "content")
    histories = [
        np.array([place[i] for i in user.items[:-2]]) for user in world.domain_users("home")
    ]
    histories = [history for history in histories if len(history) > 2]

    def ten_best(changed):
        chances = next_item_probabilities(oracle, changed, after_launch=False)
        return (-chances).argsort(axis=1, kind="stable")[:, :10].tolist()

    best = ten_best(histories)
    kept = [
        np.mean([len({*a} & {*b}) for a, b in zip(best, ten_best(changed), strict=True)])
        for changed in (
            [np.append(h[-2::-1], h[-1]) for h in histories],
            [h[-1:] for h in histories],
            [h[:-1] for h in histories],
            [*histories[1:], histories[0]],
        )
    ]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > 8  # of ten: the order of the older items says little
    assert kept[1] > kept[2] + 1  # the last item says more than all others
