"""Fingerprints and stamps change with what they stand for."""

import os
from pathlib import Path

import pandas as pd
import pytest
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.store.fingerprint import (
    file_stamp,
    fingerprint,
    fingerprint_interactions,
    fingerprint_sequences,
    fingerprint_weights,
    folder_stamp,
    require_same,
    versions,
)


def test_a_fingerprint_depends_on_values_and_not_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint(Path("x")) == fingerprint("x")
    assert len(fingerprint(None)) == 16


def test_a_stamp_notices_another_size_or_time(tmp_path):
    path = tmp_path / "x"
    assert file_stamp(path) is None
    path.write_text("one")
    os.utime(path, (1, 1))
    first = file_stamp(path)
    path.write_text("two!")
    os.utime(path, (1, 1))
    second = file_stamp(path)
    os.utime(path, (2, 2))
    assert len({first, second, file_stamp(path)}) == 3


def test_a_model_folder_has_a_stamp_and_a_hub_id_has_none(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x").write_text("x")
    assert list(folder_stamp(str(tmp_path))) == ["sub/x"]
    assert folder_stamp("sentence-transformers/all-MiniLM-L6-v2") == {}


def test_encoders_are_the_same_if_nothing_that_both_name_differs():
    one = {"weights": "a", "pooling": "mean", "name": "x"}
    require_same("it differs", one, {"weights": "a", "prompt": "{}", "name": "y"}, "do this")
    message = r"^it differs in pooling \(mean, not cls\); do this$"
    with pytest.raises(UserError, match=message):
        require_same("it differs", one, {"pooling": "cls"}, "do this")


def test_versions_name_this_library_first():
    assert list(versions("numpy")) == ["msm4sr_lite", "numpy"]


def sequences(items, order):
    frame = pd.DataFrame({"user_id": "u", "item_id": list(items), "timestamp": range(len(items))})
    return build_sequences(frame, list(order))


def test_sequences_are_known_by_their_items_and_their_order():
    one, same = sequences("abcde", "abcde"), sequences("abcde", "abcde")
    assert fingerprint_sequences(one) == fingerprint_sequences(same)
    other, reordered = sequences("abced", "abcde"), sequences("abcde", "edcba")
    for fingerprint_of in (fingerprint_sequences, fingerprint_interactions):
        assert fingerprint_of(one) != fingerprint_of(other)
    assert fingerprint_sequences(one) != fingerprint_sequences(reordered)
    assert fingerprint_interactions(one) == fingerprint_interactions(reordered)


def test_a_changed_weight_is_seen():
    model = torch.nn.Linear(2, 1)
    before = fingerprint_weights(model)
    assert before == fingerprint_weights(model)
    with torch.no_grad():
        model.weight[0, 0] += 1
    assert before != fingerprint_weights(model)


@pytest.mark.parametrize("name", ["missing", "x" * 300, "a\0b", "."])
def test_what_is_no_file_has_no_stamp(name, tmp_path):
    assert file_stamp(tmp_path / name) is None
