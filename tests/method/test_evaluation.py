"""Ranks, metrics, intervals, baselines."""

import math

import numpy as np
import pytest
import torch

from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import (
    metrics,
    summarise,
    target_ranks,
)
from msm4sr_lite.scoring import ModelScorer
from tests.toys import toy_table


class Fixed:
    """A scorer that returns the rows it was given."""

    def __init__(self, rows):
        self.rows, self.at = torch.tensor(rows), 0

    def score(self, histories):
        self.at += len(histories)
        return self.rows[self.at - len(histories) : self.at]


def ranks(rows, targets, histories=None, **options):
    histories = histories or [np.array([1])] * len(rows)
    return target_ranks(Fixed(rows), histories, np.array(targets), **options).tolist()


def test_ranks_by_hand():
    rows = [[9.0, 0.1, 0.5, 0.3], [9.0, 0.1, 0.5, 0.3]]
    assert ranks(rows, [2, 1]) == [1, 3]  # column 0, padding, never competes


def test_ties_count_against_the_target():
    assert ranks([[0.0, 1.0, 1.0, 1.0, 0.0]], [2]) == [3]
    assert ranks([[0.0] * 5], [4]) == [4]


def test_a_score_that_is_no_number_ranks_last():
    assert ranks([[0.0, math.nan, 1.0, 2.0]], [1]) == [3]
    assert ranks([[0.0, math.nan, 1.0, 2.0]], [2]) == [2]


def test_history_is_masked_only_when_asked_and_never_the_target():
    rows, history = [[0.0, 5.0, 4.0, 3.0]], [np.array([1, 3])]
    assert ranks(rows, [2], history) == [2]
    assert ranks(rows, [2], history, filter_seen=True) == [1]
    assert ranks(rows, [3], history, filter_seen=True) == [2]


def test_only_candidates_compete_with_the_target():
    rows = [[9.0, 5.0, 4.0, 3.0, 6.0]]
    assert ranks(rows, [3]) == [4]
    assert ranks(rows, [3], candidates=np.array([1, 2])) == [3]
    assert ranks(rows, [3], candidates=np.array([3, 4])) == [2]
    assert ranks(rows, [3], [np.array([4])], candidates=np.array([4]), filter_seen=True) == [1]


def test_other_scores_that_are_no_number_rank_before_such_a_target():
    assert ranks([[0.0, math.nan, math.nan, -math.inf, 2.0]], [1]) == [4]
    assert ranks([[0.0, -math.inf, math.inf, 1.0]], [1]) == [3]


def test_a_repeated_purchase_is_masked_once():
    assert ranks([[0.0, 5.0, 4.0, 3.0]], [3], [np.array([1, 1])], filter_seen=True) == [2]


def test_memory_is_bounded_by_the_catalogue(monkeypatch):
    """The bigger the catalogue, the fewer customers at once, but never less than a few."""
    sizes = []

    class Sizes:
        def score(self, histories):
            sizes.append(len(histories))
            return torch.zeros(len(histories), 1001)

    target_ranks(Sizes(), [np.array([1])] * 3000, np.ones(3000, dtype=np.int64))
    assert sizes[0] == 32
    assert max(sizes) == 512
    sizes.clear()
    monkeypatch.setattr("msm4sr_lite.evaluation.CELLS", 50 * 1001)
    target_ranks(Sizes(), [np.array([1])] * 150, np.ones(150, dtype=np.int64))
    assert sizes == [32, 50, 50, 18]


def test_quick_scores_are_the_scores():
    table = toy_table([2] * 13, [1] * 13)
    scorer = ModelScorer(M2SE(ModelConfig(feature_dim=11, max_len=6, n_items=13)), table)
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, 14, rng.integers(1, 10)) for _ in range(150)]
    torch.testing.assert_close(scorer.fast_scores(histories), scorer.score(histories))
    assert torch.equal(scorer.fast_scores(histories[:1]), scorer.fast_scores(histories[:1]))


def test_batches_do_not_change_ranks():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((11, 8)).tolist()
    targets = rng.integers(1, 8, 11)
    assert ranks(rows, targets, batch_size=3) == ranks(rows, targets)


def test_metrics_by_hand():
    values = metrics(np.array([1, 2, 10, 11]), [10])
    assert values["recall@10"].tolist() == [1, 1, 1, 0]
    assert values["mrr@10"].tolist() == [1, 0.5, 0.1, 0]
    expected = [1, 1 / math.log2(3), 1 / math.log2(11), 0]
    assert values["ndcg@10"].tolist() == pytest.approx(expected)


def test_metrics_agree_with_ir_measures():
    ir = pytest.importorskip("ir_measures")
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(np.arange(1.0, 31.0), (40, 1)), axis=1)
    targets = rng.integers(1, 31, 40)
    own = metrics(
        ranks_of := target_ranks(
            Fixed(np.pad(scores, ((0, 0), (1, 0))).tolist()), [np.array([1])] * 40, targets
        )
    )
    run = [ir.ScoredDoc(str(u), str(i + 1), scores[u, i]) for u in range(40) for i in range(30)]
    qrels = [ir.Qrel(str(u), str(targets[u]), 1) for u in range(40)]
    pairs = {"recall@10": ir.R @ 10, "ndcg@10": ir.nDCG @ 10, "mrr@10": ir.RR @ 10}
    theirs = ir.calc_aggregate(list(pairs.values()), qrels, run)
    assert ranks_of.min() >= 1
    for name, measure in pairs.items():
        assert own[name].mean() == pytest.approx(theirs[measure], abs=1e-9)


def test_interval_is_reproducible_and_covers():
    values = {"x": np.random.default_rng(1).random(400)}
    one = summarise(values)
    assert one == summarise(values)
    assert one["x"]["low"] < one["x"]["value"] < one["x"]["high"]
    # 95 % of a normal distribution lie within 1.96 standard errors.
    half = 1.96 * values["x"].std() / 20
    assert one["x"]["high"] - one["x"]["low"] == pytest.approx(2 * half, rel=0.15)


def test_a_customers_cases_are_drawn_together():
    """Ten equal cases of one customer tell no more than one."""
    rng = np.random.default_rng(2)
    each = rng.random(200)
    alone = summarise({"x": each})["x"]
    together = summarise({"x": each.repeat(10)}, np.arange(200).repeat(10))["x"]
    assert together == alone
    as_if = summarise({"x": each.repeat(10)})["x"]
    assert as_if["high"] - as_if["low"] < 0.5 * (alone["high"] - alone["low"])
    # Customers with more cases weigh more, in the value and in every draw.
    uneven = summarise({"x": np.array([1.0, 1.0, 1.0, 0.0])}, np.array([7, 7, 7, 3]))["x"]
    assert (uneven["value"], uneven["low"], uneven["high"]) == (0.75, 0.0, 1.0)
