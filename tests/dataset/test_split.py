"""Filters and splits: what is kept, what is held out, and that nothing held out is trained on."""

import numpy as np
import pandas as pd
import pytest
import torch

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.sequences import training_batches
from msm4sr_lite.store.fingerprint import fingerprint_sequences


def table_of(*histories):
    rows = [(user, item) for user, items in histories for item in items]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def names(sequences, numbers):
    return "".join(sequences.items[i] for i in numbers)


def test_split_is_leave_one_out():
    sequences = build_sequences(table_of(("u", "abcdef")), list("fedcba"))
    assert sequences.items == ["", "f", "e", "d", "c", "b", "a"]
    assert [names(sequences, s) for s in sequences.train()] == ["abcd"]
    histories, targets = sequences.held_out("valid")
    assert (names(sequences, histories[0]), names(sequences, targets)) == ("abcd", "e")
    histories, targets = sequences.held_out("test")
    assert (names(sequences, histories[0]), names(sequences, targets)) == ("abcde", "f")


def test_several_test_cases_per_user_have_their_true_prefixes():
    table = table_of(("u", "abcdef"), ("v", "fedcb"))
    s = build_sequences(table, list("abcdef"), DataConfig(n_test=3))
    assert [names(s, row) for row in s.train()] == ["ab", "f"]
    histories, targets = s.held_out("valid")
    assert [names(s, h) for h in histories] == ["ab", "f"]
    assert names(s, targets) == "ce"
    histories, targets = s.held_out("test")
    assert [names(s, h) for h in histories] == ["abc", "abcd", "abcde", "fe", "fed", "fedc"]
    assert names(s, targets) == "defdcb"
    assert s.cases("test")[0].tolist() == [0, 0, 0, 1, 1, 1]
    assert s.training_targets() == 1
    assert fingerprint_sequences(s) != fingerprint_sequences(build_sequences(table, list("abcdef")))


def test_split_by_date():
    rows = [("u", "a", 0), ("v", "f", 1), ("u", "b", 2), ("v", "e", 3), ("u", "c", 4)]
    rows += [("w", "a", 5), ("u", "d", 6), ("w", "b", 7), ("v", "d", 8), ("w", "c", 9)]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    config = DataConfig(min_user_interactions=3, split="time", test_share=0.3)  # dates 3.6 and 6.3
    s = build_sequences(table, list("abcdef"), config)
    assert [names(s, row) for row in s.train()] == ["ab", "fe", ""]
    histories, targets = s.held_out("valid")  # w's first interaction has no history: no test case
    assert [(names(s, h), s.items[i]) for h, i in zip(histories, targets, strict=True)] == [
        ("ab", "c"),
        ("abc", "d"),
    ]
    histories, targets = s.held_out("test")
    assert [names(s, h) for h in histories] == ["fe", "a", "ab"]
    assert names(s, targets) == "dbc"
    assert s.cases("test")[0].tolist() == [1, 2, 2]


@pytest.mark.parametrize("config", [DataConfig(), DataConfig(n_test=2), DataConfig(split="time")])
def test_no_held_out_interaction_is_trained_on(config):
    rng = np.random.default_rng(3)
    rows = [(f"u{u}", f"i{i}") for u in range(12) for i in rng.permutation(30)[:9]]
    table = pd.DataFrame(rows, columns=["user_id", "item_id"])
    table = table.assign(timestamp=rng.random(len(table))).sort_values("timestamp")
    s = build_sequences(table, [f"i{i}" for i in range(30)], config)
    seen = {(user, item) for user, row in enumerate(s.train()) for item in row.tolist()}
    assert seen
    for batch in training_batches(s, 50, 64, torch.Generator()):
        for user, *rows in zip(batch.users.tolist(), batch.items, batch.targets, strict=True):
            assert {(user, item) for row in rows for item in row.tolist() if item} <= seen
    held_out = set()
    for part in ("valid", "test"):
        users, places = s.cases(part)
        histories, targets = s.held_out(part)
        for user, place, history, target in zip(users, places, histories, targets, strict=True):
            held_out.add((int(user), int(target)))
            assert history.tolist() == s.user_sequence(user)[:place].tolist()
            assert target == s.user_sequence(user)[place]
    assert held_out
    assert not held_out & seen


def test_of_repeated_interactions_the_last_is_kept():
    table = table_of(("u", "abcadeb"))
    s = build_sequences(table, list("abcde"))
    assert names(s, s.user_sequence(0)) == "cadeb"
    s = build_sequences(table, list("abcde"), DataConfig(deduplicate=False))
    assert names(s, s.user_sequence(0)) == "abcadeb"


def test_filters_repeat_until_nothing_changes():
    # Without x, which only u3 has, u3 is too short; without u3, e is too rare.
    table = table_of(("u1", "abcd"), ("u2", "abcde"), ("u3", "abex"))
    s = build_sequences(
        table, list("abcdex"), DataConfig(min_user_interactions=4, min_item_interactions=2)
    )
    assert s.users == ["u1", "u2"]
    assert s.items[1:] == list("abcd")
    assert s.interactions.min() == 1
    assert s.interactions.max() == 4


def test_items_without_interactions_stay_candidates_without_item_filter():
    s = build_sequences(table_of(("u", "abcde")), [*"abcde", "new"])
    assert s.items[-1] == "new"
    assert s.n_items == 6


def test_short_histories_are_dropped_and_nobody_left_is_an_error():
    table = table_of(("one", "a"), ("many", "abcde"))
    assert build_sequences(table, list("abcde")).users == ["many"]
    with pytest.raises(
        UserError,
        match=r"no user has 5 or more different items \(1 users in the dataset\); .*lower min_",
    ):
        build_sequences(table_of(("one", "a")), ["a"])


def test_the_message_names_the_item_filter():
    config = DataConfig(min_item_interactions=2, deduplicate=False)
    message = r"5 or more interactions .* lower min_user_interactions .* or min_item_interactions"
    with pytest.raises(UserError, match=message):
        build_sequences(table_of(("u", "abcde")), list("abcde"), config)
