"""What is counted in a dataset, and how it is printed."""

from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import build_sequences


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
    items_of_user = Counter(user for user, _ in pairs)
    assert found["kept_users"] == sum(n >= 5 for n in items_of_user.values())
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
    assert "without text: 2, without images: 0" in text
    assert "domains       home (2)" in text
    assert "note: items with neither text nor image: 1" in text


def test_training_keeps_users_with_five_different_items():
    rows = [("ann", item) for item in "abcde"] + [("bob", item) for item in "aabcd"]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id"]).assign(timestamp=range(10))
    dataset = Dataset.from_frames(
        interactions, pd.DataFrame({"item_id": [*"abcde"], "title": "Mug"}), name="toys"
    )
    summary = dataset.summary()
    assert (summary.users, summary.kept_users) == (2, 1)
    assert build_sequences(dataset.interactions, [*"abcde"]).users == ["ann"]
    line = "training      keeps 1 of 2 users: those with 5 or more different items"
    assert f"{line}\n                (setting data.min_user_interactions)\n" in str(summary)


def test_languages_that_round_to_nothing_are_not_shown():
    dataset = Dataset.from_frames(
        pd.DataFrame({"user_id": ["ann"], "item_id": ["a"], "timestamp": [1]}),
        pd.DataFrame({"item_id": ["a"], "title": ["Mug"]}),
    )
    languages = {"English": 0.996, "German": 0.004}
    text = str(replace(dataset.summary(), languages=languages))
    assert "languages     English 100%\n" in text + "\n"
    assert "German" not in text


def test_the_longest_history_is_shown():
    rows = [("ann", "a"), ("ann", "b"), ("ann", "c"), ("bob", "a")]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id"]).assign(timestamp=range(4))
    items = pd.DataFrame({"item_id": [*"abc"], "title": "Mug"})
    summary = Dataset.from_frames(interactions, items).summary()
    assert summary.longest_history == 3
    assert "users         2; median of their interactions: 2, longest history: 3\n" in str(summary)


def test_many_domains_and_long_names_fit_on_a_screen():
    domains = ["x" * 100, *(f"domain {n}" for n in range(30))]
    items = pd.DataFrame({"item_id": range(31), "title": "Mug", "domain": domains})
    interactions = pd.DataFrame({"user_id": ["ann"], "item_id": [0], "timestamp": [1]})
    text = str(Dataset.from_frames(interactions, items).summary())
    assert f"  domains       {'x' * 40} (1), domain 0 (1)," in text
    assert "domain 18 (1), and 11 more\n" in text


def test_a_summary_has_no_characters_that_act_on_the_terminal():
    interactions = pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": [1]})
    items = pd.DataFrame({"item_id": ["a"], "title": "Mug", "domain": "x\x1b[31m", "\x1b[2J": 1})
    name = "a\nb\x1b[31m"
    text = str(Dataset.from_frames(interactions, items, name=name).summary())
    assert text.startswith("a b\ufffd[31m\n  users")
    assert text.replace("\n", "").isprintable()
