"""The oracle's probabilities beside the sample are what the generator computes."""

import hashlib

import numpy as np
import pytest

from data_samples.make.catalogue import DOMAINS
from data_samples.make.oracle_file import FILE, oracle_arrays
from data_samples.make.upper_bound import KINDS, hidden_state_model, next_item_probabilities
from data_samples.make.write import load_world


@pytest.fixture(scope="module")
def world(sample_dataset):
    return load_world(sample_dataset)


@pytest.fixture(scope="module")
def committed(sample_dataset):
    with np.load(sample_dataset / FILE, allow_pickle=False) as file:
        return dict(file)


def test_the_committed_file_is_what_the_command_makes(world, committed):
    fresh = oracle_arrays(world)
    assert list(committed) == list(fresh)
    for name, values in fresh.items():
        assert committed[name].dtype == values.dtype, name
        if values.dtype == np.float32:
            np.testing.assert_allclose(committed[name], values, rtol=1e-6, err_msg=name)
        else:
            assert np.array_equal(committed[name], values), name


@pytest.mark.parametrize("kind", KINDS)
def test_the_product_of_the_two_matrices_is_the_oracles_probability(world, committed, kind):
    states, weights = (committed[f"{kind}_{name}"].astype(float) for name in ("states", "weights"))
    probability = states @ weights
    column = {item: i for i, item in enumerate(committed["item_ids"].tolist())}
    histories = [[column[item] for item in user.items[:-1]] for user in world.users]
    for row, history in zip(probability, histories, strict=True):
        row[history] = 0
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
    first = 0
    for domain in DOMAINS:  # users and items come domain after domain
        items = world.domain_items(domain)
        rows = [k for k, user in enumerate(world.users) if user.domain == domain]
        inside = [np.array(histories[k]) - first for k in rows]
        exact = next_item_probabilities(hidden_state_model(items, kind), inside, True)
        columns = slice(first, first + len(items))
        np.testing.assert_allclose(probability[rows, columns], exact, rtol=0, atol=1e-6)
        first += len(items)


def test_histories_are_identified_by_length_and_hash(world, committed):
    for row in (0, 1500):
        user = world.users[row]
        text = "\n".join(user.items[:-1]).encode()
        assert committed["user_ids"][row] == user.user_id
        assert committed["history_length"][row] == len(user.items) - 1
        first = hashlib.sha256(text).digest()[:8]
        assert int(committed["history_hash"][row]) == int.from_bytes(first, "big")
    assert len(set(committed["history_hash"].tolist())) == len(world.users)
