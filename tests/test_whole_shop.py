"""Pre-training on all that a shop has must see nothing of what a comparison holds out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from msm4sr_lite.study.budget import Budget

from msm4sr_lite import training
from msm4sr_lite.cli import build_parser, study
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.study.cold_start import cold_items
from msm4sr_lite.study.compare import Comparison
from msm4sr_lite.study.data import Data
from msm4sr_lite.study.models import MODELS, OnWholeDataset, able
from msm4sr_lite.study.whole_dataset import whole_dataset
from tests.toys import toy_table


def purchases(*rows):
    """Purchases as ``customer: items``, a letter each; time goes on with every letter."""
    told = []
    for row in rows:
        user, _, items = row.partition(": ")
        told += [(user, item, place) for place, item in enumerate(items) if item != " "]
    events = pd.DataFrame(told, columns=["user_id", "item_id", "timestamp"])
    return events.sort_values("timestamp", kind="stable")


def told(sequences):
    """Return each customer's training purchases and those that validate, as letters."""
    first, end = sequences.cuts.T
    names = [
        "".join(sequences.items[n] for n in sequences.user_sequence(u)) for u in range(len(first))
    ]
    return {
        user: (name[:a], name[a:b])
        for user, name, a, b in zip(sequences.users, names, first, end, strict=True)
    }


def test_what_is_held_out_stays_held_out_and_the_rest_is_used():
    # x, y are too rare for the core; bob has too few purchases for it.
    events = purchases("ann: abxcyde", "cat: baecdyx", "dan: cbade", "bob: ey")
    config = DataConfig(min_user_interactions=5, min_item_interactions=3)
    core = build_sequences(events, list("abcdexyz"), config)
    assert core.items[1:] == list("abcde")
    found = whole_dataset(core, events, list("abcdexyz"), config)
    assert found.items == ["", *"abcdexyz"]
    assert told(found) == {
        "ann": ("abxcy", "d"),  # d validates, e tests: x and y before them are learnt from
        "cat": ("bae", "c"),  # nothing after d, though y and x do not test
        "dan": ("cba", "d"),
        "bob": ("ey", ""),
    }
    assert len(found.cases("test")[0]) == 0


def test_a_repeated_purchase_counts_where_the_core_counts_it():
    events = purchases("ann: abcabdef")
    for deduplicate, expected in ((True, ("cabd", "e")), (False, ("abcabd", "e"))):
        config = DataConfig(min_user_interactions=3, deduplicate=deduplicate)
        core = build_sequences(events, list("abcdef"), config)
        assert told(whole_dataset(core, events, list("abcdef"), config)) == {"ann": expected}


def test_several_tests_of_a_customer():
    events = purchases("ann: axbcdef", "bob: xabcdef")
    config = DataConfig(min_user_interactions=5, n_test=3)
    core = build_sequences(events, list("abcdef"), config)
    assert told(whole_dataset(core, events, list("abcdefx"), config)) == {
        "ann": ("axb", "c"),
        "bob": ("xab", "c"),
    }


def test_a_split_by_date_holds_for_everybody():
    """Nobody's purchases after the date are learnt from, those of other departments included."""
    events = purchases("ann: abcdefghij", "bob: vwvwvwvwvwvw", "cat:  abcde")
    config = DataConfig(min_user_interactions=3, deduplicate=False, split="time", test_share=0.2)
    core = build_sequences(events, list("abcdefghij"), config)
    found = whole_dataset(core, events, list("abcdefghijvw"), config)
    learnt = {user: row for user, (row, _) in told(found).items()}
    trained = core.train()
    times = events.groupby("user_id")["timestamp"].apply(list)
    first = min(times[u][len(trained[n])] for n, u in enumerate(core.users) if u != "bob")
    assert len(learnt["bob"]) == first < 12
    for n, user in enumerate(core.users):
        assert learnt[user] == "".join(core.items[item] for item in trained[n])


def test_strictly_cold_items_stay_cold():
    events = purchases("ann: abcdz", "cat: bacde", "bob: zaz")
    config = DataConfig(min_user_interactions=5)
    core = build_sequences(events, list("abcdez"), config)
    assert "z" in {core.items[n] for n in cold_items(core)}
    found = whole_dataset(core, events, list("abcdez"), config)
    assert told(found)["bob"] == ("a", "")


