"""A dataset in memory: users, histories, and how it shows itself."""

import dataclasses
import subprocess
import sys

import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset


@pytest.fixture
def dataset():
    interactions = pd.DataFrame(
        {
            "user_id": ["ann", "bob", "ann", "ann"],
            "item_id": ["a", "a", "b", "a"],
            "timestamp": [4e8, 2e9, 1e9, 3e9],
        }
    )
    items = pd.DataFrame({"item_id": ["a", "b"], "title": ["Mug", "Bowl"], "domain": ["home"] * 2})
    return Dataset.from_frames(interactions, items, name="toys", domain="home")


def test_users_come_in_the_order_of_their_first_interactions(dataset):
    assert dataset.users == ["ann", "bob"]


def test_a_history_is_sorted_by_time(dataset):
    assert dataset.user_history("ann") == ["a", "b", "a"]
    assert dataset.user_history("bob") == ["a"]


def test_an_unknown_user_is_an_error(dataset):
    with pytest.raises(UserError, match=r"toys: unknown user 'nobody'; the ids are in .users"):
        dataset.user_history("nobody")


def test_one_line_shows_name_counts_and_dates(dataset):
    assert repr(dataset) == (
        "Dataset('toys', domain 'home': 2 users, 2 items, 4 interactions, 1982-09-04 to 2065-01-24)"
    )


def test_a_dataset_is_frozen(dataset):
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"
    assert dataclasses.replace(dataset, name="other").users == ["ann", "bob"]


def test_importing_the_package_loads_neither_torch_nor_pandas():
    code = (
        "import sys, msm4sr_lite, msm4sr_lite.dataset; print({'torch', 'pandas'} & {*sys.modules})"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
