"""A dataset in memory: users, histories, and how it shows itself."""

import dataclasses
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset, describe, format_period, summary


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


def test_times_that_are_no_seconds_are_shown_as_numbers():
    assert format_period(1, 2.5) == "timestamps 1 to 2.5"
    assert format_period(1.6e12, 1.7e12) == "timestamps 1600000000000 to 1700000000000"


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


def test_counts_are_those_of_a_plain_loop(sample_dataset):
    dataset = Dataset.from_folder(sample_dataset)
    found = summary(dataset)
    rows = list(dataset.interactions.itertuples(index=False))
    assert found["interactions"] == len(rows)
    assert found["users"] == len({row.user_id for row in rows})
    assert found["items"] == len(dataset.items)
    pairs = Counter((row.user_id, row.item_id) for row in rows)
    assert found["repeated"] == sum(pairs.values()) - len(pairs)
    times = Counter((row.user_id, row.timestamp) for row in rows)
    assert found["ties"] == sum(n for n in times.values() if n > 1)
    assert found["without_interactions"] == len(set(dataset.items) - {row.item_id for row in rows})
    assert found["without_text"] == sum(not item.has_text for item in dataset.items.values())
    assert found["without_images"] == sum(not item.images for item in dataset.items.values())
    assert found["domains"] == dict(Counter(item.domain for item in dataset.items.values()))
    assert found["median_history"] == np.median(list(Counter(r.user_id for r in rows).values()))


def test_the_text_names_dates_domains_and_notes():
    times = ["2024-01-02", "2024-03-04"]
    interactions = pd.DataFrame(
        {"user_id": ["ann", "bob"], "item_id": ["a", "b"], "timestamp": times}
    )
    items = pd.DataFrame({"item_id": ["a", "b", "c"], "image": ["a.jpg", "b.jpg", ""]})
    dataset = Dataset.from_frames(interactions, items.assign(domain="home"), name="toys")
    text = describe(summary(dataset))
    assert text.splitlines()[0] == "toys"
    assert "2, 2024-01-02 to 2024-03-04; 0 repeated" in text
    assert "2 without text, 0 without images" in text
    assert "domains       home (2)" in text
    assert "note: 1 items have neither text nor image" in text