@pytest.mark.parametrize("tests", [1, 3])
def test_random_shops_leak_nothing(tests):
    rng = np.random.default_rng(tests)
    for trial in range(20):
        rows = [
            (f"u{u}", f"i{item}", float(time), f"u{u}")
            for u in range(30)
            for time, item in enumerate(rng.permutation(15)[: rng.integers(2, 15)])
        ]
        events = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "_"])
        events = events.sort_values("timestamp", kind="stable")
        items = [f"i{n}" for n in range(15)]
        config = DataConfig(min_user_interactions=tests + 3, min_item_interactions=4, n_test=tests)
        core = build_sequences(events, items, config)
        found = whole_dataset(core, events, items, config)
        secret = set(zip(core.cases("test")[0], core.held_out("test")[1], strict=True))
        secret = {(core.users[u], core.items[i]) for u, i in secret}
        whole = [
            (found.users[u], found.items[i]) for u in range(len(found.users)) for i in found.of(u)
        ]
        assert secret
        assert not secret & set(whole)
        learnt = {
            (found.users[u], found.items[i]) for u, row in enumerate(found.train()) for i in row
        }
        for u, item in zip(core.cases("valid")[0], core.held_out("valid")[1], strict=True):
            assert (core.users[u], core.items[item]) not in learnt, trial
        ours = {(core.users[u], core.items[i]) for u, row in enumerate(core.train()) for i in row}
        assert ours <= learnt


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    rows = ["".join(rng.permutation(list("abcdefgh"))[:6]) for _ in range(8)]
    events = purchases(*(f"u{n}: {row}" for n, row in enumerate(rows)), "few: ab", "out: uvwxyz")
    dataset = Dataset(
        Path("toy"), {item: Item(item, title=item) for item in "abcdefghuvwxyz"}, events
    )
    everything = toy_table([1] * 14, [1] * 14, items=list(dataset.items))
    core = build_sequences(events, list("abcdefgh"))
    whole = whole_dataset(core, events, list(dataset.items))
    goods = Data(dataset, core, everything.for_items(core.items))
    return replace(goods, whole=Data(dataset, whole, everything))


SHORT = Budget(batch_size=32, pretrain_epochs=1, finetune_epochs=1)
TINY = {"model.dim": 8, "model.ffn_dim": 8, "model.layers": 1}


def test_it_pre_trains_on_the_whole_and_fine_tunes_on_the_core(data, tmp_path, monkeypatch):
    seen = []

    def spy(stage):
        plain = getattr(training, stage)

        def wrapped(model, table, sequences, *rest, **options):
            seen.append((stage, table.items[1:], sequences.users))
            return plain(model, table, sequences, *rest, **options)

        monkeypatch.setattr(training, stage, wrapped)

    spy("pretrain")
    spy("finetune")
    spec = MODELS["msm4sr_tuned+shop"]
    settings = {**SHORT.settings(), **TINY}
    scorer = spec.make(data, settings, 1, tmp_path)
    assert scorer.score([np.array([1, 2])]).shape == (1, 9)
    assert [stage for stage, *_ in seen] == ["pretrain", "finetune"]
    assert seen[0][1:] == (list("abcdefghuvwxyz"), [*(f"u{n}" for n in range(8)), "few", "out"])
    assert seen[1][1:] == (list("abcdefgh"), [f"u{n}" for n in range(8)])


def test_a_result_depends_on_the_whole_shop_too(data, tmp_path):
    study = Comparison(data, tmp_path, SHORT)
    for goods in (data, data, replace(data, whole=replace(data.whole, sequences=fewer(data)))):
        Comparison(goods, tmp_path, study.budget).run("msm4sr_tuned+shop", TINY, 1, "valid")
    assert len(list((tmp_path / "runs").iterdir())) == 2


def fewer(data):
    """The whole shop without its last customer."""
    whole = data.whole.sequences
    end = whole.offsets[-2]
    return Sequences(
        whole.users[:-1], whole.items, whole.interactions[:end], whole.offsets[:-1], whole.cuts[:-1]
    )


def test_without_anything_more_it_takes_no_part(data):
    assert "msm4sr_tuned+shop" in able(data, list(MODELS))
    plain = replace(data, whole=None)
    assert "msm4sr_tuned+shop" not in able(plain, list(MODELS))
    with pytest.raises(UserError, match="nothing to pre-train on besides"):
        OnWholeDataset(pretrains=True)(plain, {}, 1, Path())
    assert torch.equal(data.table.text.counts, data.whole.table.text.counts[:9])


def opened(dataset, *flags):
    """What `msm4sr study main SHOP ...` would compare on."""
    return study.open_data(build_parser().parse_args(["study", "main", str(dataset), *flags]))


def test_a_department_has_the_rest_of_the_shop_to_pre_train_on(sample_dataset):
    home = opened(sample_dataset, "--domain", "home")
    assert set(home.sequences.users) < set(home.whole.sequences.users)
    assert (home.sequences.n_items, home.whole.sequences.n_items) == (400, 800)
    assert home.whole.table.items == home.whole.sequences.items
    assert len(home.whole.sequences.cases("valid")[0]) == len(home.sequences.users)
    assert set(home.whole.dataset.items) > set(home.dataset.items)


def test_a_whole_shop_has_no_rest_and_minutes_are_too_few_for_one(sample_dataset, capsys):
    assert opened(sample_dataset).whole is None
    assert opened(sample_dataset, "--domain", "home", "--quick").whole is None
    goods = opened(sample_dataset, "--min-item-interactions", "2")  # hardly anything is left out
    assert goods.sequences.n_items < 800
    assert goods.whole is None
    args = build_parser().parse_args(
        ["study", "main", str(sample_dataset), "--models", "msm4sr_tuned+shop"]
    )
    assert study.names(args, goods) == []
    expected = "msm4sr_tuned+shop left out: the shop has no purchases to speak of besides those"
    assert expected in capsys.readouterr().err
