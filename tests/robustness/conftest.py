"""The undamaged inputs, made once for all tests of a process."""

import pytest

from tests.robustness.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))
