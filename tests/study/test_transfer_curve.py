"""The learning curve of transfer."""

import json
from dataclasses import replace

import numpy as np
import pytest

from msm4sr_lite import training
from msm4sr_lite.config import UserError, as_dict
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.study import transfer_curve
from msm4sr_lite.study.config import TransferConfig
from msm4sr_lite.study.paired import with_seeds
from msm4sr_lite.study.transfer_curve import TransferCurve
from tests.tiny_study import ONE, TWO, three_tests
from tests.toys import assert_same_weights


def test_a_stopped_curve_continues(tmp_path, monkeypatch):
    protocol = TransferConfig(
        seeds=2,
        shares=(0.5, 1.0),
        fewest=3,
        rates_large=(0.01,),
        finetune_epochs=2,
        pretrain_epochs=1,
    )
    out = tmp_path / "curve"
    found = TransferCurve([ONE], TWO, protocol, out).results()
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
    monkeypatch.setattr(
        transfer_curve, "fine_tuned_ranks", lambda *a, **k: trained.append(k) or np.ones(6)
    )
    assert TransferCurve([ONE], TWO, protocol, out).results() == found
    assert not trained
    next((out / "runs").glob("scratch_0.5-1.*.json")).unlink()
    TransferCurve([ONE], TWO, protocol, out).results()
    assert [k["seed"] for k in trained] == [1]
    more = replace(protocol, seeds=3, shares=(0.25, 0.5), fewest=2)
    TransferCurve([ONE], TWO, more, out).results()
    assert len(trained) == 1 + 6 + 2  # a new share and a new seed, nothing else
    other = replace(more, finetune_epochs=3, shares=(0.5,))
    TransferCurve([ONE], TWO, other, out).results()
    assert len(trained) == 9 + 6  # other settings: all again


def test_seeds_run_at_once_are_those_run_one_after_another(tmp_path, monkeypatch):
    short = {"finetune_epochs": 1, "pretrain_epochs": 1}
    protocol = TransferConfig(seeds=2, shares=(1.0,), **short)
    plain = TransferCurve([ONE], TWO, protocol, tmp_path / "plain").results()
    monkeypatch.setattr(training, "pretrain", None)  # the other processes have their own
    assert TransferCurve([ONE], TWO, protocol, tmp_path / "two", 2).results() == plain


def test_only_the_pre_trained_start_has_seen_the_sources(tmp_path, monkeypatch):
    started = []

    def spy(model, target, share, configs, *, seed, device):
        started.append(model)
        return np.ones(6)

    monkeypatch.setattr(transfer_curve, "fine_tuned_ranks", spy)
    short = {"fewest": 1, "pretrain_epochs": 1}
    protocol = TransferConfig(seeds=1, shares=(0.4,), large=0.5, **short)
    curve = TransferCurve([ONE], TWO, protocol, tmp_path)
    curve.results()
    pretrained, scratch, on_target = started
    assert scratch is None
    assert_same_weights(pretrained, curve.pretrained(0))
    with pytest.raises(AssertionError):
        assert_same_weights(on_target, pretrained)


@pytest.fixture
def pretrainings(monkeypatch):
    """Return a list that tells of every pre-training which interactions it was given."""
    met = []
    plain = transfer_curve.pretrained_on

    def spy(domains, *rest, **options):
        met.append([sequences for _, sequences in domains])
        return plain(domains, *rest, **options)

    monkeypatch.setattr(transfer_curve, "pretrained_on", spy)
    return met


def test_a_small_share_is_also_pre_trained_on_its_users_alone(tmp_path, pretrainings):
    short = {"fewest": 1, "finetune_epochs": 1, "pretrain_epochs": 1}
    protocol = TransferConfig(seeds=1, shares=(0.4,), large=0.5, **short)
    found = TransferCurve([ONE], TWO, protocol, tmp_path).results()
    met = [[len(sequences.users) for sequences in domains] for domains in pretrainings]
    assert met == [[3], [2]]  # the source, and two of the target's six users
    assert "value" in found["shares"]["0.4"]["pretrained_on_target"]["ndcg@10"]


def test_intervals_are_drawn_over_users_with_all_their_test_cases(tmp_path, monkeypatch):
    """The intervals are drawn over users, whose three test interactions go together."""
    ranks = np.random.default_rng(0).integers(1, 12, 6).repeat(3)  # each user's are alike
    monkeypatch.setattr(transfer_curve, "fine_tuned_ranks", lambda *a, **k: ranks)
    monkeypatch.setattr(transfer_curve, "zero_shot", lambda *a, **k: ranks)
    protocol = TransferConfig(seeds=1, shares=(1.0,), large=0, pretrain_epochs=1)
    found = TransferCurve([ONE], three_tests(TWO), protocol, tmp_path).results()
    alone = with_seeds([metrics(ranks[::3])])["ndcg@10"]
    for result in (found["zero_shot"], found["shares"]["1"]["scratch"]):
        whole = result["ndcg@10"]
        assert whole["value"] == pytest.approx(alone["value"])
        assert whole["high"] - whole["low"] == pytest.approx(alone["high"] - alone["low"], rel=0.05)


def test_several_sources(tmp_path, pretrainings):
    """Pre-trained on both; the target's encoder must be theirs."""
    protocol = TransferConfig(seeds=1, shares=(0.5,), finetune_epochs=1, pretrain_epochs=1)
    for sources in ([ONE], [ONE, TWO], [ONE, TWO]):
        curve = TransferCurve(sources, TWO, replace(protocol, large=0), tmp_path)
        assert curve.pretrained(0).ids is None
    n = [sequences.n_items for _, sequences in (ONE, TWO)]
    met = [[sequences.n_items for sequences in domains] for domains in pretrainings]
    assert met == [n[:1], n]  # kept apart, and each made once
    (table, sequences) = TWO
    strange = replace(table, manifest={"content": "x", "text_encoder": {"weights": "other"}})
    with pytest.raises(UserError, match="domain 1: another text encoder"):
        TransferCurve([ONE], (strange, sequences), protocol, tmp_path)


def test_every_run_uses_the_device_that_was_asked_for(tmp_path, monkeypatch):
    places = []

    def spy(plain):
        def run(*rest, device, **options):
            places.append(device)
            return plain(*rest, **options)

        return run

    for name in ("pretrained_on", "zero_shot", "fine_tuned_ranks"):
        monkeypatch.setattr(transfer_curve, name, spy(getattr(transfer_curve, name)))
    short = {"fewest": 1, "finetune_epochs": 1, "pretrain_epochs": 1}
    protocol = TransferConfig(seeds=1, shares=(0.4,), large=0.5, **short)
    TransferCurve([ONE], TWO, protocol, tmp_path, device="the place").results()
    # Untrained and zero shot, two pre-trainings (on the source, on the target), three fine-tunings.
    assert places == ["the place"] * 7


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
    protocol = TransferConfig(seeds=10)
    assert found["protocol"] == json.loads(json.dumps(as_dict(protocol)))
    assert [float(share) for share in found["shares"]] == list(protocol.shares)
    for share, part in found["shares"].items():
        starts = [OLDER.get(start, start) for start in protocol.starts(float(share))]
        assert set(starts) <= part.keys()
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
