"""Filters and splits: what is kept, what is held out, and that nothing held out is trained on."""

from dataclasses import replace

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
    config = DataConfig(min_user_interactions=0, split="time", test_share=0.3)  # dates 3.6 and 6.3
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
    fixed = replace(config, valid_from="3.5", test_from="7")
    assert build_sequences(table, list("abcdef"), fixed).bounds().tolist() == s.bounds().tolist()
    # With a filter, users without enough training interactions are not evaluated either.
    assert build_sequences(
        table, list("abcdef"), replace(config, min_user_interactions=1)
    ).users == [
        "u",
        "v",
    ]


def late(*rows, **settings):
    """Split by the date 10; the settings are those of the filters."""
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    table = table.sort_values("timestamp", kind="stable")
    settings = {"valid_from": "10", "test_from": "20", "split": "time"} | settings
    if settings["split"] == "time":
        settings = {"min_user_interactions": 0} | settings
    return build_sequences(table, list("abcdef"), DataConfig(**settings))


BEFORE = [("u", "a", 1), ("v", "a", 2), ("u", "b", 3), ("v", "b", 4), ("u", "c", 5), ("v", "d", 6)]
AFTER = [("u", "d", 10), ("v", "e", 11), ("u", "e", 20), ("v", "f", 21)]


@pytest.mark.parametrize(
    "added",
    [
        [("u", "a", 12), ("u", "a", 22)],  # repeats: the first a must stay in training
        [("u", "f", 12)] * 3 + [("w", "a", 30)],
        [("w", item, 12 + i) for i, item in enumerate("abcdef")],
    ],
)
@pytest.mark.parametrize("deduplicate", [True, False])
@pytest.mark.parametrize(("per_user", "per_item"), [(0, 0), (3, 0), (0, 2), (2, 2)])
def test_training_does_not_depend_on_what_is_held_out(added, deduplicate, per_user, per_item):
    settings = {"deduplicate": deduplicate}
    settings |= {"min_user_interactions": per_user, "min_item_interactions": per_item}
    alone, more = (late(*BEFORE, *AFTER, *rows, **settings) for rows in ([], added))

    def trained(s):
        return {
            user: names(s, row) for user, row in zip(s.users, s.train(), strict=True) if len(row)
        }

    assert trained(alone) == trained(more)
    assert trained(alone)["u"]


def test_held_out_interactions_with_known_items_are_dropped_only_if_asked():
    repeats = [("u", "a", 12), ("u", "d", 13), ("u", "a", 22)]
    once = late(*BEFORE, *AFTER, *repeats)
    assert names(once, once.user_sequence(0)) == "abcde"
    every = late(*BEFORE, *AFTER, *repeats, deduplicate=False)
    assert names(every, every.user_sequence(0)) == "abcdadea"


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (
            [*BEFORE, *AFTER],
            {"valid_from": "30", "test_from": "40"},
            "no interaction is in the val",
        ),
        ([*BEFORE, *AFTER], {"valid_from": "0"}, "no interaction is in the training part"),
        (BEFORE, {"valid_from": "3"}, "no interaction is in the test part"),
        ([*BEFORE, *AFTER], {"valid_from": "20", "test_from": "10"}, "must come before testing"),
        ([*BEFORE, *AFTER], {"valid_from": "soon"}, "valid_from 'soon': timestamp 'soon' is"),
        ([*BEFORE, *AFTER], {"min_user_interactions": 4}, "no user has 4 .* in the training part"),
        (  # most have the same time: the shares cannot be kept
            [("u", item, 5) for item in "abcdef"] + [("v", item, 5) for item in "bcd"],
            {"valid_from": "", "test_from": ""},
            "no interaction is in the training part",
        ),
        (
            [(user, item, i) for user in "uvw" for i, item in enumerate("abcd")],
            {"valid_from": "", "test_from": ""},
            "the first is 0. count each user.*split=leave_one_out, or set",
        ),
        (
            [("u", "a", 7), ("v", "b", 7), ("w", "a", 7), ("u", "b", 8), ("v", "c", 12)],
            {"test_from": ""},
            "the first is 7. count each user",
        ),
        (  # counters of which the first rows of some users are missing
            [(user, item, i + (user == "w")) for user in "uvw" for i, item in enumerate("abcd")],
            {"valid_from": "", "test_from": ""},
            "count each user",
        ),
        ([*BEFORE, *AFTER], {"split": "leave_one_out"}, "are for split=time; split is leave_one"),
    ],
)
def test_splits_by_date_that_would_mislead_are_refused(rows, settings, message):
    with pytest.raises(UserError, match=message):
        late(*rows, **settings)


