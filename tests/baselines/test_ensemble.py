"""Score ensembles beside the z-scores of their definition; weights from validation."""

import numpy as np
import pytest
import torch

from msm4sr_lite.baselines import ensemble
from msm4sr_lite.baselines.ensemble import (
    Probabilities,
    ScoreEnsemble,
    choose_weights,
    place,
    standardise,
)
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.feature_table import no_features


class Fixed:
    """Scores that were given, a row per user; the history's first item is the user's number."""

    def __init__(self, rows):
        self.rows, self.asked = torch.as_tensor(rows), []

    def score(self, histories):
        self.asked.append(len(histories))
        return self.rows[[int(history[0]) - 1 for history in histories]].clone()


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


@pytest.fixture
def cases():
    """Two parts that each know half of the targets, and one that knows nothing."""
    rng = np.random.default_rng(3)
    users, items = 40, 60
    histories = [np.array([user, user % 7 + 1]) for user in range(1, users + 1)]
    targets = rng.integers(45, items + 1, size=users)
    first, second, noise = rng.normal(size=(3, users, items + 1))
    for user, target in enumerate(targets):
        (first if user % 2 else second)[user, target] += 3
        first[user, user % 7 + 1] = 9  # an item of the history, which is filtered
    return (
        {"first": Fixed(first), "second": Fixed(second), "noise": Fixed(noise)},
        histories,
        targets,
    )


@pytest.fixture
def seen():
    """Whether each item has interactions; every third has none."""
    return np.arange(61) % 3 > 0


def ndcg(scorer, histories, targets):
    return metrics(target_ranks(scorer, histories, targets, filter_seen=True), [10])[
        "ndcg@10"
    ].mean()


def test_the_chosen_weights_are_never_worse_than_the_best_part(cases, monkeypatch):
    parts, histories, targets = cases
    chosen = choose_weights(parts, histories, targets)
    found = chosen.weights
    alone = {name: ndcg(part, histories, targets) for name, part in parts.items()}
    together = ndcg(ScoreEnsemble(parts, found), histories, targets)
    assert together > max(alone.values()) + 0.02
    assert (chosen.alone, chosen.together) == (alone, together)
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)
    monkeypatch.setattr(ensemble, "BLOCK", 7)
    for part in parts.values():
        part.asked.clear()
    assert choose_weights(parts, histories, targets) == chosen
    assert max(parts["first"].asked) == 7  # memory is bounded by the block


def literal_selection(parts, histories, targets):
    """Ensemble selection on the first bootstrap sample, ranked with ``target_ranks``."""
    drawn = np.random.default_rng(0).integers(len(targets), size=len(targets))
    sample = [histories[case] for case in drawn], targets[drawn]
    added, best, expected = dict.fromkeys(parts, 0), -1, {}
    for _ in range(ensemble.STEPS):
        values = {
            name: ndcg(ScoreEnsemble(parts, {**added, name: added[name] + 1}), *sample)
            for name in parts
        }
        name = max(values, key=values.get)
        added[name] += 1
        if values[name] > best + 1e-12:
            best, steps = values[name], sum(added.values())
            expected = {name: round(count / steps, 4) for name, count in added.items()}
    return expected


def test_the_selection_is_that_of_its_definition(cases, monkeypatch):
    """Without bagging, beside a literal form that ranks with ``target_ranks`` in every step."""
    parts, histories, targets = cases
    monkeypatch.setattr(ensemble, "BAGS", 1)
    monkeypatch.setattr(ensemble, "LEAST", 0.0)
    expected = literal_selection(parts, histories, targets)
    assert choose_weights(parts, histories, targets).weights == expected


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


def test_weights_are_chosen_among_items_with_interactions(cases, seen):
    parts, histories, targets = cases
    chosen = choose_weights(parts, histories, targets, seen)
    kept = np.flatnonzero(seen[targets])
    assert 5 < len(kept) < 35
    fewer = {}
    for name, part in parts.items():
        rows = part.rows.clone()
        rows[:, np.flatnonzero(~seen)] = -99.0  # behind all others
        fewer[name] = Fixed(rows)
    some = [histories[case] for case in kept], targets[kept]
    # Standardisation sees all items, so only values of single parts are the same.
    assert choose_weights(fewer, *some).alone == chosen.alone
    assert chosen.together >= max(chosen.alone.values())
    with pytest.raises(UserError, match="needs validation cases whose target has training"):
        choose_weights(parts, histories, targets, np.zeros(61, bool))


