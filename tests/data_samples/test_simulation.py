"""The simulated items and users: sizes, gaps, what each modality shows, what is cold."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest

from data_samples.make.catalogue import DOMAINS
from data_samples.make.drawing import COLOURS, PATTERNS, SHAPES
from data_samples.make.simulation import LAUNCH, TRANSITION, make_world


@pytest.fixture(scope="module")
def world():
    return make_world()


def test_sizes_and_gaps(world):
    for domain in DOMAINS:
        items = world.domain_items(domain)
        users = world.domain_users(domain)
        assert (len(items), len(users)) == (400, 1200)
        interactions = Counter(item for user in users for item in user.items)
        counts = sorted(interactions.values(), reverse=True)
        assert sum(counts[:40]) > 2.5 * sum(counts) / 10  # a tenth has more than a quarter
        assert sum(interactions[item.item_id] <= 1 for item in items) >= 10
        assert sum(item.n_images == 0 for item in items) == 20
        assert sum(not item.has_text for item in items) == 20
        assert sum(item.n_images > 1 for item in items) == pytest.approx(400 / 3, abs=2)
        assert not any(item.n_images == 0 and not item.has_text for item in items)
    assert {item.domain for item in world.items} == set(DOMAINS)


def test_looks_stand_in_no_text(world):
    forbidden = {*COLOURS, *PATTERNS, *SHAPES} - {"plain"} | {"stripes", "dots", "checks", "colour"}
    for item in world.items:
        words = set(re.findall(r"[a-z]+", f"{item.title} {item.brand} {item.description}".lower()))
        assert not words & forbidden, item


def test_new_items_are_strictly_cold(world):
    new = {item.item_id for item in world.items if item.is_new}
    tests = dict.fromkeys(DOMAINS, 0)
    for user in world.users:
        assert len(set(user.items)) == len(user.items)
        assert list(user.times) == sorted(user.times)
        assert user.times[-1] > LAUNCH > user.times[-2]
        assert not new & set(user.items[:-1])
        tests[user.domain] += user.items[-1] in new
    assert min(tests.values()) >= 120
    assert sum(tests.values()) >= 300


def test_the_needs_move_as_the_transition_says(world):
    moves = np.zeros_like(TRANSITION)
    for user in world.users:
        for a, b in itertools.pairwise(user.needs):
            moves[a, b] += 1
    share = moves / moves.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(share, TRANSITION / 100, atol=0.04)
    assert (TRANSITION.sum(axis=1) == 100).all()
