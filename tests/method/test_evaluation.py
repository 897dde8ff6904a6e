"""Ranks and metrics; every test of a rank holds for the plain and the fast form."""

import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from msm4sr_lite import fast
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import evaluate, metrics, rank_of, target_ranks


class Fixed:
    """A scorer that returns the rows it was given."""

    def __init__(self, rows):
        self.rows, self.at = torch.tensor(rows), 0

    def score(self, histories):
        self.at += len(histories)
        return self.rows[self.at - len(histories) : self.at]


def ranks(rows, targets, histories=None, **options):
    """The ranks of the fast form, which must be those of the plain form."""
    histories = histories or [np.array([1])] * len(rows)
    found = target_ranks(Fixed(rows), histories, np.array(targets), **options).tolist()
    with fast.switched_off():
        plain = target_ranks(Fixed(rows), histories, np.array(targets), **options).tolist()
    assert found == plain
    return found


def test_rank_of_by_hand():
    scores = torch.tensor([[9.0, 0.1, 0.5, 0.3], [9.0, 0.1, 0.5, 0.5]])
    allowed = torch.tensor([[False, True, True, True], [False, False, True, True]])
    assert rank_of(scores, torch.tensor([1, 3]), allowed).tolist() == [3, 2]


def test_ranks_by_hand():
    rows = [[9.0, 0.1, 0.5, 0.3], [9.0, 0.1, 0.5, 0.3]]
    assert ranks(rows, [2, 1]) == [1, 3]  # column 0, padding, never competes


def test_ties_count_against_the_target():
    assert ranks([[0.0, 1.0, 1.0, 1.0, 0.0]], [2]) == [3]
    assert ranks([[0.0] * 5], [4]) == [4]


def test_a_target_of_nan_is_never_first():
    scores, allowed = (
        torch.tensor([[0.0, math.nan, 1.0, 2.0]]),
        torch.tensor([[False, *[True] * 3]]),
    )
    assert rank_of(scores, torch.tensor([1]), allowed).tolist() == [3]
    assert rank_of(scores, torch.tensor([2]), allowed).tolist() == [2]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("row", [0, 40, 99])
def test_scores_that_are_not_finite_are_refused(bad, row):
    rows = [[0.0, 1.0, 2.0, 3.0] for _ in range(100)]
    rows[row][2] = bad
    cases = [np.array([1])] * 100, np.array([1] * 100)
    for form in (nullcontext, fast.switched_off):
        with form(), pytest.raises(UserError, match="the scores are not finite numbers"):
            target_ranks(Fixed(rows), *cases)


def test_padding_and_scores_whose_sum_is_too_large_are_fine():
    assert ranks([[math.nan, 1.0, 2.0], [-math.inf, 2.0, 1.0]], [1, 1]) == [2, 1]
    assert ranks([[0.0, 3e38, 2e38, 3e38]], [2]) == [3]


def test_nobody_to_evaluate_is_one_line():
    with pytest.raises(UserError, match=r"^no test case to evaluate: nothing is held out; .*$"):
        evaluate(Fixed([[0.0, 1.0]]), [], np.array([], dtype=np.int64))


def test_the_history_is_filtered_only_if_asked_and_never_the_target():
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


def test_a_repeated_item_is_filtered_once():
    assert ranks([[0.0, 5.0, 4.0, 3.0]], [3], [np.array([1, 1])], filter_seen=True) == [2]


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
