"""Filters, the leave-one-out split, windows and batches."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.sequences import Sequences, pad, training_batches, windows
from msm4sr_lite.store.fingerprint import fingerprint_sequences


def interactions(*histories):
    rows = [(user, item) for user, items in histories for item in items]
    table = pd.DataFrame(rows, columns=["user_id", "item_id"])
    return table.assign(timestamp=np.arange(len(table), dtype=float))


def names(sequences, numbers):
    return "".join(sequences.items[i] for i in numbers)


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


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_test": 0}, "n_test must be an integer >= 1 and <= 1000000; got 0"),
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


def test_users_with_one_interaction_leave_and_all_leaving_is_an_error():
    table = interactions(("one", "a"), ("many", "abcde"))
    assert build_sequences(table, list("abcde")).users == ["many"]
    with pytest.raises(
        UserError,
        match=r"no user has 5 or more .*\(users in the dataset: 1\); .*lower min_user_interactions",
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


def test_a_first_interaction_is_no_test_case():
    """It has no history, even if the split holds out all of a user's interactions."""
    items, interactions = ["", "a", "b", "c"], np.array([1, 2, 3, 1, 2, 3])
    cuts = np.array([[0, 1], [1, 2]])  # the first user's first interaction is in the part valid
    sequences = Sequences(["u", "v"], items, interactions, np.array([0, 3, 6]), cuts)
    users, positions = sequences.cases("valid")
    assert (users.tolist(), positions.tolist()) == ([1], [1])
    users, positions = sequences.cases("test")
    assert (users.tolist(), positions.tolist()) == ([0, 0, 1], [1, 2, 2])
