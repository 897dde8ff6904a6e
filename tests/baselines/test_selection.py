"""Weights of a score ensemble from validation cases, beside literal forms of the definition."""

import numpy as np
import pytest
import torch

from msm4sr_lite.baselines import selection
from msm4sr_lite.baselines.ensemble import ScoreEnsemble
from msm4sr_lite.baselines.selection import choose_weights
from msm4sr_lite.config import UserError
from msm4sr_lite.evaluation import metrics, target_ranks
from tests.toy_scorers import Fixed


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
    monkeypatch.setattr(selection, "BLOCK", 7)
    for part in parts.values():
        part.asked.clear()
    assert choose_weights(parts, histories, targets) == chosen
    assert max(parts["first"].asked) == 7  # memory is bounded by the block


def literal_selection(parts, histories, targets):
    """Ensemble selection on the first bootstrap sample, ranked with ``target_ranks``."""
    drawn = np.random.default_rng(0).integers(len(targets), size=len(targets))
    sample = [histories[case] for case in drawn], targets[drawn]
    added, best, expected = dict.fromkeys(parts, 0), -1, {}
    for _ in range(selection.STEPS):
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
    monkeypatch.setattr(selection, "BAGS", 1)
    monkeypatch.setattr(selection, "LEAST", 0.0)
    expected = literal_selection(parts, histories, targets)
    assert choose_weights(parts, histories, targets).weights == expected


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
    monkeypatch.setattr(selection, "LEAST", 0.0)
    every = choose_weights(parts, histories, targets).weights
    assert 0 < every["noise"] < 0.2  # it helps by chance in some samples
    monkeypatch.setattr(selection, "LEAST", 0.2)
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
    monkeypatch.setattr(selection, "POOL", pool)
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
    monkeypatch.setattr(selection, "POOL", 11)
    assert choose_weights(*cases).together == 0


def test_scores_that_are_not_finite_are_refused(cases):
    parts, histories, targets = cases
    rows = torch.zeros(40, 61)
    rows[3, 5] = torch.nan
    with pytest.raises(UserError, match="not finite"):
        choose_weights({**parts, "broken": Fixed(rows)}, histories, targets)
