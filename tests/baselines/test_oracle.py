"""Oracles are read from the file beside a dataset if they fit its test cases exactly."""

from dataclasses import replace

import numpy as np
import pytest

from msm4sr_lite.baselines.oracle import history_hash, load_oracles
from msm4sr_lite.config import UserError
from tests.toys import toy_sequences

KINDS = ("oracle", "content")


@pytest.fixture
def sequences():
    return toy_sequences([5, 4, 6], n_items=9)


@pytest.fixture
def folder(sequences, tmp_path):
    """A folder whose oracle file fits ``sequences``; items are in another order there."""
    rng = np.random.default_rng(0)
    items, order = sequences.items[1:], rng.permutation(9)
    histories, _ = sequences.held_out("test")
    hashes = [history_hash([sequences.items[i] for i in history]) for history in histories]
    arrays = {
        "user_ids": np.array(sequences.users)[::-1],
        "item_ids": np.array(items)[order],
        "history_length": np.array([len(h) for h in histories], dtype=np.int32)[::-1],
        "history_hash": np.array(hashes, dtype=np.uint64)[::-1],
    }
    for kind in KINDS:
        arrays[f"{kind}_states"] = rng.random((3, 2)).astype(np.float32)
        arrays[f"{kind}_weights"] = rng.random((2, 9)).astype(np.float32)
    np.savez_compressed(tmp_path / "oracle.npz", **arrays)
    return tmp_path


def change(folder, **arrays):
    with np.load(folder / "oracle.npz") as file:
        stored = {name: file[name] for name in file.files}
    np.savez_compressed(folder / "oracle.npz", **{**stored, **arrays})
    return stored


def test_probabilities_are_states_times_weights_without_the_history(folder, sequences):
    stored, oracles = change(folder), load_oracles(folder, sequences)
    assert set(oracles) == set(KINDS)
    histories, _ = sequences.held_out("test")
    for kind, oracle in oracles.items():
        found = oracle.score(histories[1:]).numpy()
        assert found.shape == (2, 10)
        for row, user in enumerate((1, 2)):
            states = stored[f"{kind}_states"][2 - user].astype(np.float64)
            product = states @ stored[f"{kind}_weights"].astype(np.float64)
            by_item = dict(zip(stored["item_ids"].tolist(), product, strict=True))
            for number in range(1, 10):
                expected = 0 if number in histories[user] else by_item[sequences.items[number]]
                assert found[row, number] == pytest.approx(expected, abs=1e-12)
        assert not found[:, 0].any()


def test_no_folder_and_no_file_have_no_oracle(sequences, tmp_path):
    assert load_oracles(None, sequences) == {}
    assert load_oracles(tmp_path, sequences) == {}


def test_another_split_has_no_oracle(folder, sequences):
    cuts = np.diff(sequences.offsets)[:, None] - [3, 2]
    assert load_oracles(folder, replace(sequences, cuts=cuts)) == {}


def test_one_other_history_is_enough_for_no_oracle(folder, sequences):
    interactions = sequences.interactions.copy()
    interactions[[0, 1]] = interactions[[1, 0]]
    assert load_oracles(folder, replace(sequences, interactions=interactions)) == {}


def test_fewer_users_have_an_oracle_and_unknown_ones_have_none(folder, sequences):
    end = sequences.offsets[2]
    fewer = replace(
        sequences,
        users=sequences.users[:2],
        interactions=sequences.interactions[:end],
        offsets=sequences.offsets[:3],
    )
    assert set(load_oracles(folder, fewer)) == set(KINDS)
    assert load_oracles(folder, replace(fewer, users=["u0", "stranger"])) == {}


def test_an_item_that_could_come_next_must_not_be_missing(folder, sequences):
    histories, _ = sequences.held_out("test")
    seen = np.unique(np.concatenate([sequences.interactions, *histories]))
    last = next(n for n in range(9, 0, -1) if n not in seen) if len(seen) < 9 else None
    if last is None:
        sequences.interactions[sequences.interactions == 9] = 8
        last = 9
    items = [item for number, item in enumerate(sequences.items) if number != last]
    number = np.array([n - (n > last) for n in sequences.interactions])
    fewer = replace(sequences, items=items, interactions=number)
    stored = change(folder)
    hashes = [history_hash([items[i] for i in history]) for history in fewer.held_out("test")[0]]
    change(folder, history_hash=np.array(hashes, dtype=np.uint64)[::-1])
    assert load_oracles(folder, fewer) == {}
    impossible = {}
    for kind in KINDS:  # an item of another domain: nobody in these sequences could choose it
        weights = stored[f"{kind}_weights"].copy()
        weights[:, stored["item_ids"].tolist().index(sequences.items[last])] = 0
        impossible[f"{kind}_weights"] = weights
    change(folder, **impossible)
    assert set(load_oracles(folder, fewer)) == set(KINDS)


def test_other_histories_cannot_be_scored(folder, sequences):
    oracle = load_oracles(folder, sequences)["oracle"]
    with pytest.raises(UserError, match="an oracle scores only the test histories"):
        oracle.score([np.array([1, 2, 3])])


def test_a_broken_file_is_named(folder, sequences):
    (folder / "oracle.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"oracle\.npz: cannot be read"):
        load_oracles(folder, sequences)
