"""Pre-train here, use there: joined shops, shares of customers, both starts."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from msm4sr_lite.cli.flags import from_flags

from msm4sr_lite import cli, training
from msm4sr_lite.cli import study as study_command
from msm4sr_lite.config import (
    DataConfig,
    FinetuneConfig,
    ModelConfig,
    PretrainConfig,
    UserError,
    as_dict,
)
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import training_batches
from msm4sr_lite.study import transfer_curve
from msm4sr_lite.study.paired import with_seeds
from msm4sr_lite.study.transfer import (
    fine_tuned,
    fine_tuned_ranks,
    join,
    pretrained_on,
    some_users,
    zero_shot,
)
from tests.toys import assert_same_weights, toy_sequences, toy_table

SIZES = ModelConfig(feature_dim=11, dim=8, ffn_dim=8)


def domain(n_items, lengths, seed):
    slots = [1 + n % 3 for n in range(n_items)]
    table = toy_table(slots, slots[::-1], seed=seed)
    return table, toy_sequences(lengths, n_items, seed=seed)


ONE, TWO = domain(9, [6, 7, 5], seed=1), domain(13, [8, 5, 6, 9, 7, 5], seed=2)


def test_joined_shops_are_both_shops():
    table, sequences = join([ONE, TWO])
    assert sequences.items == table.items
    assert sequences.n_items == 22
    assert sequences.items[1] == "0/i1"
    assert sequences.items[10] == "1/i1"
    torch.manual_seed(0)
    net = M2SE(SIZES).eval()
    whole = net.item_embeddings(table, torch.arange(23))
    for (own, purchases), first, before in ((ONE, 0, 0), (TWO, 3, 9)):
        alone = net.item_embeddings(own, torch.arange(len(own.items)))
        for view, z in alone.items():
            torch.testing.assert_close(whole[view][1 + before : len(z) + before], z[1:])
        for user in range(len(purchases.users)):
            assert (sequences.user_sequence(first + user) - before).tolist() == purchases.of(
                user
            ).tolist()
            assert sequences.users[first + user].endswith(f"/{purchases.users[user]}")


def test_a_renumbered_table_can_be_joined():
    """``for_items`` leaves the vectors where they are, so that starts are in any order."""
    table, sequences = TWO
    turned = table.for_items(["", *table.items[:0:-1]])
    other = replace(sequences, items=turned.items, interactions=14 - sequences.interactions)
    joined, _ = join([ONE, (turned, other)])
    plain, _ = join([ONE, TWO])
    for part in ("text", "image"):
        one = getattr(joined, part).gather(torch.arange(10, 23))
        two = getattr(plain, part).gather(torch.arange(10, 23).flip(0))
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1], two[1])


def test_pretraining_on_two_shops_meets_customers_of_both():
    table, sequences = join([ONE, TWO])
    batch = next(training_batches(sequences, 50, 1000, torch.Generator().manual_seed(0)))
    inputs = batch.items[batch.items > 0]
    assert (inputs <= 9).any()
    assert (inputs > 9).any()
    config = PretrainConfig(epochs=2, batch_size=8, lr=0.01)
    both = pretrained_on([ONE, TWO], SIZES, config, seed=3)
    assert both.ids is None
    torch.manual_seed(3)
    by_hand = M2SE(SIZES)
    list(training.pretrain_steps(by_hand, table, sequences, config, seed=3))
    assert_same_weights(both, by_hand)


def test_what_cannot_be_joined():
    other = replace(ONE[0], manifest={"text_encoder": {"weights": "abc"}})
    cls = replace(ONE[0], manifest={"text_encoder": {"weights": "abc", "pooling": "cls"}})
    wide = toy_table([1] * 9, [1] * 9, width=7), ONE[1]
    turned = ONE[0].for_items(["", *ONE[0].items[:0:-1]])
    for datasets, message in (
        ([], "no shop to pre-train on"),
        ([TWO, (other, ONE[1])], "shop 1: another text encoder .*weights abc"),
        ([(other, ONE[1]), (cls, ONE[1])], "shop 1: another text encoder .*weights abc, .* cls"),
        ([ONE, wide], "shop 1: another text encoder .width 7"),
        ([TWO, (turned, ONE[1])], "shop 1: the table is in another order"),
    ):
        with pytest.raises(UserError, match=message):
            join(datasets)


def test_some_customers_are_drawn_whole_and_nested():
    sequences = toy_sequences([5 + n % 4 for n in range(40)], 30)
    few, more = (some_users(sequences, share, seed=5) for share in (0.1, 0.5))
    assert (len(few.users), len(more.users)) == (4, 20)
    assert set(few.users) < set(more.users)
    for number, user in enumerate(few.users):
        assert (
            few.of(number).tolist() == sequences.user_sequence(sequences.users.index(user)).tolist()
        )
    assert some_users(sequences, 0.1, seed=6).users != few.users
    assert len(some_users(sequences, 1e-9).users) == 1
    whole = some_users(sequences, 1.0)
    assert whole.users == sequences.users
    assert np.array_equal(whole.interactions, sequences.interactions)
    for share in (0, -0.5, 1.01):
        with pytest.raises(UserError, match="above 0 and up to 1 was expected"):
            some_users(sequences, share)


def test_zero_shot_takes_the_model_as_it_is():
    torch.manual_seed(0)
    net = M2SE(SIZES)
    ranks = zero_shot(net, TWO)
    assert (
        ranks.tolist() == target_ranks(ModelScorer(net, TWO[0]), *TWO[1].held_out("test")).tolist()
    )
    with pytest.raises(UserError, match="with item ids knows one shop only"):
        zero_shot(M2SE(replace(SIZES, n_items=13)), TWO)


class TestFineTuning:
    config = FinetuneConfig(epochs=2, batch_size=8, lr=0.01)

    def test_only_the_drawn_customers_are_trained_on(self):
        """Purchases of the others may be what they like: nothing changes but their ranks."""
        table, sequences = TWO
        some = set(some_users(sequences, 0.5, seed=1).users)
        events = sequences.interactions.copy()
        for number, user in enumerate(sequences.users):
            if user not in some:
                own = slice(sequences.offsets[number], sequences.offsets[number + 1])
                events[own] = events[own][::-1]
        other = table, replace(sequences, interactions=events)
        start = M2SE(SIZES)
        one, two = (fine_tuned(start, d, 0.5, self.config, seed=1) for d in (TWO, other))
        assert_same_weights(one, two)
        assert one.ids is not None
        assert start.ids is None

    def test_from_scratch_has_the_same_budget_and_other_weights(self, monkeypatch):
        calls = []
        real = training.finetune

        def spy(model, table, sequences, config, **options):
            calls.append((config, sequences.users, options["seed"]))
            return real(model, table, sequences, config, **options)

        monkeypatch.setattr(training, "finetune", spy)
        fine_tuned(M2SE(SIZES), TWO, 0.5, self.config, seed=2)
        fine_tuned(None, TWO, 0.5, self.config, model=SIZES, seed=2)
        assert calls[0] == calls[1]

    def test_the_validation_items_choose_the_setting(self, monkeypatch):
        """Here the second of three settings is said to be the best: its ranks come back."""
        recalls = iter([0.2, 0.9, 0.5])
        configs = [replace(self.config, lr=lr) for lr in (1e-4, 0.05, 1e-3)]
        table, sequences = TWO
        nets = [fine_tuned(None, TWO, 0.5, c, model=SIZES, seed=4) for c in configs]

        def told(net, table, some, device):
            assert len(some.users) == 3  # of the drawn customers only
            return next(recalls)

        monkeypatch.setattr(
            "msm4sr_lite.study.transfer.fine_tuned", lambda *a, **k: nets[configs.index(a[3])]
        )
        monkeypatch.setattr(training, "validation_recall", told)
        ranks = fine_tuned_ranks(None, TWO, 0.5, configs, seed=4)
        expected = target_ranks(ModelScorer(nets[1], table), *sequences.held_out("test"))
        assert ranks.tolist() == expected.tolist()
        assert len(ranks) == 6  # of all customers

    def test_one_function_one_run(self):
        one, two = (
            fine_tuned_ranks(None, TWO, 0.5, [self.config], model=SIZES, seed=7) for _ in range(2)
        )
        assert one.tolist() == two.tolist()
        with pytest.raises(UserError, match="no settings to fine-tune with"):
            fine_tuned_ranks(None, TWO, 0.5, [])


def test_the_curve_goes_on_where_it_was(tmp_path, monkeypatch):
    protocol = transfer_curve.Protocol(
        seeds=2,
        shares=(0.5, 1.0),
        fewest=3,
        rates_large=(0.01,),
        finetune_epochs=2,
        pretrain_epochs=1,
    )
    out = tmp_path / "curve"
    found = transfer_curve.Curve([ONE], TWO, protocol, out).results()
    assert set(found["shares"]) == {"0.5", "1"}
    half = found["shares"]["0.5"]
    assert half["users"] == 3
    assert "own" not in half  # a small share only
    for figures in (half["pretrained"], half["scratch"], found["zero_shot"]):
        value = figures["ndcg@10"]
        assert value["low"] <= value["value"] <= value["high"]
        assert np.mean(value["seeds"]) == pytest.approx(value["value"], abs=1e-5)
    gain = half["pretrained"]["ndcg@10"]["value"] - half["scratch"]["ndcg@10"]["value"]
    assert half["gain"]["ndcg@10"]["value"] == pytest.approx(gain, abs=1e-5)
    # Nothing is trained again, and one lost run is the only one that is.
    trained = []
    monkeypatch.setattr(
        transfer_curve, "fine_tuned_ranks", lambda *a, **k: trained.append(k) or np.ones(6)
    )
    assert transfer_curve.Curve([ONE], TWO, protocol, out).results() == found
    assert not trained
    next((out / "runs").glob("scratch_0.5-1.*.json")).unlink()
    transfer_curve.Curve([ONE], TWO, protocol, out).results()
    assert [k["seed"] for k in trained] == [1]
    more = replace(protocol, seeds=3, shares=(0.25, 0.5), fewest=2)
    transfer_curve.Curve([ONE], TWO, more, out).results()
    assert len(trained) == 1 + 6 + 2  # a new share and a new seed, nothing else
    other = replace(more, finetune_epochs=3, shares=(0.5,))
    transfer_curve.Curve([ONE], TWO, other, out).results()
    assert len(trained) == 9 + 6  # other settings: all again


def test_the_command_on_the_sample(sample_dataset, tmp_path, monkeypatch, capsys):
    domains = {"home": ONE, "outdoor": TWO}
    monkeypatch.setattr(study_command, "open_domain", lambda args, *, domain: domains[domain])
    command = ["study", "transfer", str(sample_dataset), "--source", "home", "--target", "outdoor"]
    command += ["--out", str(tmp_path), "--quick"]
    assert cli.main(command) == 0
    found = json.loads((tmp_path / "transfer.json").read_text(encoding="utf-8"))
    assert (found["source"], found["target"], found["items"]) == ("home", "outdoor", 13)
    assert set(found["shares"]) == {"1"}  # a twentieth of six customers is left out
    assert set(found["shares"]["1"]) >= {"pretrained", "scratch", "gain", "ratio"}
    assert "5% left out: 1 of the customers are too few" in capsys.readouterr().err


def test_seeds_run_at_once_are_those_run_one_after_another(tmp_path, monkeypatch):
    short = {"finetune_epochs": 1, "pretrain_epochs": 1}
    protocol = transfer_curve.Protocol(seeds=2, shares=(1.0,), **short)
    plain = transfer_curve.Curve([ONE], TWO, protocol, tmp_path / "plain").results()
    monkeypatch.setattr(training, "pretrain", None)  # the other processes have their own
    assert transfer_curve.Curve([ONE], TWO, protocol, tmp_path / "two", 2).results() == plain


def test_a_small_share_has_more_epochs_and_two_rates():
    protocol = transfer_curve.Protocol(steps=4, batch_size=10, finetune_epochs=9)
    assert TWO[1].training_targets() == 22
    whole, small = (protocol.finetuning(TWO[1], share) for share in (1.0, 0.1))
    assert [config.lr for config in whole] == list(protocol.rates_large)
    assert [config.lr for config in small] == list(protocol.rates)
    assert whole[0].epochs == 2  # four steps of ten targets are not twice 22
    assert {config.epochs for config in small} == {9}


def test_only_one_start_knows_the_source(tmp_path, monkeypatch):
    started = []

    def spy(model, target, share, configs, *, seed, device):
        started.append(model)
        return np.ones(6)

    monkeypatch.setattr(transfer_curve, "fine_tuned_ranks", spy)
    short = {"fewest": 1, "pretrain_epochs": 1}
    protocol = transfer_curve.Protocol(seeds=1, shares=(0.4,), large=0.5, **short)
    curve = transfer_curve.Curve([ONE], TWO, protocol, tmp_path)
    curve.results()
    pretrained, scratch, own = started
    assert scratch is None
    assert_same_weights(pretrained, curve.pretrained(0))
    with pytest.raises(AssertionError):
        assert_same_weights(own, pretrained)


@pytest.fixture
def pretrainings(monkeypatch):
    """Return a list that tells of every pre-training which purchases it was given."""
    met = []
    plain = transfer_curve.pretrained_on

    def spy(domains, *rest, **options):
        met.append([sequences for _, sequences in domains])
        return plain(domains, *rest, **options)

    monkeypatch.setattr(transfer_curve, "pretrained_on", spy)
    return met


def test_a_small_share_is_pretrained_on_its_own_customers_too(tmp_path, pretrainings):
    short = {"fewest": 1, "finetune_epochs": 1, "pretrain_epochs": 1}
    protocol = transfer_curve.Protocol(seeds=1, shares=(0.4,), large=0.5, **short)
    found = transfer_curve.Curve([ONE], TWO, protocol, tmp_path).results()
    met = [[len(sequences.users) for sequences in datasets] for datasets in pretrainings]
    assert met == [[3], [2]]  # the source, and two of the target's six customers
    assert "value" in found["shares"]["0.4"]["own"]["ndcg@10"]


def three_tests(domain):
    """The last three purchases of everyone test, the one before them validates."""
    table, sequences = domain
    cuts = np.diff(sequences.offsets)[:, None] - [4, 3]
    return table, replace(sequences, cuts=cuts)


def test_what_is_held_out_never_trains():
    """Not in a share of the customers, nor in joined shops, however much is held out."""
    _, sequences = three_tests(TWO)
    few = some_users(sequences, 0.5, seed=1)
    numbers = [sequences.users.index(user) for user in few.users]
    for part in ("valid", "test"):
        users, _ = sequences.cases(part)
        expected = sequences.held_out(part)[1][np.isin(users, numbers)]
        assert few.held_out(part)[1].tolist() == expected.tolist()
    whole = [row.tolist() for row in sequences.train()]
    assert [row.tolist() for row in few.train()] == [whole[number] for number in numbers]
    _, both = join([ONE, three_tests(TWO)])
    plain = [row.tolist() for row in ONE[1].train()]
    moved = [[9 + item for item in row] for row in whole]
    assert [row.tolist() for row in both.train()] == plain + moved


def test_several_purchases_of_a_customer_are_one_customer(tmp_path, monkeypatch):
    """The intervals are drawn over customers, whose three test purchases go together."""
    ranks = np.random.default_rng(0).integers(1, 12, 6).repeat(3)  # each customer's are alike
    monkeypatch.setattr(transfer_curve, "fine_tuned_ranks", lambda *a, **k: ranks)
    monkeypatch.setattr(transfer_curve, "zero_shot", lambda *a, **k: ranks)
    protocol = transfer_curve.Protocol(seeds=1, shares=(1.0,), large=0, pretrain_epochs=1)
    found = transfer_curve.Curve([ONE], three_tests(TWO), protocol, tmp_path).results()
    alone = with_seeds([metrics(ranks[::3])])["ndcg@10"]
    for figures in (found["zero_shot"], found["shares"]["1"]["scratch"]):
        own = figures["ndcg@10"]
        assert own["value"] == pytest.approx(alone["value"])
        assert own["high"] - own["low"] == pytest.approx(alone["high"] - alone["low"], rel=0.05)


def test_a_study_of_transfer_obeys_its_flags(sample_dataset, tmp_path, monkeypatch):
    asked = []

    def spy(sources, target, protocol, out, jobs, device):
        asked.append((protocol, jobs, device))
        raise UserError("enough")

    opened = []

    def access(args, *, domain):
        opened.append(from_flags(args, DataConfig()).tests)

    monkeypatch.setattr(study_command, "open_domain", access)
    monkeypatch.setattr(study_command, "device_of", lambda args: f"asked for {args.device}")
    monkeypatch.setattr(transfer_curve, "Curve", spy)
    command = ["study", "transfer", str(sample_dataset), "--source", "home", "--target", "outdoor"]
    command += ["--out", str(tmp_path)]
    given = ["--tests", "2", "--seeds", "5", "--patience", "3", "--jobs", "2"]
    given += ["--finetune-epochs", "7", "--pretrain-epochs", "9", "--device", "cuda"]
    for more in ([], given, ["--quick"], ["--quick", "--finetune-epochs", "7"]):
        assert cli.main([*command, *more]) == 2
    plain, quick = transfer_curve.Protocol(), transfer_curve.QUICK
    other = replace(plain, seeds=5, patience=3, finetune_epochs=7, pretrain_epochs=9)
    assert [protocol for protocol, _, _ in asked] == [
        plain,
        other,
        quick,
        replace(quick, finetune_epochs=7),
    ]
    assert [jobs for _, jobs, _ in asked] == [1, 2, 1, 1]
    assert [device[10:] for _, _, device in asked] == ["auto", "cuda", "auto", "auto"]
    assert opened == [1, 1, 2, 2, 1, 1, 1, 1]  # source and target


def test_several_sources(tmp_path, pretrainings):
    """Pre-trained on both; the target's own encoder must be theirs."""
    protocol = transfer_curve.Protocol(seeds=1, shares=(0.5,), finetune_epochs=1, pretrain_epochs=1)
    for sources in ([ONE], [ONE, TWO], [ONE, TWO]):
        curve = transfer_curve.Curve(sources, TWO, replace(protocol, large=0), tmp_path)
        assert curve.pretrained(0).ids is None
    n = [sequences.n_items for _, sequences in (ONE, TWO)]
    met = [[sequences.n_items for sequences in datasets] for datasets in pretrainings]
    assert met == [n[:1], n]  # kept apart, and each made once
    (table, sequences) = TWO
    strange = replace(table, manifest={"content": "x", "text_encoder": {"weights": "other"}})
    with pytest.raises(UserError, match="shop 1: another text encoder"):
        transfer_curve.Curve([ONE], (strange, sequences), protocol, tmp_path)


