"""Score ensembles beside the z-scores of their definition."""

import numpy as np
import pytest
import torch

from msm4sr_lite.baselines.ensemble import Probabilities, ScoreEnsemble, place, standardise
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.feature_table import no_features
from tests.toy_scorers import Fixed


def z_scores(row):
    """The textbook form for the items of one history."""
    mean = sum(row) / len(row)
    spread = (sum((value - mean) ** 2 for value in row) / len(row)) ** 0.5
    return [(value - mean) / spread if spread else 0.0 for value in row]


def test_an_ensemble_ranks_by_the_weighted_sum_of_z_scores():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.3, size=(5, 9)).astype(float)
    counts[0, 1:] = 0  # a history without any co-occurrence
    cosines, noise = rng.normal(size=(2, 5, 9))
    parts = {"a": Fixed(counts), "b": Fixed(cosines), "c": Fixed(noise)}
    found = ScoreEnsemble(parts, {"a": 0.5, "b": 2.0, "c": 0}).score(
        [np.array([n]) for n in range(1, 6)]
    )
    assert found.shape == (5, 9)
    assert found[:, 0].tolist() == [0] * 5
    for row in range(5):
        both = zip(z_scores(counts[row, 1:]), z_scores(cosines[row, 1:]), strict=True)
        expected = np.array([0.5 * one + 2 * two for one, two in both])
        of_items = found[row, 1:].numpy()
        assert of_items - of_items.mean() == pytest.approx(expected)  # the mean changes no rank
    assert not parts["c"].asked  # a weight of 0 costs nothing


def test_equal_scores_say_nothing_and_padding_may_be_anything():
    rows = [[np.nan, 0.1, 0.1, 0.1], [-np.inf, 7.0, 7.0, 8.0], [9.0, 0.0, 0.0, 0.0]]
    for kind in (torch.float32, torch.float64):
        found = standardise(torch.tensor(rows, dtype=kind))
        assert torch.isfinite(found).all()
        assert found[[0, 2]].count_nonzero() == 0
        assert found[1, 1] == found[1, 2] < found[1, 3]
        assert found[1, 0] == 0


def test_one_part_alone_ranks_as_it_does_without_the_ensemble():
    """Ties stay ties, and probabilities that are tiny stay apart."""
    scores = torch.cat([torch.zeros(1), torch.linspace(0, 1, 12).repeat_interleave(2)])[None]
    model = Probabilities(Fixed(scores), 0.005)  # from 1 to e^-200
    histories, targets = [np.array([1])] * 24, np.arange(1, 25)
    alone = target_ranks(Fixed(scores), histories, targets)
    assert (target_ranks(ScoreEnsemble({"m": model}, {"m": 3}), histories, targets) == alone).all()


def test_probabilities_are_a_softmax_without_padding():
    found = Probabilities(Fixed([[9.0, 0.5, 0.2]]), 0.1).score([np.array([1])])[0]
    assert found[0] == 0
    assert found.sum() == pytest.approx(1)
    assert float(found[1] / found[2]) == pytest.approx(np.exp(3), rel=1e-5)


def test_weights_that_leave_nothing_are_refused():
    part = Fixed([[0.0, 1.0]])
    with pytest.raises(UserError, match="an ensemble needs a part with a weight above 0"):
        ScoreEnsemble({"a": part}, {"a": 0})
    with pytest.raises(UserError, match="weight must be a number >= 0"):
        ScoreEnsemble({"a": part, "b": part}, {"a": 1, "b": -1})


def test_new_items_keep_the_places_that_the_main_part_gives_them(cases, seen):
    """Also where the other parts count, and where cosines have a mean far from 0."""
    parts, histories, _ = cases
    parts["first"].rows += 30
    new = np.flatnonzero(~seen)[1:]
    product = ScoreEnsemble(parts, {"first": 0.1, "second": 0.5, "noise": 0.4}, "first", seen)
    plain = ScoreEnsemble(parts, product.weights).score(histories)
    terms = product.score_by_part(histories)
    assert not terms["second"][:, new].any()
    assert not terms["noise"][:, new].any()
    for row, history in enumerate(histories):
        old = np.setdiff1d(np.flatnonzero(seen), history)
        main, found = parts["first"].rows[row], product.score([history])[0]
        assert found[old].allclose(plain[row, old])
        for item in np.setdiff1d(new, history):
            place = (main[old] > main[item]).sum()
            assert (found[old] > found[item]).sum() == place
        order = main[new].argsort()
        assert found[new][order].equal(found[new].sort().values)
        assert sum(terms.values())[row].allclose(found)


def test_where_no_part_prefers_an_item_the_main_part_ranks_alone(cases, seen):
    parts, histories, _ = cases
    parts["silent"] = Fixed(torch.zeros(40, 61))
    weights = {"first": 0, "second": 0, "noise": 0, "silent": 1}
    found = ScoreEnsemble(parts, weights, "second", seen).score(histories)
    alone = parts["second"].score(histories)
    assert found[:, 1:].argsort(dim=1).equal(alone[:, 1:].argsort(dim=1))
    parts["silent"].rows[3, 7] = 1.0
    terms = ScoreEnsemble(parts, weights, "second", seen).score_by_part(histories)
    assert terms.keys() == {"silent", "second"}
    assert terms["second"][3, np.flatnonzero(seen)].count_nonzero() == 0
    assert ScoreEnsemble(parts, weights).score_by_part(histories).keys() == {"silent"}


def test_items_that_are_added_have_no_interactions(cases):
    parts, histories, _ = cases

    def append(part):
        return lambda table: setattr(part, "rows", torch.cat([part.rows, part.rows[:, 1:3]], 1))

    for part in parts.values():
        part.append = append(part)
    seen = np.ones(61, bool)
    product = ScoreEnsemble(parts, dict.fromkeys(parts, 1), "first", seen)
    before = product.score(histories)
    product.append(no_features(["", "new1", "new2"]))
    found = product.score_by_part(histories)
    assert not found["second"][:, 61:].any()
    assert found["first"][:, 61:].any()
    assert len(seen) == 61  # the array of the caller
    order = np.array([0, 61, 5, 62, 1])
    some = product.select(order).score([np.array([2, 4])])
    assert some.equal(product.score([order[[2, 4]]])[:, order])
    assert before.shape == (40, 61)


def test_places_beyond_all_others_and_alone():
    main, total = torch.tensor([0.0, 1, 2, 3, 5, 0, 9]), torch.tensor([0.0, 7, 8, 10, 0, 0, 0])
    new = np.array([False] * 4 + [True] * 3)
    found = place(total, main, ~new, new, np.array([], int))
    assert found.tolist() == [12, 6, 16]  # above all by 2, below all by 1, above all by 6
    nobody = np.zeros(7, bool)
    assert place(total, main, nobody, new, np.array([1])).equal(main[new])


def test_an_ensemble_in_another_order_scores_as_before(cases):
    parts, histories, _ = cases
    product = ScoreEnsemble(parts, {"first": 1, "second": 0.5, "noise": 0})
    order = np.array([0, *np.random.default_rng(1).permutation(np.arange(1, 61))])
    place = np.argsort(order)
    other, same = product.select(order), [place[history] for history in histories]
    assert other.score(same).equal(product.score(histories)[:, order])
    terms = product.score_by_part(histories)
    assert other.score_by_part(same)["first"].equal(terms["first"][:, order])
    assert terms.keys() == {"first", "second"}
    assert sum(terms.values()).equal(product.score(histories))
    one = standardise(parts["second"].score(histories))
    assert terms["second"].equal(0.5 * one)
