"""Data that the tests of studies share."""

import pytest

from tests.tiny_study import tiny_study_data


@pytest.fixture
def data():
    """Six users, 19 items with texts and images."""
    return tiny_study_data()