@pytest.fixture
def other_dataset(sample_dataset, tmp_path):
    """Return the folder of another shop: the sample's, with a purchase of an unlisted item."""
    folder = tmp_path / "their shop"
    folder.mkdir()
    lines = (sample_dataset / "interactions.csv").read_text(encoding="utf-8")
    (folder / "interactions.csv").write_text(lines + "uh0001,ghost,2000000000\n", encoding="utf-8")
    for name in ("items.jsonl", "features", "images"):
        (folder / name).symlink_to((sample_dataset / name).resolve())
    return folder


def test_sources_are_departments_and_folders_of_other_shops(
    sample_dataset, other_dataset, tmp_path, monkeypatch, capsys
):
    class Fake:
        def __init__(self, sources, target, protocol, out, jobs, device):
            self.datasets = [*sources, target]

        def results(self):
            return {"shares": {}, "shops": [own.n_items for _, own in self.datasets]}

    monkeypatch.setattr(transfer_curve, "Curve", Fake)
    command = ["study", "transfer", str(sample_dataset), "--out", str(tmp_path / "out"), "--json"]
    theirs = ["--source", str(other_dataset)]
    assert cli.main([*command, *theirs]) == 2
    assert "'ghost' is not in items.jsonl" in capsys.readouterr().err
    assert cli.main([*command, *theirs, "--drop-unknown"]) == 0
    found = json.loads(capsys.readouterr().out)["transfer"]
    assert found["shops"] == [800, 800]
    assert (found["source"], found["target"]) == ("their shop", "the whole shop")
    both = ["--source", f"home,{other_dataset}", "--target", "outdoor"]
    assert cli.main([*command, *both, "--drop-unknown"]) == 0
    found = json.loads(capsys.readouterr().out)["transfer"]
    assert found["shops"] == [400, 800, 400]
    assert (found["source"], found["target"]) == ("home and their shop", "outdoor")
    assert (found["users"], found["items"]) == (1200, 400)