def test_small_shares_are_dropped_and_bootstrap_samples_averaged(cases, monkeypatch):
    parts, histories, targets = cases
    monkeypatch.setattr(ensemble, "LEAST", 0.0)
    every = choose_weights(parts, histories, targets).weights
    assert 0 < every["noise"] < 0.2  # it helps by chance in some samples
    monkeypatch.setattr(ensemble, "LEAST", 0.2)
    some = choose_weights(parts, histories, targets).weights
    assert some["noise"] == 0
    both = every["first"] + every["second"]
    assert some["first"] == pytest.approx(every["first"] / both, abs=1e-3)


def test_a_combination_that_is_worse_than_its_best_part_is_not_shipped():
    """Each part finds every second target; in their sum twelve decoys come before all targets."""
    users, target = 40, 40
    rows = torch.zeros(2, users, 61)
    rows[:, :, 1:13] = 0.9
    for user in range(users):
        rows[int(user < users // 2 + 1), user, target] = 1
    parts = {"a": Fixed(rows[0]), "b": Fixed(rows[1]), "nothing": Fixed(torch.zeros(users, 61))}
    cases = [np.array([user]) for user in range(1, users + 1)], np.full(users, target)
    assert ndcg(ScoreEnsemble(parts, {"a": 0.5, "b": 0.5, "nothing": 0}), *cases) == 0
    chosen = choose_weights(parts, *cases)
    assert chosen.weights == {"a": 0, "b": 1, "nothing": 0}
    assert chosen.together == chosen.alone["b"] == 21 / 40


def test_parts_that_do_not_help_get_no_weight(cases):
    parts, histories, targets = cases
    perfect = torch.zeros(40, 61)
    perfect[torch.arange(40), torch.as_tensor(targets)] = 1
    equal = Fixed(torch.ones(40, 61))
    chosen = choose_weights(
        {"equal": equal, **parts, "perfect": Fixed(perfect)}, histories, targets
    )
    assert chosen.weights == {"equal": 0, "first": 0, "second": 0, "noise": 0, "perfect": 1}
    assert choose_weights({"equal": equal}, histories, targets).weights == {"equal": 1}


@pytest.mark.parametrize("pool", [12, 20, 1000])
def test_a_small_pool_never_overestimates_and_keeps_single_parts_exact(cases, pool, monkeypatch):
    parts, histories, targets = cases
    exact = choose_weights(parts, histories, targets)
    monkeypatch.setattr(ensemble, "POOL", pool)
    found = choose_weights(parts, histories, targets)
    assert found.alone == exact.alone
    together = ndcg(ScoreEnsemble(parts, found.weights), histories, targets)
    assert max(found.alone.values()) <= found.together <= together
    assert pool < 60 or found == exact


def test_where_an_item_outside_the_pool_may_be_first_the_target_is_a_miss(monkeypatch):
    """Item 25 is 12th in both parts and first in their sum; the target, item 26, is second."""
    a = torch.zeros(1, 31)
    a[0, 1:13], a[0, 25], a[0, 26] = 5, 4, 3.9
    b = a.clone()
    b[0, 1:25] = a[0, 1:25].flip(0)
    cases = {"a": Fixed(a), "b": Fixed(b)}, [np.array([1, 30])], np.array([26])
    assert choose_weights(*cases).together == pytest.approx(1 / np.log2(3))
    monkeypatch.setattr(ensemble, "POOL", 11)
    assert choose_weights(*cases).together == 0


def test_scores_that_are_not_finite_are_refused(cases):
    parts, histories, targets = cases
    rows = torch.zeros(40, 61)
    rows[3, 5] = torch.nan
    with pytest.raises(UserError, match="not finite"):
        choose_weights({**parts, "broken": Fixed(rows)}, histories, targets)


def test_an_ensemble_in_another_order_scores_as_before(cases):
    parts, histories, _ = cases
    product = ScoreEnsemble(parts, {"first": 1, "second": 0.5, "noise": 0})
    order = np.array([0, *np.random.default_rng(1).permutation(np.arange(1, 61))])
    place = np.argsort(order)
    some = product.select(order).score([place[history] for history in histories])
    assert some.equal(product.score(histories)[:, order])
    terms = product.score_by_part(histories)
    assert terms.keys() == {"first", "second"}
    assert sum(terms.values()).equal(product.score(histories))
    one = standardise(parts["second"].score(histories))
    assert terms["second"].equal(0.5 * one)
