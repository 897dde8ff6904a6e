"""Models compared on cold and rare items."""

from dataclasses import replace

import numpy as np
import pytest

from msm4sr_lite.evaluation import metrics
from msm4sr_lite.study.cold_start import cold_items
from msm4sr_lite.study.cold_table import cold_table, with_cold_items
from msm4sr_lite.study.compare import Comparison
from tests.tiny_study import SHORT
from tests.toys import toy_sequences


def test_test_cases_are_split_by_popularity_and_history_length(data, tmp_path):
    data = replace(data, sequences=toy_sequences([6, 5, 6, 4, 5], n_items=19))
    study = Comparison(data, tmp_path, SHORT)
    found = {"popularity": [study.run("popularity", {}, 0, "test")]}
    table = cold_table(data, found)
    _, targets = data.sequences.held_out("test")
    counts = data.interaction_counts[targets]
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