def test_other_shops_without_all_features_are_named(
    sample_dataset, other_dataset, tmp_path, capsys
):
    lines = (sample_dataset / "items.jsonl").read_text(encoding="utf-8")
    (other_dataset / "items.jsonl").unlink()
    ghost = json.dumps({"item_id": "ghost", "title": "A ghost"})
    (other_dataset / "items.jsonl").write_text(f"{lines}{ghost}\n", encoding="utf-8")
    command = ["study", "transfer", str(sample_dataset), "--source", str(other_dataset)]
    assert cli.main([*command, "--out", str(tmp_path / "out")]) == 2
    expected = r"study: .*their shop: 1 items of the shop have no features \(the first is 'ghost'\)"
    assert re.search(expected, capsys.readouterr().err)


def test_a_study_of_transfer_computes_where_it_is_told(tmp_path, monkeypatch):
    places = []

    def spy(plain):
        def run(*rest, device, **options):
            places.append(device)
            return plain(*rest, **options)

        return run

    for name in ("pretrained_on", "zero_shot", "fine_tuned_ranks"):
        monkeypatch.setattr(transfer_curve, name, spy(getattr(transfer_curve, name)))
    short = {"fewest": 1, "finetune_epochs": 1, "pretrain_epochs": 1}
    protocol = transfer_curve.Protocol(seeds=1, shares=(0.4,), large=0.5, **short)
    transfer_curve.Curve([ONE], TWO, protocol, tmp_path, device="the place").results()
    # Untrained and zero shot, two pre-trainings (on the source, on the own), three fine-tunings.
    assert places == ["the place"] * 7