def test_dates_are_written_as_dates():
    rows = [("u", "a", 1.6e9), ("u", "b", 1.65e9), ("u", "c", 1.7e9)]
    with pytest.raises(UserError, match=r"from 2020-09-13 on and testing from 2022-01-01 on"):
        late(*rows, valid_from="2020-09-13", test_from="2022-01-01")
    s = late(*rows, valid_from="2022-01-01", test_from="2023-01-01T00:00:00+01:00")
    assert s.bounds().T.tolist() == [[1, 2, 3]]
    assert late(*rows, valid_from="2022", test_from="2023").bounds().T.tolist() == [[1, 2, 3]]


def test_users_who_start_together_can_be_split_at_given_dates():
    rows = [(user, item, i) for user in "uvw" for i, item in enumerate("abcd")]
    s = late(*rows, valid_from="2", test_from="3")
    assert s.bounds()[:, 0].tolist() == [2, 3, 4]
    day = 86_400  # a cohort that starts on one day
    rows = [(user, item, 1.6e9 + i * day) for user in "uvw" for i, item in enumerate("abcdef")]
    s = late(*rows, valid_from="", test_from="", test_share=0.2)
    assert s.bounds()[:, 0].tolist() == [3, 4, 6]


def test_nothing_held_out_filters_everything():
    table = table_of(("u", "abcda"), ("v", "ab"))
    config = DataConfig(min_user_interactions=4)
    s = build_sequences(table, list("abcd"), config, hold_out=False)
    assert [names(s, row) for row in s.train()] == ["bcda"]
    assert len(s.cases("valid")[0]) == len(s.cases("test")[0]) == 0


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
        match=r"no user has 5 or more different items \(users in the dataset: 1\); .*lower min_",
    ):
        build_sequences(table_of(("one", "a")), ["a"])


def test_the_message_names_the_item_filter():
    config = DataConfig(min_item_interactions=2, deduplicate=False)
    message = r"5 or more interactions .* lower min_user_interactions .* or min_item_interactions"
    with pytest.raises(UserError, match=message):
        build_sequences(table_of(("u", "abcde")), list("abcde"), config)


def test_a_frame_is_sorted_by_time_and_equal_times_keep_their_order():
    table = table_of(("u", "abcdef")).assign(timestamp=[3, 1, 2, 2, 1, 9])
    s = build_sequences(table, list("abcdef"))
    assert names(s, s.user_sequence(0)) == "becdaf"


TABLE = table_of(("u", "abcdef"))


@pytest.mark.parametrize(
    ("table", "items", "settings", "message"),
    [
        (TABLE, "abcdefa", {}, "item_ids has an empty id or one id twice"),
        (TABLE, ["", *"abcdef"], {}, "item_ids has an empty id"),
        (TABLE, "abcdef", {"split": "time"}, "no column timestamp; needed are user_id, item_id, t"),
        (TABLE.drop(columns="user_id"), "abcdef", {}, "no column user_id"),
        (TABLE.assign(user_id=None), "abcdef", {}, "the column user_id has empty cells"),
        (TABLE.assign(timestamp=np.nan), "abcdef", {}, "the column timestamp has empty cells"),
        (TABLE.assign(timestamp=[*"fedcba"]), "abcdef", {}, "timestamps must be numbers"),
        (TABLE.assign(item_id=range(6)), "012345", {}, "has an item of item_ids; write both as"),
    ],
)
def test_frames_that_cannot_be_meant_are_refused(table, items, settings, message):
    with pytest.raises(UserError, match=message):
        build_sequences(table, [*items], DataConfig(**settings))


@pytest.mark.parametrize(
    ("parts", "missing"),
    [(["valid"] * 3 + ["test"] * 3, "train"), (["train"] * 6, "valid or test")],
)
def test_a_given_split_without_training_or_held_out_part_is_refused(parts, missing):
    table = TABLE.assign(part=parts)
    with pytest.raises(UserError, match=f"no interaction is in the part {missing}; add some"):
        build_sequences(table, [*"abcdef"], DataConfig(split="part", min_user_interactions=0))


@pytest.mark.parametrize(
    "time",
    [
        lambda user, place: 1.5e9 + place,
        lambda user, place: 1.5e9 + place / 1000,
        lambda user, place: user + 3 * place,
    ],
)
def test_counters_in_any_unit_are_no_times(time):
    rows = [(f"u{u}", item, time(u, i)) for u in range(3) for i, item in enumerate("abcdef")]
    with pytest.raises(UserError, match="count each user's interactions and are no times"):
        late(*rows, valid_from="", test_from="")
