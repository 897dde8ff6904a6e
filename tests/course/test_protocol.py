"""Filters, leaks and sampled candidates, each against something slow and obvious."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from course.microscope import compare_protocols
from course.protocol import (
    count_competitors,
    count_filter_rounds,
    hide_random_item,
    replace_training,
    sampled_metrics,
)

from msm4sr_lite.baselines import Popularity
from msm4sr_lite.config import DataConfig
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.intervals import summarise
from tests.toys import toy_sequences


def test_filters_fall_like_dominoes():
    pairs = [("a", "x"), ("a", "y"), ("b", "y"), ("b", "z"), ("c", "z")]
    events = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    # x and c leave, then a and z, then y and b.
    assert count_filter_rounds(events, 2, 2) == [(3, 3, 5), (2, 2, 3), (1, 1, 1), (0, 0, 0)]
    assert count_filter_rounds(events, 1, 1) == [(3, 3, 5)]


def test_the_last_round_is_what_the_library_keeps():
    dice = np.random.default_rng(3)
    table = pd.DataFrame(dice.integers(0, 30, (400, 2)), columns=["user_id", "item_id"])
    table = table.drop_duplicates().astype(str)
    kept = build_sequences(
        table,
        sorted(set(table["item_id"])),
        DataConfig(min_user_interactions=8, min_item_interactions=8),
    )
    rounds = count_filter_rounds(table, 8, 8)
    assert len(rounds) > 1
    assert rounds[-1] == (len(kept.users), kept.n_items, len(kept.interactions))


def test_a_leak_changes_what_is_learnt_and_nothing_else():
    sequences = toy_sequences([5, 6, 7], n_items=9)
    everything = [sequences.user_sequence(user) for user in range(3)]
    leak = replace_training(sequences, everything)
    assert Popularity(leak).counts.sum() == 18
    assert Popularity(sequences).counts.sum() == 12
    assert leak.held_out("test")[1].tolist() == sequences.held_out("test")[1].tolist()
    assert [h.tolist() for h in leak.train()] == [h.tolist() for h in everything]


def test_one_item_of_each_user_is_hidden():
    sequences = toy_sequences([5, 6, 7] * 20, n_items=9)
    before, others, hidden = hide_random_item(sequences, seed=1)
    for user, (past, rest, item) in enumerate(zip(before, others, hidden, strict=True)):
        bought = sequences.user_sequence(user).tolist()
        place = bought.index(item)
        assert place > 0
        assert past.tolist() == bought[:place]
        assert rest.tolist() == bought[:place] + bought[place + 1 :]
    places = {len(past) / (len(rest)) for past, rest in zip(before, others, strict=True)}
    assert len(places) > 5  # not always the same place
    again = hide_random_item(sequences, seed=2)[2]
    assert hidden.tolist() != again.tolist()


def test_competitors_are_counted_as_the_ranking_counts_them():
    sequences = toy_sequences([5, 6, 9], n_items=9)
    histories, targets = sequences.held_out("test")
    histories[1] = np.append(histories[1], targets[1])  # bought before
    lowest = Popularity(sequences)
    lowest.counts[:] = 0  # all equal: every target is behind all its competitors
    for masked in (False, True):
        ranks = target_ranks(lowest, histories, targets, filter_seen=masked)
        others = count_competitors(histories, targets, 9, masked)
        assert others.tolist() == (ranks - 1).tolist()


def test_sampled_metrics_are_the_mean_over_all_draws():
    others, drawn, cutoffs = 6, 3, [1, 2, 5]
    ranks = np.arange(1, 8)
    found = sampled_metrics(ranks, np.full(7, others), drawn, cutoffs)
    for rank in ranks:
        draws = [
            1 + sum(rival < rank - 1 for rival in rivals)  # rivals 0 .. rank - 2 are better
            for rivals in combinations(range(others), drawn)
        ]
        slow = metrics(np.array(draws), cutoffs)
        for name, values in found.items():
            assert values[rank - 1] == pytest.approx(slow[name].mean()), (rank, name)


def test_drawing_all_competitors_is_full_ranking():
    ranks = np.array([1, 4, 10, 11, 60])
    found = sampled_metrics(ranks, np.full(5, 59), 59, [10])
    for name, values in metrics(ranks, [10]).items():
        assert found[name] == pytest.approx(values)
    with pytest.raises(ValueError, match="drawn must be at most 59, the competitors; got 60"):
        sampled_metrics(ranks, np.full(5, 59), 60)


def test_the_microscope_tells_what_it_draws():
    dice = np.random.default_rng(0)
    ranks = {
        (name, masked): dice.integers(1, 150, 200) for name in "ab" for masked in (False, True)
    }
    others = {False: np.full(200, 399), True: np.full(200, 390)}
    draw = compare_protocols(ranks, others, (5, 10))
    figure, alt = draw(10, "all items", True)
    for name in "ab":
        recall = summarise(metrics(ranks[name, True], [10]))["recall@10"]["value"]
        assert f"{name} Recall {recall:.3f}" in alt
    heights = [line.get_ydata()[9] for line in figure.axes[1].lines[:2]]
    assert heights == pytest.approx([np.mean(ranks[name, True] <= 10) for name in "ab"])
    plt.close(figure)
    figure, alt = draw(5, "100 drawn", False)
    recall = sampled_metrics(ranks["a", False], others[False], 100, [5])["recall@5"].mean()
    assert f"a Recall {recall:.3f}" in alt
    assert figure.axes[1].lines[0].get_ydata()[4] == pytest.approx(recall)
    scale = figure.axes[0].get_ylim()
    plt.close(figure)
    figure, _ = draw(5, "all items", True)
    assert figure.axes[0].get_ylim() == scale  # settings of one K can be compared
    plt.close(figure)
