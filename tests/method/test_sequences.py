"""Filters, the leave-one-out split, windows and batches."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.sequences import pad, training_batches, windows
from msm4sr_lite.store.fingerprint import fingerprint_sequences


def interactions(*histories):
    rows = [(user, item) for user, items in histories for item in items]
    table = pd.DataFrame(rows, columns=["user_id", "item_id"])
    return table.assign(timestamp=np.arange(len(table), dtype=float))


def names(sequences, numbers):
    return "".join(sequences.items[i] for i in numbers)


def test_split_is_leave_one_out():
    sequences = build_sequences(interactions(("u", "abcdef")), list("fedcba"))
    assert sequences.items == ["", "f", "e", "d", "c", "b", "a"]
    assert [names(sequences, s) for s in sequences.train()] == ["abcd"]
    histories, targets = sequences.held_out("valid")
    assert (names(sequences, histories[0]), names(sequences, targets)) == ("abcd", "e")
    histories, targets = sequences.held_out("test")
    assert (names(sequences, histories[0]), names(sequences, targets)) == ("abcde", "f")


def test_several_test_cases_of_each_user_have_their_true_prefixes():
    table = interactions(("u", "abcdef"), ("v", "fedcb"))
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
    other = build_sequences(table, list("abcdef"))
    assert fingerprint_sequences(s) != fingerprint_sequences(other)


def test_split_by_date():
    rows = [("u", "a", 0), ("v", "f", 1), ("u", "b", 2), ("v", "e", 3), ("u", "c", 4)]
    rows += [("w", "a", 5), ("u", "d", 6), ("w", "b", 7), ("v", "d", 8), ("w", "c", 9)]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    config = DataConfig(min_user_interactions=3, split="time", test_share=0.3)  # dates 3.6 and 6.3
    s = build_sequences(table, list("abcdef"), config)
    assert [names(s, row) for row in s.train()] == ["ab", "fe", ""]
    histories, targets = s.held_out("valid")  # w's first interaction has no history: no case
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
    asked = set()
    for part in ("valid", "test"):
        users, places = s.cases(part)
        histories, targets = s.held_out(part)
        for user, place, history, target in zip(users, places, histories, targets, strict=True):
            asked.add((int(user), int(target)))
            assert history.tolist() == s.user_sequence(user)[:place].tolist()
            assert target == s.user_sequence(user)[place]
    assert asked
    assert not asked & seen


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_test": 0}, "n_test must be an integer >= 1; got 0"),
        (
            {"n_test": 4},
            "min_user_interactions must be at least 6 .*one for validation, 4 for testing.* got 5",
        ),
        ({"test_share": 0.5}, "test_share must be a number > 0 and < 0.5; got 0.5"),
    ],
)
def test_splits_that_cannot_be(wrong, message):
    with pytest.raises(UserError, match=message):
        DataConfig(**wrong)


def test_deduplication_keeps_the_last_interaction():
    table = interactions(("u", "abcadeb"))
    s = build_sequences(table, list("abcde"))
    assert names(s, s.user_sequence(0)) == "cadeb"
    s = build_sequences(table, list("abcde"), DataConfig(deduplicate=False))
    assert names(s, s.user_sequence(0)) == "abcadeb"


def test_filters_repeat_until_nothing_changes():
    # Without x, which only u3 has, u3 is too short; without u3, e occurs too rarely.
    table = interactions(("u1", "abcd"), ("u2", "abcde"), ("u3", "abex"))
    s = build_sequences(
        table, list("abcdex"), DataConfig(min_user_interactions=4, min_item_interactions=2)
    )
    assert s.users == ["u1", "u2"]
    assert s.items[1:] == list("abcd")
    assert s.interactions.min() == 1
    assert s.interactions.max() == 4


def test_items_without_interactions_stay_candidates_without_item_filter():
    s = build_sequences(interactions(("u", "abcde")), [*"abcde", "unseen"])
    assert s.items[-1] == "unseen"
    assert s.n_items == 6


def test_users_with_one_interaction_leave_and_all_leaving_is_an_error():
    table = interactions(("one", "a"), ("many", "abcde"))
    assert build_sequences(table, list("abcde")).users == ["many"]
    with pytest.raises(
        UserError,
        match=r"no user has 5 or more .*\(1 users in the dataset\); .*lower min_user_interactions",
    ):
        build_sequences(interactions(("one", "a")), ["a"])


def test_too_small_user_min():
    with pytest.raises(UserError, match=r"min_user_interactions must be at least 3 .* got 2"):
        DataConfig(min_user_interactions=2)


@given(st.integers(2, 60), st.integers(1, 17))
def test_windows_make_every_item_but_the_first_a_target_once(length, max_len):
    sequence = np.arange(1, length + 1)
    cut = windows(sequence, max_len)
    assert np.concatenate([w[1:] for w in cut]).tolist() == list(range(2, length + 1))
    assert all(len(w) <= max_len + 1 for w in cut)
    assert len(cut[-1]) == min(max_len + 1, length)  # the newest has the longest history


def test_pad_keeps_the_newest():
    assert pad([np.array([1, 2, 3]), np.array([4])], 2).tolist() == [[2, 3], [4, 0]]


def test_batches_hold_every_training_target_once_and_no_other():
    rng = np.random.default_rng(0)
    histories = [(f"u{i}", [f"i{j}" for j in rng.permutation(30)[: 5 + i]]) for i in range(11)]
    s = build_sequences(interactions(*histories), [f"i{j}" for j in range(30)])
    seen = set()
    for batch in training_batches(s, 4, 7, torch.Generator()):
        assert batch.items.shape == batch.targets.shape
        assert batch.items.shape[1] <= 4
        assert torch.equal(batch.items > 0, batch.targets > 0)
        for user, items, targets in zip(batch.users, batch.items, batch.targets, strict=True):
            history = s.user_sequence(int(user)).tolist()
            for item, target in zip(items.tolist(), targets.tolist(), strict=True):
                if target:
                    assert history.index(target) == history.index(item) + 1
                    seen.add((int(user), target))
    assert seen == {(u, int(i)) for u in range(len(s.users)) for i in s.user_sequence(u)[1:-2]}


def test_prefix_rows_end_before_their_one_target():
    s = build_sequences(interactions(("u", "abcdefg"), ("v", "gfedc")), list("abcdefg"))
    batch = next(training_batches(s, 3, 99, torch.Generator(), prefix_augmentation=True))
    seen = []
    for items, targets in zip(batch.items, batch.targets, strict=True):
        assert (targets > 0).sum() == 1
        last = int((items > 0).sum()) - 1
        assert targets[last] > 0
        seen.append((names(s, items[: last + 1]), names(s, [targets[last]])))
    assert sorted(seen) == [
        ("a", "b"), ("ab", "c"), ("abc", "d"), ("bcd", "e"), ("g", "f"), ("gf", "e"),
    ]  # fmt: skip