def test_a_source_with_too_few_purchases_is_named(sample_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study_command, "open_data", lambda args: SimpleNamespace(sequences=ONE[1]))
    command = ["study", "transfer", str(sample_dataset), "--source", "home", "--target", "outdoor"]
    command += ["--out", str(tmp_path), "--min-item-interactions", "60"]
    assert cli.main(command) == 2
    expected = r"study: home: no customer has .* lower --user-min or --item"
    assert re.search(expected, capsys.readouterr().err)


@pytest.mark.parametrize("given", [["--source", "home"], ["--target", "home"], []])
def test_a_study_of_transfer_needs_both_ends(sample_dataset, tmp_path, given, capsys):
    command = ["study", "transfer", str(sample_dataset), "--out", str(tmp_path / "out"), *given]
    assert cli.main(command) == 2
    assert "name both, as in --source home --target outdoor" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_committed_curve_was_made_so_and_passes_what_it_must(sample_dataset):
    path = sample_dataset / "curves" / "home_to_outdoor.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    protocol = transfer_curve.Protocol(seeds=10)
    assert found["protocol"] == json.loads(json.dumps(as_dict(protocol)))
    assert [float(share) for share in found["shares"]] == list(protocol.shares)
    for share, part in found["shares"].items():
        assert set(protocol.starts(float(share))) <= part.keys()
        value = {start: part[start]["ndcg@10"]["value"] for start in ("pretrained", "scratch")}
        assert part["ratio"] == pytest.approx(value["pretrained"] / value["scratch"], abs=1e-3)
    page = sample_dataset.parents[1] / "docs" / "results" / "corner_shop-transfer" / "transfer.json"
    shown = json.loads(page.read_text(encoding="utf-8"))
    assert shown == {"dataset": "corner_shop", "quick": False, **found}  # no two curves
    few = found["shares"]["0.05"]
    assert few["users"] == 60
    assert len(few["gain"]["ndcg@10"]["seeds"]) == 10
    assert few["ratio"] >= 1.3
    assert few["gain"]["ndcg@10"]["low"] > 0
