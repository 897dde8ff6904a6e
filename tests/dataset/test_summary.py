"""What is counted in a dataset, and how it is printed."""

from collections import Counter
from dataclasses import asdict

import numpy as np
import pandas as pd

from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.summary import format_period


def test_times_that_are_no_seconds_are_shown_as_numbers():
    assert format_period(1, 2.5) == "timestamps 1 to 2.5"
    assert format_period(1.6e9, 253402214400) == "2020-09-13 to 9999-12-31"
    assert format_period(1.6e12, 1.7e12) == "timestamps 1600000000000 to 1700000000000"


def test_counts_are_those_of_a_plain_loop(sample_dataset):
    dataset = Dataset.from_folder(sample_dataset)
    found = asdict(dataset.summary())
    rows = list(dataset.interactions.itertuples(index=False))
    assert found["interactions"] == len(rows)
    assert found["users"] == len({row.user_id for row in rows})
    assert found["items"] == len(dataset.items)
    pairs = Counter((row.user_id, row.item_id) for row in rows)
    assert found["repeated"] == sum(pairs.values()) - len(pairs)
    times = Counter((row.user_id, row.timestamp) for row in rows)
    assert found["duplicates"] == len(rows) - len(set(rows))
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
    text = str(dataset.summary())
    assert text.splitlines()[0] == "toys"
    assert "interactions  2, 2024-01-02 to 2024-03-04\n" in text
    assert "2 without text, 0 without images" in text
    assert "domains       home (2)" in text
    assert "note: 1 items have neither text nor image" in text
