"""Cold items: which they are, how items are made cold, how models are compared on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.sequences import training_batches
from msm4sr_lite.study.cold_start import (
    buckets,
    cold_items,
    cold_table,
    with_cold_items,
    without_items,
)
from msm4sr_lite.study.compare import Comparison
from msm4sr_lite.study.models import MODELS
from tests.tiny_study import SHORT, sequences_of
from tests.toys import toy_sequences

ROWS = [[1, 2, 3, 7], [2, 1, 4, 8], [3, 2, 1, 4, 5], [1, 3, 2, 6, 7]]
TOY = sequences_of(ROWS, n_items=9)


def test_cold_items_are_in_no_history():
    assert cold_items(TOY).tolist() == [5, 7, 8, 9]  # 6 and 4 are validation items
    assert TOY.item_counts().tolist() == [0, 4, 4, 2, 0, 0, 0, 0, 0, 0]


def test_buckets_hold_every_value_once():
    values = np.array([0, 1, 2, 3, 5, 6, 10, 11, 99])
    found = buckets(values, (0, 1, 3, 6, 11))
    assert {name: values[rows].tolist() for name, rows in found.items()} == {
        "0": [0], "1-2": [1, 2], "3-5": [3, 5], "6-10": [6, 10], "11+": [11, 99]
    }  # fmt: skip


class TestWithoutItems:
    sequences = toy_sequences([7, 9, 5, 8, 6, 4, 3, 10] * 4, n_items=30, seed=3)

    def test_drawn_items_are_nowhere_in_training_or_validation(self):
        """No leak: neither an input nor a target of any batch, nor a validation item."""
        found, drawn = without_items(self.sequences, 0.3, seed=1)
        assert len(drawn) == 9
        generator = torch.Generator().manual_seed(0)
        for kind in (False, True):
            for batch in training_batches(found, 6, 16, generator, kind):
                assert not np.isin(batch.items.numpy(), drawn).any()
                assert not np.isin(batch.targets.numpy(), drawn).any()
        assert not np.isin(found.held_out("valid")[1], drawn).any()
        assert set(drawn) <= set(cold_items(found))

    def test_test_targets_and_the_order_stay(self):
        found, drawn = without_items(self.sequences, 0.3, seed=1)
        left = dict(zip(found.users, range(len(found.users)), strict=True))
        kept_cold = 0
        for number, user in enumerate(self.sequences.users):
            whole = self.sequences.user_sequence(number)
            expected = [i for i in whole[:-1] if i not in drawn] + [whole[-1]]
            assert (user in left) == (len(expected) >= 3)
            if user in left:
                assert found.user_sequence(left[user]).tolist() == expected
                kept_cold += whole[-1] in drawn
        assert kept_cold > 0
        assert found.items == self.sequences.items

    def test_the_seed_decides(self):
        one, two, other = (without_items(self.sequences, 0.2, seed)[1] for seed in (1, 1, 2))
        assert one.tolist() == two.tolist() != other.tolist()

    def test_an_error_says_if_no_user_is_left(self):
        with pytest.raises(UserError, match="no user has three interactions left"):
            without_items(sequences_of([[1, 2, 3], [4, 5, 6]], 6), 0.99)

    @pytest.mark.parametrize("fraction", [-1, 0, 1, 2.0, float("nan")])
    def test_a_fraction_out_of_range_is_refused(self, fraction):
        with pytest.raises(UserError, match="fraction must be above 0 and below 1; got"):
            without_items(self.sequences, fraction)


def test_test_cases_are_split_by_popularity_and_history_length(data, tmp_path):
    data = replace(data, sequences=toy_sequences([6, 5, 6, 4, 5], n_items=19))
    study = Comparison(data, tmp_path, SHORT, MODELS)
    found = {"popularity": [study.run("popularity", {}, 0, "test")]}
    table = cold_table(data, found)
    _, targets = data.sequences.held_out("test")
    counts = data.sequences.item_counts()[targets]
    assert sum(table["counts"]["by_popularity"].values()) == len(targets)
    assert table["counts"]["by_popularity"]["0"] == (counts == 0).sum()
    assert sum(table["counts"]["by_history"].values()) == len(targets)
    ranks = np.array(found["popularity"][0]["filter_seen"])
    found_by = table["models"]["popularity"]["by_popularity"]
    for label, (low, high) in {"0": (0, 0), "1-2": (1, 2), "3-5": (3, 5)}.items():
        rows = (counts >= low) & (counts <= high)
        assert table["counts"]["by_popularity"][label] == rows.sum()
        if not rows.any():
            assert label not in found_by
            continue
        expected = metrics(ranks[rows], [10])["ndcg@10"].mean()
        assert found_by[label]["ndcg@10"]["value"] == pytest.approx(expected, abs=1e-6)


def test_a_dataset_without_cold_items_gets_some(data):
    busy = replace(data, sequences=toy_sequences([12] * 40, n_items=19))
    same, made = with_cold_items(busy, fewest=0)
    assert (same, made) == (busy, False)
    fewer, made = with_cold_items(busy)
    assert made
    cold = cold_items(fewer.sequences)
    assert len(cold) >= 3
    assert not np.isin(np.concatenate(fewer.sequences.train()), cold).any()
    assert fewer.table is busy.table
