"""Pre-training on the whole dataset must see nothing that a comparison holds out."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.studies.whole_dataset import whole_dataset, whole_sequences
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.study.cold_start import cold_items
from msm4sr_lite.study.specs import prepare
from tests.tiny_study import letters


def by_user(sequences):
    """Return each user's training interactions and those that validate, as letters."""
    first, end = sequences.cuts.T
    names = [
        "".join(sequences.items[n] for n in sequences.user_sequence(u)) for u in range(len(first))
    ]
    return {
        user: (name[:a], name[a:b])
        for user, name, a, b in zip(sequences.users, names, first, end, strict=True)
    }


def test_what_is_held_out_stays_held_out_and_the_rest_is_used():
    # x, y are too rare for the core; bob has too few interactions for it.
    interactions = letters("ann: abxcyde", "cat: baecdyx", "dan: cbade", "bob: ey")
    config = DataConfig(min_user_interactions=5, min_item_interactions=3)
    core = build_sequences(interactions, list("abcdexyz"), config)
    assert core.items[1:] == list("abcde")
    found = whole_sequences(core, interactions, list("abcdexyz"), config)
    assert found.items == ["", *"abcdexyz"]
    assert by_user(found) == {
        "ann": ("abxcy", "d"),  # d validates, e tests: x and y before them are learnt from
        "cat": ("bae", "c"),  # nothing after d, though y and x do not test
        "dan": ("cba", "d"),
        "bob": ("ey", ""),
    }
    assert len(found.cases("test")[0]) == 0


def test_a_repeated_interaction_counts_where_the_core_counts_it():
    interactions = letters("ann: abcabdef")
    for deduplicate, expected in ((True, ("cabd", "e")), (False, ("abcabd", "e"))):
        config = DataConfig(min_user_interactions=3, deduplicate=deduplicate)
        core = build_sequences(interactions, list("abcdef"), config)
        assert by_user(whole_sequences(core, interactions, list("abcdef"), config)) == {
            "ann": expected
        }


def test_several_tests_of_a_user():
    interactions = letters("ann: axbcdef", "bob: xabcdef")
    config = DataConfig(min_user_interactions=5, n_test=3)
    core = build_sequences(interactions, list("abcdef"), config)
    assert by_user(whole_sequences(core, interactions, list("abcdefx"), config)) == {
        "ann": ("axb", "c"),
        "bob": ("xab", "c"),
    }


def test_a_split_by_date_holds_for_everybody():
    """Nobody's interactions after the date are trained on, not even those of other domains."""
    interactions = letters("ann: abcdefghij", "bob: vwvwvwvwvwvw", "cat:  abcde")
    config = DataConfig(min_user_interactions=3, deduplicate=False, split="time", test_share=0.2)
    core = build_sequences(interactions, list("abcdefghij"), config)
    found = whole_sequences(core, interactions, list("abcdefghijvw"), config)
    learnt = {user: row for user, (row, _) in by_user(found).items()}
    trained = core.train()
    times = interactions.groupby("user_id")["timestamp"].apply(list)
    first = min(times[u][len(trained[n])] for n, u in enumerate(core.users) if u != "bob")
    assert len(learnt["bob"]) == first < 12
    for n, user in enumerate(core.users):
        assert learnt[user] == "".join(core.items[item] for item in trained[n])


def test_strictly_cold_items_stay_cold():
    interactions = letters("ann: abcdz", "cat: bacde", "bob: zaz")
    config = DataConfig(min_user_interactions=5)
    core = build_sequences(interactions, list("abcdez"), config)
    assert "z" in {core.items[n] for n in cold_items(core)}
    found = whole_sequences(core, interactions, list("abcdez"), config)
    assert by_user(found)["bob"] == ("a", "")


@pytest.mark.parametrize("tests", [1, 3])
def test_random_datasets_leak_nothing(tests):
    rng = np.random.default_rng(tests)
    for trial in range(20):
        rows = [
            (f"u{u}", f"i{item}", float(time), f"u{u}")
            for u in range(30)
            for time, item in enumerate(rng.permutation(15)[: rng.integers(2, 15)])
        ]
        interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "_"])
        interactions = interactions.sort_values("timestamp", kind="stable")
        items = [f"i{n}" for n in range(15)]
        config = DataConfig(min_user_interactions=tests + 3, min_item_interactions=4, n_test=tests)
        core = build_sequences(interactions, items, config)
        found = whole_sequences(core, interactions, items, config)
        secret = set(zip(core.cases("test")[0], core.held_out("test")[1], strict=True))
        secret = {(core.users[u], core.items[i]) for u, i in secret}
        whole = [
            (found.users[u], found.items[i])
            for u in range(len(found.users))
            for i in found.user_sequence(u)
        ]
        assert secret
        assert not secret & set(whole)
        learnt = {
            (found.users[u], found.items[i]) for u, row in enumerate(found.train()) for i in row
        }
        for u, item in zip(core.cases("valid")[0], core.held_out("valid")[1], strict=True):
            assert (core.users[u], core.items[item]) not in learnt, trial
        ours = {(core.users[u], core.items[i]) for u, row in enumerate(core.train()) for i in row}
        assert ours <= learnt


@pytest.fixture(scope="module")
def sample_table(sample_dataset):
    return load_feature_table(sample_dataset / "features")


def test_a_domain_can_pre_train_on_the_whole_dataset(sample_dataset, sample_table):
    config = DataConfig()
    home = prepare(Dataset.from_folder(sample_dataset, domain="home"), sample_table, config)
    found = whole_dataset(home, sample_table, config)
    assert set(home.sequences.users) < set(found.sequences.users)
    assert (home.sequences.n_items, found.sequences.n_items) == (400, 800)
    assert found.table.items == found.sequences.items
    assert len(found.sequences.cases("valid")[0]) == len(home.sequences.users)


@pytest.mark.parametrize("fewest", [0, 2])  # with 2 hardly any interaction is dropped
def test_a_dataset_compared_on_as_a_whole_adds_nothing(sample_dataset, sample_table, fewest):
    config = DataConfig(min_item_interactions=fewest)
    data = prepare(Dataset.from_folder(sample_dataset), sample_table, config)
    assert data.sequences.n_items < 800 or not fewest
    with pytest.raises(UserError, match="few further interactions to pre-train on"):
        whole_dataset(data, sample_table, config)
