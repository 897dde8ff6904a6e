"""Answers that are numbers, and what is derived, are what the library says they are."""

import re

import numpy as np
import pytest
import torch
from course.checks import find_exercise

from data_samples.make.write import load_world
from msm4sr_lite.config import PretrainConfig
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.encoder import MoEAdaptor
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.features.keyword_tokenizer import top_keywords
from msm4sr_lite.features.sentences import item_sentences
from msm4sr_lite.intervals import summarise
from msm4sr_lite.losses import next_item_loss
from msm4sr_lite.sequences import Sequences, make_batch
from msm4sr_lite.similarity import normalize
from msm4sr_lite.study.cold_start import cold_items


def test_the_adapter_has_as_many_parameters_as_the_exercise_says():
    adapter = MoEAdaptor(feature_dim=384, dim=64, experts=8, dropout=0.2)
    count = sum(p.numel() for p in adapter.parameters())
    assert find_exercise("05.parameters").solution == count


def test_the_share_that_trades_places_is_half_the_limit():
    assert find_exercise("04.share").solution == PretrainConfig().mixup_max / 2


def test_the_lamp_has_as_many_slots_as_the_exercise_says():
    text = "Bright &amp; small. Uses 0.5 watts per hour."
    lamp = Item("1", "Desk lamp", "Lumo", categories=("lamp",), description=text)
    assert find_exercise("03.slots").solution == len(item_sentences(lamp))


def test_as_many_cold_items_compete_as_the_exercise_says(sample_dataset):
    dataset = Dataset.from_folder(sample_dataset, domain="home")
    sequences = build_sequences(dataset.interactions, list(dataset.items))
    assert find_exercise("08.chance").solution == 10 / len(cold_items(sequences))
    new = {item.item_id for item in load_world(sample_dataset).items if item.is_new}
    cold = {sequences.items[number] for number in cold_items(sequences)}
    assert len(cold) == 104
    assert len(cold & new) == 96  # most are the new collection, as notebook 08 says


def test_the_split_of_the_exercise_is_that_of_the_library():
    bought = np.array([3, 1, 2, 5, 4])
    sequences = Sequences(["u"], ["", *"abcde"], bought, np.array([0, 5]))
    train, *held_out = find_exercise("01.leave_one_out").solution(bought.tolist())
    assert [train] == [s.tolist() for s in sequences.train()]
    for part, (history, target) in zip(("valid", "test"), held_out, strict=True):
        histories, targets = sequences.held_out(part)
        assert ([history], [target]) == ([h.tolist() for h in histories], targets.tolist())


def test_ranks_and_metrics_of_the_exercises_are_those_of_the_library():
    ranks, recall_ndcg = (find_exercise(f"01.{n}").solution for n in ("ranks", "recall_ndcg"))
    dice = np.random.default_rng(1)
    scores = torch.from_numpy(dice.integers(0, 6, (30, 13)).astype(float))  # many are equal
    targets = dice.integers(1, 13, 30)

    class Given:
        def score(self, histories):
            return scores

    found = target_ranks(Given(), [np.array([1])] * 30, targets)
    mine = ranks(scores, torch.from_numpy(targets))
    assert mine.tolist() == found.tolist()
    for name, values in zip(("recall", "ndcg"), recall_ndcg(mine, 5), strict=True):
        assert values.numpy() == pytest.approx(metrics(found, [5])[f"{name}@5"])


@pytest.mark.parametrize("max_len", [3, 50])
def test_a_batch_of_the_exercise_is_the_one_of_the_library(max_len):
    dice = np.random.default_rng(2)
    windows = [dice.integers(1, 30, length) for length in (2, 4, 3)]
    wanted = make_batch.plain([*enumerate(windows)], max_len, torch.Generator(), False, 0)
    items, targets = find_exercise("01.make_batch").solution([[*w] for w in windows], max_len)
    assert torch.equal(items, wanted.items)
    assert torch.equal(targets, wanted.targets)


def test_the_keywords_of_the_exercise_are_those_of_the_library():
    images, words = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0))
    names = [*"abcdefg"]
    wanted = top_keywords(normalize(images), normalize(words), names, 3)
    found = find_exercise("02.top_keywords").solution(images, words, names, 3)
    assert found == [[keyword.word for keyword in row] for row in wanted]


@pytest.mark.parametrize("temperature", [0.02, 0.07, 1.0])
def test_at_collapse_the_loss_is_the_logarithm_of_the_candidates_and_nothing_moves(temperature):
    one = torch.nn.functional.normalize(torch.arange(1.0, 5), dim=0).repeat(6, 1)
    h, g = one.clone().requires_grad_(), one.clone().requires_grad_()
    masked = torch.eye(6, dtype=torch.bool)
    loss = next_item_loss(h, g, masked, temperature=temperature)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(6), abs=1e-5)
    assert max(h.grad.abs().max(), g.grad.abs().max()) < 1e-5


def test_scores_that_know_nothing_lose_most_where_they_differ_most():
    scores = torch.randn(7, generator=torch.Generator().manual_seed(0))
    means = []
    for size in (0, 1, 3):
        every = (size * scores).repeat(7, 1)  # each of the seven is the right one once
        means.append(torch.nn.functional.cross_entropy(every, torch.arange(7)).item())
    assert means[0] == pytest.approx(np.log(7))
    assert means == sorted(set(means))


@pytest.mark.parametrize("count", [104, 400])
def test_a_guess_reaches_what_the_formula_says(count):
    found = metrics(np.arange(1, count + 1), [10])  # every rank is as likely
    gain = (1 / np.log2(np.arange(1, 11) + 1)).sum()
    assert gain == pytest.approx(4.54, abs=0.005)
    assert found["recall@10"].mean() == pytest.approx(10 / count)
    assert found["ndcg@10"].mean() == pytest.approx(gain / count)


def test_intervals_over_customers_are_wider_by_the_factor_that_was_derived():
    dice = np.random.default_rng(0)
    n, m, rho = 2000, 5, 0.3
    own = np.sqrt(rho) * dice.standard_normal((n, 1))
    answers = own + np.sqrt(1 - rho) * dice.standard_normal((n, m))
    values = {"x": answers.ravel()}
    one_by_one = summarise(values)["x"]
    together = summarise(values, np.repeat(np.arange(n), m))["x"]
    wider = (together["high"] - together["low"]) / (one_by_one["high"] - one_by_one["low"])
    assert wider == pytest.approx(np.sqrt(1 + (m - 1) * rho), rel=0.1)


def test_what_notebooks_00_and_01_say_about_the_sample(sample_dataset):
    dataset = Dataset.from_folder(sample_dataset, domain="home")
    events = dataset.interactions
    sequences = build_sequences(events, list(dataset.items))

    # Nobody buys an item twice, and each last interaction is later than all that are not last.
    assert not events.duplicated(["user_id", "item_id"]).any()
    is_last = ~events.duplicated("user_id", keep="last")
    assert events[is_last]["timestamp"].min() > events[~is_last]["timestamp"].max()

    # One item of those without training interactions is a validation target.
    counts = sequences.item_counts()
    unsold = 1 + np.flatnonzero(counts[1:] == 0)
    (other,) = set(unsold) - set(cold_items(sequences))
    assert other in sequences.held_out("valid")[1]
    assert other not in sequences.held_out("test")[1]
    assert len(unsold) == 105

    # No text names a colour or a pattern.
    from data_samples.make.drawing import COLOURS, PATTERNS

    for item in dataset.items.values():
        words = set(re.findall(r"[a-z]+", f"{item.title} {item.description}".lower()))
        assert not words & {*COLOURS, *PATTERNS}
