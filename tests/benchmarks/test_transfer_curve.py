"""The learning curve of transfer."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.studies import transfer_curve
from benchmarks.studies.transfer_curve import (
    CurveConfig,
    TransferSpec,
    curve_specs,
    learning_curve,
)
from msm4sr_lite import training
from msm4sr_lite.config import Config, as_dict
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.study.config import StudyConfig
from msm4sr_lite.study.paired import with_seeds
from tests.tiny_study import ONE, TWO, ConstantScorer, three_tests
from tests.toys import assert_same_weights

SHORT = CurveConfig(finetune_epochs=1, pretrain_epochs=1, fewest=1, large=0.5, shares=(0.4,))
DATA = replace(TWO, source=ONE)


def short(**settings):
    """Settings of a study of one seed whose training budget is a short curve."""
    return StudyConfig(n_seeds=1, budget=replace(SHORT, **settings))


def test_validation_chooses_the_rate(monkeypatch, tmp_path):
    """Here the second of three rates is said to be the best: its model comes back."""
    recalls, nets = iter([0.2, 0.9, 0.5]), []

    def recall(net, table, some, device):
        assert len(some.users) == 3  # of the drawn users only
        nets.append(net)
        return next(recalls)

    monkeypatch.setattr(training, "validation_recall", recall)
    monkeypatch.setattr(training, "finetune", lambda *_, **__: None)
    spec = TransferSpec(share=0.5, rates=(1e-4, 0.05, 1e-3), steps=4)
    assert spec.fit(TWO, {}, 4, tmp_path).model is nets[1]


def test_a_small_share_has_more_epochs(monkeypatch, tmp_path):
    found = {}

    def spy(start, target, share, config, **_):
        found.setdefault(share, []).append(config)
        return M2SE(replace(Config().model, feature_dim=11))

    monkeypatch.setattr(transfer_curve, "fine_tuned", spy)
    monkeypatch.setattr(training, "validation_recall", lambda *_: 0)
    protocol = CurveConfig(steps=4, batch_size=10, finetune_epochs=9, fewest=1, shares=(0.1, 1))
    assert TWO.sequences.training_targets() == 22
    for name, spec in curve_specs(TWO, protocol).items():
        if name.startswith("scratch"):
            spec.fit(TWO, protocol.settings(), 0, tmp_path)
    assert [config.lr for config in found[1]] == list(protocol.rates_large)
    assert [config.lr for config in found[0.1]] == list(protocol.rates)
    assert found[1][0].epochs == 2  # four steps of ten targets are not twice 22
    assert {config.epochs for config in found[0.1]} == {9}


def test_a_stopped_curve_continues(tmp_path, monkeypatch):
    config = replace(short(shares=(0.5, 1.0), fewest=3), n_seeds=2)
    out = tmp_path / "curve"
    found = learning_curve(DATA, out, config)
    assert set(found["shares"]) == {"0.5", "1"}
    half = found["shares"]["0.5"]
    assert half["users"] == 3
    assert "pretrained_on_target" not in half  # a small share only
    for figures in (half["pretrained"], half["scratch"], found["zero_shot"]):
        value = figures["ndcg@10"]
        assert value["low"] <= value["value"] <= value["high"]
        assert np.mean(value["seeds"]) == pytest.approx(value["value"], abs=1e-5)
    gain = half["pretrained"]["ndcg@10"]["value"] - half["scratch"]["ndcg@10"]["value"]
    assert half["gain"]["ndcg@10"]["value"] == pytest.approx(gain, abs=1e-5)
    # Nothing is trained again, and one lost run is the only one that is.
    trained = []
    monkeypatch.setattr(TransferSpec, "fit", untrained_model(trained))
    assert learning_curve(DATA, out, config) == found
    assert not trained
    next((out / "runs").glob("scratch_0.5-1-test.*.json")).unlink()
    learning_curve(DATA, out, config)
    assert trained == [("scratch", 0.5, 1)]
    more = replace(short(shares=(0.2, 0.5), fewest=1, large=0.1), n_seeds=3)
    learning_curve(DATA, out, more)
    assert len(trained) == 1 + 6 + 2 + 1  # a new share and a new seed, zero shot of it
    learning_curve(DATA, out, replace(more, budget=replace(more.budget, finetune_epochs=3)))
    assert len(trained) == 10 + 3 + 12  # other settings: all again but the untrained model


def untrained_model(trained):
    """Return a function in the place of ``fit``, which lists what it is asked for."""

    def fit(self, data, settings, seed, states):
        trained.append((self.start, self.share, seed))
        return ConstantScorer(*np.arange(14.0))

    return fit


def test_only_the_pre_trained_start_has_seen_the_sources(tmp_path, monkeypatch):
    started, real = {}, transfer_curve.fine_tuned

    def spy(start, data, share, config, **options):
        started[config.lr] = start
        return real(start, data, share, config, **options)

    monkeypatch.setattr(transfer_curve, "fine_tuned", spy)
    met, plain = [], transfer_curve.pretrained

    def pretrained(data, config, *rest, **options):
        met.append((data.sequences.n_items, len(data.sequences.users), config.pretrain.batch_size))
        return plain(data, config, *rest, **options)

    monkeypatch.setattr(transfer_curve, "pretrained", pretrained)
    starts = []
    for start in ("pretrained", "scratch", "pretrained_on_target"):
        spec = TransferSpec(start=start, share=0.4, rates=(1e-3,), steps=4)
        spec.fit(DATA, SHORT.settings(), 0, tmp_path)
        starts.append(started[1e-3])
    # The source, and two of the target's six users, in smaller batches.
    assert met == [(9, 3, 256), (13, 2, 64)]
    assert starts[1] is None
    with pytest.raises(AssertionError):
        assert_same_weights(starts[2], starts[0])


def test_models_that_are_not_fine_tuned_are_used_as_they_are(tmp_path):
    shot = TransferSpec(start="pretrained").fit(DATA, SHORT.settings(), 0, tmp_path)
    assert shot.model.ids is None
    untrained = TransferSpec(pretrains=False, finetunes=False).fit(DATA, {}, 3, tmp_path)
    torch.manual_seed(3)
    assert_same_weights(untrained.model, M2SE(replace(Config().model, feature_dim=11)))


def test_intervals_are_drawn_over_users_with_all_their_test_cases(tmp_path, monkeypatch):
    """The intervals are drawn over users, whose three test interactions go together."""
    ranks = np.random.default_rng(0).integers(1, 12, 6).repeat(3)  # each user's are alike
    run = {"keep_seen": ranks.tolist(), "filter_seen": ranks.tolist(), "seconds": 0}
    run |= {"coverage@10": 0, "popularity_bias@10": 0}
    monkeypatch.setattr(transfer_curve.Comparison, "run", lambda *_: run)
    found = learning_curve(three_tests(DATA), tmp_path, short(shares=(1.0,)))
    alone = with_seeds([metrics(ranks[::3])])["ndcg@10"]
    for result in (found["zero_shot"], found["shares"]["1"]["scratch"]):
        whole = result["ndcg@10"]
        assert whole["value"] == pytest.approx(alone["value"])
        assert whole["high"] - whole["low"] == pytest.approx(alone["high"] - alone["low"], rel=0.05)


def test_the_command_writes_the_curve_and_prints_it(sample_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(transfer_curve, "transfer_data", lambda *_: DATA)
    ends = ["--source", "home", "--target", "outdoor", "--out", str(tmp_path)]
    transfer_curve.main([str(sample_dataset), *ends, "--quick"])
    found = json.loads((tmp_path / "transfer.json").read_text(encoding="utf-8"))
    assert (found["source"], found["target"], found["items"]) == ("home", "outdoor", 13)
    assert set(found["shares"]) == {"1"}  # a twentieth of six users is skipped
    printed = capsys.readouterr()
    assert "share 5% skipped: too few users, 1" in printed.err
    assert "| users trained on | pre-trained first |" in printed.out


# The curve beside the sample keeps the names of its time.
OLDER = {"users": "customers", "pretrained_on_target": "own"}


def renamed(result):
    newer = {old: new for new, old in OLDER.items()}
    if not isinstance(result, dict):
        return result
    return {newer.get(name, name): renamed(value) for name, value in result.items()}


def test_the_committed_curve_has_the_default_protocol_and_a_clear_gain(sample_dataset):
    path = sample_dataset / "curves" / "home_to_outdoor.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    protocol = CurveConfig()
    assert found["protocol"] == json.loads(json.dumps({**as_dict(protocol), "seeds": 10}))
    assert [float(share) for share in found["shares"]] == list(protocol.shares)
    for share, part in found["shares"].items():
        assert ("own" in part) == (float(share) < protocol.large)
        value = {start: part[start]["ndcg@10"]["value"] for start in ("pretrained", "scratch")}
        assert part["ratio"] == pytest.approx(value["pretrained"] / value["scratch"], abs=1e-3)
    results = sample_dataset.parents[1] / "docs" / "results" / "corner_shop-transfer"
    shown = json.loads((results / "transfer.json").read_text(encoding="utf-8"))
    assert shown == {"dataset": "corner_shop", "quick": False, **renamed(found)}  # no two curves
    few = found["shares"]["0.05"]
    assert few[OLDER["users"]] == 60
    assert len(few["gain"]["ndcg@10"]["seeds"]) == 10
    assert few["ratio"] >= 1.3
    assert few["gain"]["ndcg@10"]["low"] > 0
