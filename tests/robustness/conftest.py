"""The undamaged inputs, made once for all tests of a process."""

import sys

import pytest

# The harness forks, limits the memory of its workers and counts in files that only Linux has.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    from tests.robustness.world import World

    return World(tmp_path_factory.mktemp("world"))
